"""The phases of a trading day by segment and date, and what follows: closes of bars, expected bars, square-off.

Clock times become UTC moments here; nothing above knows the Indian clock.
"""

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

import msgspec

from manjha.domain.bars import DAY
from manjha.domain.errors import DataError
from manjha.domain.instrument import Asset, Exchange, Instrument
from manjha.domain.moments import (
    SECOND_NS,
    TradingDay,
    TsNs,
    at,
    date_from_day,
    format_day,
    format_ts,
)
from manjha.market.calendar import is_trading_day, mcx_hours, special_session
from manjha.market.charges import commodity
from manjha.market.rows import SessionRow, SquareOffRow
from manjha.market.rules import MarketRules, in_force, keyed

_CROSS_PAIRS = ("EURUSD", "GBPUSD", "USDJPY")
_MCX_EVENING = 17 * 3600 * SECOND_NS


class PhaseKind(StrEnum):
    """What can be done in a phase."""

    PREOPEN = "preopen"
    CONTINUOUS = "continuous"
    BLOCKED = "blocked"
    AUCTION = "auction"
    POSTCLOSE = "postclose"


class SessionKind(StrEnum):
    """Why a day's hours are what they are."""

    NORMAL = "normal"
    MUHURAT = "muhurat"
    SPECIAL = "special"


class SessionPhase(msgspec.Struct, frozen=True, gc=False):
    """One phase, the half-open time [start_ns, end_ns)."""

    kind: PhaseKind
    start_ns: TsNs
    end_ns: TsNs
    what: str = ""


class Session(msgspec.Struct, frozen=True):
    """One trading day of one segment.

    `windows` are the [start, end) of continuous trading, in order: usually one, more on a day of drills or an outage.
    `open_ns` is the start of the first, `close_ns` the end of the last. `day_close_ns` is when the day's closing price
    exists: the end of the closing auction where there is one, else `close_ns`. `auction_band` in 1e-9 (0: none).
    """

    day: TradingDay
    segment: str
    kind: SessionKind
    open_ns: TsNs
    close_ns: TsNs
    day_close_ns: TsNs
    windows: tuple[tuple[TsNs, TsNs], ...]
    phases: tuple[SessionPhase, ...]
    auction_band: int = 0


def session_segment(rules: MarketRules, instrument: Instrument) -> str:
    """Return the name of the segment in the session table.

    An index follows its constituents, which all have derivatives. Raises `OutsideTable` for an unknown commodity.
    """
    if instrument.exchange in (Exchange.CDS, Exchange.BCD):
        return "currency_cross" if instrument.underlying in _CROSS_PAIRS else "currency"
    if instrument.exchange is Exchange.MCX:
        return f"mcx_{commodity(rules, instrument.underlying).kind}"
    if instrument.is_derivative:
        return "equity_derivatives"
    has_auction = instrument.has_derivatives or not instrument.is_tradable
    return "equity_cash_with_derivatives" if has_auction else "equity_cash_no_derivatives"


def session(rules: MarketRules, instrument: Instrument, day: TradingDay) -> Session:
    """Return an instrument's session of a day.

    Raises
    ------
    DataError
        The exchange is closed for this segment on this day.
    OutsideTable
        The day lies outside the calendar or the session table.
    """
    expires = instrument.expiry == day
    on_index = instrument.asset is Asset.INDEX
    return segment_session(rules, session_segment(rules, instrument), instrument.exchange, day, (expires, on_index))


# A universe of 500 shares asks for the same few sessions 500 times a day: 1 µs instead of 10 µs each.
@lru_cache(maxsize=1024)
def segment_session(
    rules: MarketRules, segment: str, exchange: Exchange, day: TradingDay, expiry: tuple[bool, bool] = (False, False)
) -> Session:
    """Return a segment's session; `expiry` says whether the contract expires this day and whether it is on an index.

    Raises as `session` does.
    """
    if not is_trading_day(rules, day, exchange):
        raise DataError(f"{exchange} is closed on {format_day(day)}", hint="Choose a trading day.")
    row = _row(rules, segment, day)
    special = special_session(rules, day, exchange)
    if special is not None and special.kind != "normal":
        kind = SessionKind.MUHURAT if special.kind == "muhurat" else SessionKind.SPECIAL
        phases = [(PhaseKind.CONTINUOUS, start, end, special.what) for start, end in special.windows]
        return _session(row, day, kind, phases)
    expires, on_index = expiry
    stop = row.expiring_close if expires and (on_index or not row.expiring_index_only) else 0
    phases = list(_usual_phases(row, day, stop))
    kind = SessionKind.NORMAL
    if exchange is Exchange.MCX and mcx_hours(rules, day) == "evening":
        kind = SessionKind.SPECIAL
        phases = [(p, max(start, _MCX_EVENING), end, what) for p, start, end, what in phases if end > _MCX_EVENING]
        if not phases:
            raise DataError(f"{segment} is closed on {format_day(day)}: only the evening session is held")
    return _session(row, day, kind, phases)


def square_off_ns(rules: MarketRules, instrument: Instrument, day: TradingDay) -> TsNs:
    """Return when the broker squares off intraday positions ("at or after").

    A day whose close is not the usual one keeps the usual distance before its close; a Muhurat hour has its own row.
    Raises as `session` does.
    """
    held = session(rules, instrument, day)
    if held.kind is SessionKind.MUHURAT:
        return TsNs(held.close_ns - in_force(_square_off_rows(rules, "muhurat"), day, "square_off").before_close)
    row = in_force(_square_off_rows(rules, held.segment), day, "square_off", held.segment)
    usual = _usual_close(_row(rules, held.segment, day), day)
    before = usual - row.clock if row.clock else row.before_close
    if held.kind is SessionKind.NORMAL and row.clock and at(day, row.clock) < held.close_ns:
        return at(day, row.clock)
    return TsNs(held.close_ns - before)


def bar_close(held: Session, open_ns: int, interval: int) -> TsNs:
    """Return when a bar that opens at `open_ns` ends: after its interval, or when its window closes if that is earlier.

    A daily bar ends when the day's closing price exists. Raises `DataError` for a bar wholly outside trading hours.
    """
    close_ns = bar_closes(held, (open_ns,), interval)[0]
    if not close_ns:
        raise DataError(f"a bar at {format_ts(open_ns)} is outside the trading hours of {held.segment}")
    return TsNs(close_ns)


def bar_closes(held: Session, opens_ns: Iterable[int], interval: int) -> list[int]:
    """Return the close of each bar as `bar_close` does, 0 for a bar wholly outside trading hours."""
    if interval == DAY:
        return [held.day_close_ns for _ in opens_ns]
    length = interval * SECOND_NS
    if len(held.windows) == 1:
        start, stop = held.windows[0]
        return [min(ts + length, stop) if start - length < ts < stop else 0 for ts in opens_ns]
    return [_close_in(held.windows, ts, ts + length) for ts in opens_ns]


def expected_opens(rules: MarketRules, instrument: Instrument, interval: int, day: TradingDay) -> tuple[TsNs, ...]:
    """Return the opens of all bars that a full day has, oldest first.

    Bars are cut from the session's open on, also across a break: of those only the ones that touch continuous trading.
    A daily bar opens with the session. Raises as `session` does.
    """
    held = session(rules, instrument, day)
    if interval == DAY:
        return (held.open_ns,)
    grid = range(held.open_ns, held.close_ns, interval * SECOND_NS)
    return tuple(TsNs(ts) for ts, close in zip(grid, bar_closes(held, grid, interval), strict=True) if close)


def us_daylight_saving(day: int) -> bool:
    """Tell whether the United States are on daylight saving: second Sunday of March to first Sunday of November."""
    value = date_from_day(day)
    start, end = value.replace(month=3, day=14), value.replace(month=11, day=7)
    second_sunday = start.replace(day=14 - (start.weekday() + 1) % 7)
    first_sunday = end.replace(day=7 - (end.weekday() + 1) % 7)
    return second_sunday <= value < first_sunday


_Phase = tuple[PhaseKind, int, int, str]


def _row(rules: MarketRules, segment: str, day: int) -> SessionRow:
    rows = keyed((row for row in rules.session if row.segment == segment), "session", segment)
    return in_force(rows, day, "session", segment)


def _square_off_rows(rules: MarketRules, segment: str) -> tuple[SquareOffRow, ...]:
    return keyed((row for row in rules.square_off if row.segment == segment), "square_off", segment)


def _usual_phases(row: SessionRow, day: int, stop: int) -> Iterable[_Phase]:
    """Yield the phases of a usual day, with the winter close, cut at `stop` if that is not zero."""
    close = _usual_close(row, day)
    for phase in row.phases:
        kind = PhaseKind(phase.kind)
        end = close if kind is PhaseKind.CONTINUOUS else phase.end
        if stop and stop <= phase.start:
            continue
        yield kind, phase.start, min(end, stop) if stop else end, phase.what


def _usual_close(row: SessionRow, day: int) -> int:
    if row.winter_close and not us_daylight_saving(day):
        return row.winter_close
    return max(phase.end for phase in row.phases if phase.kind == PhaseKind.CONTINUOUS)


def _session(row: SessionRow, day: TradingDay, kind: SessionKind, phases: list[_Phase]) -> Session:
    windows = tuple((at(day, start), at(day, end)) for p, start, end, _ in phases if p is PhaseKind.CONTINUOUS)
    auctions = [at(day, end) for p, _, end, _ in phases if p is PhaseKind.AUCTION]
    return Session(
        day=day,
        segment=row.segment,
        kind=kind,
        open_ns=windows[0][0],
        close_ns=windows[-1][1],
        day_close_ns=max([windows[-1][1], *auctions]),
        windows=windows,
        phases=tuple(SessionPhase(p, at(day, start), at(day, end), what) for p, start, end, what in phases),
        auction_band=row.auction_band if kind is SessionKind.NORMAL else 0,
    )


def _close_in(windows: tuple[tuple[TsNs, TsNs], ...], open_ns: int, end_ns: int) -> int:
    for start, stop in reversed(windows):
        if start < end_ns and open_ns < stop:
            return min(end_ns, stop)
    return 0
