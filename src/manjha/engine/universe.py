"""The strategy's universe of a day: which of the listed instruments it may open positions in, point in time."""

from collections.abc import Mapping, Sequence

from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TradingDay, day_of, format_day
from manjha.engine.sessions import day_rules
from manjha.engine.state import EngineState
from manjha.risk.gate import DayRules
from manjha.strategy.interface import Strategy


def choose_first_universe(state: EngineState) -> None:
    """Ask for the universe of the run's first day, so that one stands before the first bar."""
    timeline = state.timeline
    days = state.sessions.days(timeline.open_ns[0], timeline.close_ns[len(timeline) - 1])
    if days:
        choose_universe(state, days[0], day_rules(state.sessions, tuple(state.instruments.values()), days[0]))


def choose_universe(state: EngineState, day: TradingDay, today: Mapping[InstrumentId, DayRules]) -> None:
    """Ask the strategy, once a day, which instruments it may open positions in; what is held may always be closed.

    Listed are the tradable instruments that have not expired and whose data have begun: nothing of a later day is told.
    Raises `UsageError` for an instrument that is not listed.
    """
    if day == state.universe_day:
        return
    state.universe_day = day
    listed = [state.instruments[instrument] for instrument in today if _first_day(state, instrument) <= day]
    ids = chosen_of(state.strategy, day, listed)
    state.gate.admit(ids)
    state.ctx.universe = {name: market for name, market in state.ctx.markets.items() if name in ids}


def chosen_of(strategy: Strategy, day: TradingDay, listed: Sequence[Instrument]) -> frozenset[InstrumentId]:
    """Ask the strategy for its universe of a day. Raises `UsageError` for an instrument that is not listed."""
    chosen = tuple(strategy.universe(day, tuple(listed)))
    known = {instrument.id for instrument in listed}
    for instrument in chosen:
        # A strategy of a user may return anything.
        if getattr(instrument, "id", None) not in known:
            name = getattr(instrument, "display", repr(instrument))
            raise UsageError(
                f"{strategy.name}.universe gave {name} for {format_day(day)}, which is not among the instruments "
                "listed that day",
                hint="Return some of the instruments that it was given.",
            )
    return frozenset(instrument.id for instrument in chosen)


def _first_day(state: EngineState, instrument: InstrumentId) -> TradingDay:
    columns = state.timeline.series[instrument, state.setup.interval].columns
    # What has no bar yet may have its first one today.
    return day_of(columns.ts_open_ns[0]) if len(columns) else TradingDay(0)
