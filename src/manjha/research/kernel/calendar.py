"""What a compiled run reads and strategies do not change: columns, days, sessions, rate cards, made once a market."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from manjha.domain.bars import BarColumns
from manjha.domain.errors import OutsideTable
from manjha.domain.instrument import Asset, Instrument, InstrumentId, Kind
from manjha.domain.moments import TradingDay
from manjha.domain.orders import Product
from manjha.engine.closes import day_ends
from manjha.engine.sessions import Sessions, alike, day_rules, span
from manjha.market.bands import protection_rows
from manjha.market.charges import ChargeSegment, RateCard, charge_segment, segment_card
from manjha.market.fees import depository_charge, fee_terms
from manjha.market.margin_rules import derivative_margin, margin_fraction
from manjha.market.rows import PriceProtectionRow
from manjha.market.rules import MarketRules
from manjha.research.kernel.records import CARD, DAILY, DAY, SESSION, SLAB, Bars, Columns, Ints, Records
from manjha.risk.checks import FITTING
from manjha.risk.gate import DayRules
from manjha.strategy.views import Series, Timeline

BEYOND_CALENDAR = -1
HOURS = ("has_today", *DayRules._fields)
TERMS = tuple(name for name in SESSION.names or () if name not in HOURS)
SHARES = (Kind.EQUITY, Kind.ETF)


class Calendar:
    """Days, sessions and rate cards of a run as records; see `records.DAY`, `SESSION` and `CARD`."""

    def __init__(
        self, rules: MarketRules, instruments: Sequence[Instrument], product: Product, flat: RateCard | None
    ) -> None:
        self.rules = rules
        self.instruments = instruments
        self.product = product
        self.flat = flat
        self.numbers: dict[RateCard, int] = {}
        self.slabs: list[tuple[int, ...]] = []
        self.first_day = TradingDay(0)
        self.days: Records = np.zeros(0, DAY)
        self.sessions: Records = np.zeros((0, len(instruments)), SESSION)

    def fill(self, sessions: Sessions, timeline: Timeline, *, notes: bool) -> None:
        """Look everything up. Raises `OutsideTable` where a table does not reach, as the event engine would."""
        found = sessions.days(timeline.open_ns[0], timeline.close_ns[len(timeline) - 1])
        self.first_day = found[0] if found else TradingDay(0)
        groups = alike(self.instruments)
        asked = [one for one, _ in groups]
        traded = [(day, today) for day in found if (today := day_rules(sessions, asked, day))]
        self.days = np.zeros(len(traded), DAY)
        self.sessions = np.zeros((len(traded), len(self.instruments)), SESSION)
        self._enter_hours(groups, [today for _, today in traded])
        changes = set(self._changes([day for day, _ in traded]))
        margin, fee = 0, (0, 0, 0)
        for row, (day, today) in enumerate(traded):
            if row in changes:
                self._enter_terms(row, day, notes=notes)
                dp = int(depository_charge(self.rules, day)) if notes else 0
                margin = self._margin(day)
                fee = self._delivery_fee(day)
            opens, closes = span(today)
            self.days[row] = (day, opens, closes, _day_or_beyond(sessions.settles, day), 0, margin, dp, *fee, 0, 0)
            self.days[row]["next_day"] = _day_or_beyond(sessions.next_day, day)
        for moment, position in (("open_ns", "opens_before"), ("close_ns", "closes_before")):
            self.days[position] = np.searchsorted(np.asarray(timeline.close_ns), self.days[moment], side="right")
        closed = self.sessions["has_today"] == 0
        if closed.any():
            self.sessions[closed] = 0

    def _enter_hours(
        self, groups: Sequence[tuple[Instrument, list[int]]], days: Sequence[Mapping[InstrumentId, DayRules]]
    ) -> None:
        """Write the hours of each day, the same for all instruments of a group."""
        closed = (0,) * len(HOURS)
        for one, numbers in groups:
            held = [today.get(one.id) for today in days]
            hours = np.array([closed if rules is None else (1, *rules) for rules in held], np.int64)
            hours = hours.reshape(len(days), len(HOURS))
            for name, values in zip(HOURS, hours.T, strict=True):
                self.sessions[name][:, numbers] = values[:, None]

    def _enter_terms(self, row: int, day: TradingDay, *, notes: bool) -> None:
        """Write what is charged and held as margin from a day on."""
        terms = np.array([self._terms(instrument, day, notes=notes) for instrument in self.instruments], np.int64)
        for name, values in zip(TERMS, terms.T, strict=True):
            self.sessions[name][row:] = values

    def cards(self) -> Records:
        """Return the rate cards by number."""
        made = np.zeros(len(self.numbers), CARD)
        for card, number in self.numbers.items():
            made[number] = tuple(getattr(card, name) for name in RateCard.__struct_fields__)
        return made

    def protections(self) -> Records:
        """Return the rows of limit price protection by number; at least one, so that the table has an address."""
        return np.array(self.slabs or [(0, 0, 0, 0)], SLAB)

    def _changes(self, days: Sequence[TradingDay]) -> list[int]:
        """Return the rows at which a rate, fee or margin may change: where the first day of a row of a table lies."""
        tables = (
            *(self.rules.brokerage, self.rules.stt, self.rules.exchange, self.rules.bse_group, self.rules.sebi),
            *(self.rules.stamp, self.rules.gst, self.rules.dp, self.rules.intraday_margin),
            *(self.rules.derivative_margin, self.rules.price_protection, self.rules.fee),
        )
        edges = {edge for table in tables for row in table for edge in (row.first, row.last + 1)}
        return [0, *np.unique(np.searchsorted(np.array(days), sorted(edges))).tolist()]

    def _margin(self, day: TradingDay) -> int:
        """Return the fraction of intraday shares, 0 where none is held."""
        intraday = self.product is Product.MIS and any(i.kind in SHARES for i in self.instruments)
        return margin_fraction(self.rules, self.product, day) if intraday else 0

    def _delivery_fee(self, day: TradingDay) -> tuple[int, int, int]:
        """Return amount, rate and GST of what the expiry of a future on a share costs."""
        if not any(i.kind is Kind.FUTURE and i.asset is Asset.EQUITY for i in self.instruments):
            return 0, 0, 0
        return fee_terms(self.rules, "physical_delivery", day)

    def _terms(self, instrument: Instrument, day: TradingDay, *, notes: bool) -> tuple[int, ...]:
        """Return rate cards, margin rates and price protection of a day, as `SESSION` has them after the hours."""
        if self.product not in FITTING[instrument.kind]:
            return (-1, -1, -1, -1, 0, 0, 0, 0)
        cards = self._cards(instrument, day, notes=notes)
        if instrument.kind is not Kind.FUTURE:
            return (*cards, 0, 0, 0, 0)
        asset = "index" if instrument.asset is Asset.INDEX else "equity"
        margin = derivative_margin(self.rules, asset, day)
        rows = [row for row in protection_rows(self.rules, instrument, day) if row.first <= day <= row.last]
        rows.sort(key=lambda row: row.first, reverse=True)
        return (*cards, margin.scan_range, margin.exposure, self._slabs(rows), len(rows))

    def _slabs(self, rows: Sequence[PriceProtectionRow]) -> int:
        """Return the number of the first of some rows of limit price protection, which stand one after the other."""
        first = len(self.slabs)
        self.slabs += [(row.above, row.up_to, row.fraction, row.amount) for row in rows]
        return first

    def _cards(self, instrument: Instrument, day: TradingDay, *, notes: bool) -> tuple[int, int, int, int]:
        """Return the numbers of the card that is booked, and of those that a note bills."""
        own = charge_segment(instrument, self.product)
        booked = self.flat or segment_card(self.rules, instrument, own, day)
        if not notes:
            return (self._number(booked),) * 4
        if instrument.kind is Kind.FUTURE:
            return (self._number(booked), *(self._number(segment_card(self.rules, instrument, own, day)),) * 3)
        billed = (own, ChargeSegment.EQUITY_INTRADAY, ChargeSegment.EQUITY_DELIVERY)
        first, second, third = (self._number(segment_card(self.rules, instrument, s, day)) for s in billed)
        return self._number(booked), first, second, third

    def _number(self, card: RateCard) -> int:
        return self.numbers.setdefault(card, len(self.numbers))


def _day_or_beyond(ask: Callable[[TradingDay], TradingDay], day: TradingDay) -> int:
    """Return a later day, or a mark where the calendar ends before it; the run stops there only if it needs it."""
    try:
        return int(ask(day))
    except OutsideTable:
        return BEYOND_CALENDAR


def bars_of(columns: Sequence[BarColumns], timeline: Timeline, ids: Sequence[InstrumentId]) -> Bars:
    """Return the columns of the instruments, in place."""
    names = ("open", "high", "low", "close", "volume", "ts_open_ns", "ts_close_ns")
    series = [timeline.series[each, columns[0].interval] for each in ids]
    mapped = series[0].rows is not None
    rows = np.stack([one.rows for one in series if one.rows is not None]) if mapped else np.zeros((0, 0), np.int64)
    held = tuple(Columns(*(in_place(getattr(each, name)) for name in names)) for each in columns)
    addresses = np.array([[column.ctypes.data for column in each] for each in held], np.int64)
    return Bars(held, addresses, in_place(timeline.close_ns), in_place(timeline.open_ns), rows)


def dailies_of(series: Sequence[Series]) -> dict[str, Records]:
    """Return where the days of each instrument end, and its basis; see `records.DAILY`. The series keep the latter."""
    ends = [day_ends(np.asarray(one.columns.ts_close_ns)) for one in series]
    dailies = np.zeros(len(series), DAILY)
    dailies["count"] = [len(rows) for rows in ends]
    dailies["first"] = np.cumsum(dailies["count"]) - dailies["count"]
    dailies["basis_at"] = [0 if one.basis is None else one.basis.ctypes.data for one in series]
    return {"dailies": dailies, "day_ends": np.concatenate(ends)}


def in_place(column: memoryview) -> Ints:
    """Return a column that cannot be written to; always of one type, for which code is compiled once."""
    made = np.ascontiguousarray(np.asarray(column).view(), np.int64)
    made.setflags(write=False)
    return made
