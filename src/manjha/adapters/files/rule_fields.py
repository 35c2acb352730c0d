"""Reads the fields of one table row from text, and says which one is wrong."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from manjha.domain.errors import DataError, SettingsError
from manjha.domain.moments import DAY_NS, TradingDay, parse_clock, parse_day
from manjha.domain.money import Cash, Px, parse_cash
from manjha.domain.sizing import NANO
from manjha.market.rows import Basis, Confidence

HOW_TO_WRITE = "docs/market-rules.md shows every table with its columns."


class Fields:
    """One row of a table, as text by column. Every reader raises `SettingsError` naming file, row and column."""

    def __init__(self, where: str, row: Mapping[str, object], open_end: TradingDay) -> None:
        self.where = where
        self._row = row
        self._open_end = open_end

    def text(self, column: str, default: str | None = None) -> str:
        """Return a text; without a default the column must be there and not empty."""
        value = self._row.get(column, "")
        if not isinstance(value, str):
            raise self.wrong(column, "text", value)
        if not value:
            if default is None:
                raise self.wrong(column, "a value", value)
            return default
        return value.strip()

    def words(self, column: str) -> tuple[str, ...]:
        """Return words separated by blanks, possibly none."""
        return tuple(self.text(column, "").split())

    def lines(self, column: str) -> tuple[str, ...]:
        """Return a list of texts with at least one entry."""
        value = self._row.get(column)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
            raise self.wrong(column, "a list of texts", value)
        return tuple(value)

    def choice(self, column: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """Return one of several words."""
        value = self.text(column, default)
        if value not in choices:
            raise self.wrong(column, f"one of {', '.join(choices)}", value)
        return value

    def flag(self, column: str) -> bool:
        """Return true or false; absent is false."""
        value = self._row.get(column, False)
        if value in (True, "true"):
            return True
        if value in (False, "false", ""):
            return False
        raise self.wrong(column, "true or false", value)

    def whole(self, column: str, *, least: int = 0) -> int:
        """Return a whole number of at least `least`."""
        text = self.text(column)
        if not text.removeprefix("-").isdecimal() or int(text) < least:
            raise self.wrong(column, f"a whole number of at least {least}", text)
        return int(text)

    def nano(self, column: str, default: str | None = None) -> int:
        """Return a fraction between 0 and 1 in 1e-9, exactly."""
        text = self.text(column, default)
        try:
            value = Decimal(text) * NANO
        except InvalidOperation:
            raise self.wrong(column, 'a fraction like "0.0003"', text) from None
        if not value.is_finite() or not 0 <= value <= NANO or value != value.to_integral_value():
            raise self.wrong(column, "a fraction between 0 and 1 with at most nine decimals", text)
        return int(value)

    def rupees(self, column: str, default: str | None = None) -> Cash:
        """Return an amount of at least zero in 1e-4 rupee."""
        text = self.text(column, default)
        try:
            value = parse_cash(text)
        except DataError:
            raise self.wrong(column, 'an amount in rupees like "20" or "15.34"', text) from None
        if value < 0:
            raise self.wrong(column, "an amount of at least zero", text)
        return value

    def px(self, column: str, default: str | None = None) -> Px:
        """Return a price or index level of at least zero in 1e-4 rupee."""
        return Px(self.rupees(column, default))

    def day(self, column: str) -> TradingDay:
        """Return a date."""
        text = self.text(column)
        try:
            return parse_day(text)
        except DataError:
            raise self.wrong(column, "a date like 2026-04-01", text) from None

    def span(self) -> tuple[TradingDay, TradingDay]:
        """Return `from` and `to`; an empty `to` lasts to the end of the tables."""
        first = self.day("from")
        last = self.day("to") if self.text("to", "") else max(first, self._open_end)
        if last < first:
            raise self.wrong("to", f"a date not before {self.text('from')}", self.text("to"))
        return first, last

    def clock(self, column: str, default: str | None = None) -> int:
        """Return a clock time; "24:00" is midnight at the end of the day."""
        return self.parse_clock(column, self.text(column, default))

    def parse_clock(self, column: str, text: str) -> int:
        """Read one clock time of a column that holds more."""
        if text == "24:00":
            return DAY_NS
        try:
            return parse_clock(text)
        except DataError:
            raise self.wrong(column, "a time like 15:30", text) from None

    def window(self, column: str, text: str) -> tuple[int, int]:
        """Read "09:15-15:30"."""
        start, _, end = text.partition("-")
        opened, closed = self.parse_clock(column, start), self.parse_clock(column, end)
        if opened >= closed:
            raise self.wrong(column, "a start before its end", text)
        return opened, closed

    def basis(self) -> Basis:
        """Return what the row rests on."""
        confidence = self.choice("confidence", tuple(Confidence))
        return Basis(self.text("source"), Confidence(confidence), self.text("note", ""))

    def wrong(self, column: str, expected: str, value: object) -> SettingsError:
        """Make the error for a column."""
        return SettingsError(f"{self.where}.{column}: expected {expected}, was {value!r}", hint=HOW_TO_WRITE)
