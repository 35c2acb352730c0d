"""What a live trader must fetch: the time since the last bar that it has seen, and every time without ticks later."""

from collections.abc import Callable, Sequence

import msgspec

from manjha.app.trading.backfill import NO_BACKFILL, Backfill, NoBackfill
from manjha.app.trading.live_history import history_until
from manjha.app.trading.session import Session
from manjha.domain.bars import MINUTE
from manjha.domain.commands import CallPerson
from manjha.domain.instrument import Instrument
from manjha.domain.moments import TradingDay, TsNs, at, day_of
from manjha.engine.late_bars import LateBars, Patience
from manjha.market.calendar import is_trading_day
from manjha.market.rules import MarketRules
from manjha.market.sessions import session as session_of
from manjha.ports.candles import CandleSource
from manjha.research.backtest import BacktestSpec

DAYS_MAX = 7
"""How many days back is fetched where a run is taken up."""


def lived_from(rules: MarketRules, instruments: Sequence[Instrument], intervals: Sequence[int], now_ns: TsNs) -> TsNs:
    """Return the moment from which a new run has bars of its own: where the day opened, as what it missed is fetched.

    Where candles of minutes cannot make its bars, as `history_until`.
    """
    if not _can_be_made(intervals):
        return history_until(rules, instruments, intervals, now_ns)
    return min([now_ns, *_opens(rules, instruments, now_ns)])


def backfill_of(
    session: Session,
    spec: BacktestSpec,
    candles: CandleSource,
    call: Callable[[CallPerson], None],
    say: Callable[[str], None],
) -> Backfill | NoBackfill:
    """Return what fetches the bars of a run that begins or is taken up now: everything since its last bar is missing.

    Nothing of the days before the last corporate action is fetched: candles are adjusted for it, bars are not.
    """
    pump, state = session.pump, session.trader.state
    if not _can_be_made([one.interval for one in (*spec.bars, *spec.further)]):
        say("bars of less than a minute cannot be made of candles: those of a time without ticks are missing")
        return NO_BACKFILL
    usual, most = Patience(), state.controls.limits.price_age_max_ns if state.controls is not None else 0
    # Older than that an entry would be vetoed on its way out.
    patience = msgspec.structs.replace(usual, fresh=min(usual.fresh, most or usual.fresh))
    late = LateBars(state, session.bars, candles.source, patience)
    late.lost(_missed_since(session, spec))
    return Backfill(late, pump, candles, call)


def _missed_since(session: Session, spec: BacktestSpec) -> TsNs:
    """Return since when a run has seen nothing: since the open where it is new, else since its last bar."""
    now_ns, close_ns = session.pump.now_ns, session.trader.state.timeline.close_ns
    today = day_of(now_ns)
    first_day = max((one.ex_day for one in spec.actions if one.ex_day <= today), default=TradingDay(0))
    if session.is_new or not len(close_ns):
        first_day = today
    earliest = max(at(max(first_day, today - DAYS_MAX), 0), close_ns[len(close_ns) - 1] if len(close_ns) else 0)
    return min(TsNs(earliest), now_ns)


def _opens(rules: MarketRules, instruments: Sequence[Instrument], now_ns: TsNs) -> list[TsNs]:
    """Return when those instruments opened that trade on the day, where that is over."""
    day = day_of(now_ns)
    trading = [one for one in instruments if is_trading_day(rules, day, one.exchange)]
    opens = [TsNs(session_of(rules, one, day).windows[0][0]) for one in trading]
    return [opened for opened in opens if opened <= now_ns]


def _can_be_made(intervals: Sequence[int]) -> bool:
    return all(interval % MINUTE == 0 for interval in intervals)
