"""When the days of a run begin and end: by the exchange's calendar, or as the data shows them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from manjha.domain.bars import BarColumns
from manjha.domain.errors import DataError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TradingDay, TsNs, day_of, format_day
from manjha.market.calendar import next_trading_day, settlement_day, trading_days
from manjha.market.rules import MarketRules
from manjha.market.sessions import PhaseKind, session, square_off_ns
from manjha.risk.gate import DayRules

DATA_SQUARE_OFF_NS = 10 * 60_000_000_000
"""Before the last close of a day, where sessions are taken from the data: the cash market's ten minutes."""


class Sessions(Protocol):
    """The days of a run."""

    def days(self, start_ns: int, end_ns: int) -> Sequence[TradingDay]:
        """Return the trading days that have time between two moments."""
        ...

    def rules_of(self, instrument: Instrument, day: TradingDay) -> DayRules:
        """Return an instrument's session of a day."""
        ...

    def next_day(self, day: TradingDay) -> TradingDay:
        """Return the trading day after a day."""
        ...

    def settles(self, day: TradingDay) -> TradingDay:
        """Return when shares bought on a day are in the account."""
        ...


class CalendarSessions:
    """Days by the dated calendar of `market`. Square-off acts `lead_ns` before the broker's time."""

    def __init__(self, rules: MarketRules, lead_ns: int) -> None:
        self._rules = rules
        self._lead_ns = lead_ns

    def days(self, start_ns: int, end_ns: int) -> Sequence[TradingDay]:
        """Return the calendar's trading days. Raises `OutsideTable` beyond its span."""
        return tuple(trading_days(self._rules, day_of(start_ns), day_of(end_ns)))

    def rules_of(self, instrument: Instrument, day: TradingDay) -> DayRules:
        """Return the session by instrument and date."""
        held = session(self._rules, instrument, day)
        off = square_off_ns(self._rules, instrument, day) - self._lead_ns
        if held.day_close_ns == held.close_ns:
            return DayRules(held.open_ns, held.close_ns, off)
        starts_ns = min(phase.start_ns for phase in held.phases if phase.kind is PhaseKind.AUCTION)
        return DayRules(held.open_ns, held.close_ns, off, starts_ns, held.day_close_ns)

    def next_day(self, day: TradingDay) -> TradingDay:
        """Return the calendar's next trading day."""
        return next_trading_day(self._rules, day)

    def settles(self, day: TradingDay) -> TradingDay:
        """Return T+2 or T+1 by date, settlement holidays honoured."""
        return settlement_day(self._rules, day)


class DataSessions:
    """Days as the bars show them, for data of no exchange (a benchmark, another calendar). The report says so.

    A day opens with its first bar of any instrument and closes with its last; shares settle on the next day.
    """

    def __init__(self, bars: Sequence[BarColumns]) -> None:
        if not any(len(columns) for columns in bars):
            raise DataError("expected bars to take the sessions from, found none")
        hours: dict[TradingDay, tuple[int, int]] = {}
        # Most instruments of a run have the same hours on the same days, which count once.
        for distinct in dict.fromkeys(_hours(columns) for columns in bars):
            for day, opened, closed in zip(*(np.frombuffer(part, np.int64).tolist() for part in distinct), strict=True):
                known = hours.get(day)
                hours[day] = (opened, closed) if known is None else (min(known[0], opened), max(known[1], closed))
        self._days = sorted(hours)
        self._at = {day: index for index, day in enumerate(self._days)}
        self._hours = {
            day: DayRules(opened, closed, closed - DATA_SQUARE_OFF_NS) for day, (opened, closed) in hours.items()
        }

    def days(self, start_ns: int, end_ns: int) -> Sequence[TradingDay]:
        """Return the days that have bars."""
        first, last = day_of(start_ns), day_of(end_ns)
        return tuple(day for day in self._days if first <= day <= last)

    def rules_of(self, instrument: Instrument, day: TradingDay) -> DayRules:
        """Return the day's hours, the same for every instrument. Raises `DataError` for a day without bars."""
        del instrument
        found = self._hours.get(day)
        if found is None:
            raise DataError(f"no bar on {format_day(day)}, so its session is not known")
        return found

    def next_day(self, day: TradingDay) -> TradingDay:
        """Return the next day that has bars; the calendar day after the last one."""
        index = self._at.get(day, len(self._days)) + 1
        return self._days[index] if index < len(self._days) else TradingDay(day + 1)

    def settles(self, day: TradingDay) -> TradingDay:
        """Return the next day that has bars."""
        return self.next_day(day)


def _hours(columns: BarColumns) -> tuple[bytes, bytes, bytes]:
    """Return the days that have bars, when the first bar of each opens and when its last one closes, as int64."""
    opens, closes = np.asarray(columns.ts_open_ns), np.asarray(columns.ts_close_ns)
    if not len(opens):
        return b"", b"", b""
    # By search, as there are a thousand bars to a day and copies of whole columns cost more than the search.
    days = np.arange(day_of(int(opens[0])), day_of(int(opens[-1])) + 1)
    edges = np.searchsorted(opens, np.append(days, days[-1] + 1) * DAY_NS - IST_OFFSET_NS)
    held = np.flatnonzero(np.diff(edges))
    return days[held].tobytes(), opens[edges[held]].tobytes(), closes[edges[held + 1] - 1].tobytes()


def day_rules(sessions: Sessions, instruments: Sequence[Instrument], day: TradingDay) -> dict[InstrumentId, DayRules]:
    """Return the sessions of all instruments that trade on a day: no index, no expired contract."""
    return {
        instrument.id: sessions.rules_of(instrument, day)
        for instrument in instruments
        if instrument.is_tradable and (instrument.expiry is None or instrument.expiry >= day)
    }


def alike(instruments: Sequence[Instrument]) -> list[tuple[Instrument, list[int]]]:
    """Return one instrument for each kind of session, and the numbers of all that have its sessions on every day."""
    groups: dict[tuple[object, ...], tuple[Instrument, list[int]]] = {}
    for number, one in enumerate(instruments):
        key = (one.exchange, one.kind, one.asset, one.underlying, one.expiry, one.has_derivatives)
        groups.setdefault(key, (one, []))[1].append(number)
    return list(groups.values())


def span(today: Mapping[InstrumentId, DayRules]) -> tuple[TsNs, TsNs]:
    """Return when the first instrument opens and the last one closes, its closing auction included."""
    every = today.values()
    return (
        TsNs(min([rules.open_ns for rules in every])),
        TsNs(max([rules.auction_end_ns or rules.close_ns for rules in every])),
    )
