"""The day begins and ends, timers come due, trading is switched on and off."""

from manjha.domain.bars import DAY
from manjha.domain.commands import Output, SetTimer
from manjha.domain.events import SessionClosed, SessionOpened, TimerFired, TradingSwitched
from manjha.domain.moments import TsNs
from manjha.domain.orders import MANUAL, OrderId, Product, Purpose, StrategyId
from manjha.engine import legs
from manjha.engine.carried import put_back
from manjha.engine.desk import BROKER_TIMER
from manjha.engine.exits import EXIT_TIMER, exit_by_time, rearm
from manjha.engine.flatten import flatten
from manjha.engine.handlers import broker
from manjha.engine.isolation import let_decide
from manjha.engine.requests import RATE_TIMER, SQUARE_OFF_TIMER
from manjha.engine.state import EngineState
from manjha.engine.universe import choose_universe
from manjha.portfolio.positions import PositionKey


def opened(state: EngineState, event: SessionOpened, out: list[Output]) -> None:
    """Begin a day: its sessions, rates and universe, what settles, square-off, missed exits, protection put back."""
    today = state.rules_of(event.day)
    state.gate.overnight_intraday = state.setup.interval == DAY
    state.portfolio.ledger.open_day(event.day)
    for holding in state.portfolio.holdings.values():
        holding.open_day(event.day)
    state.open_day(event.day, today)
    if state.controls is not None:
        from manjha.engine.controlling import begin_day

        begin_day(state, state.controls, event, out)
    if state.picks_universe:
        choose_universe(state, event.day, today)
    if state.desk is not None:
        broker.new_day(state, event.day, event.ts_ns, out)
    if state.carried_orders:
        put_back(state, out)
    if state.squares_off:
        out.extend(
            SetTimer(SQUARE_OFF_TIMER, TsNs(ts_ns))
            for ts_ns in sorted({rules.square_off_ns for rules in today.values()})
        )
        _square_off_carried(state, event.ts_ns, out)
    if state.sagas:
        legs.open_day(state, event.ts_ns, out)
    if state.protections:
        rearm(state, event.ts_ns, out)
    if state.calls_on_session and state.gate.trading_on and event.day >= state.held_until:
        let_decide(state, event.ts_ns, out, state.strategy.on_session, event.day)


def _square_off_carried(state: EngineState, now_ns: TsNs, out: list[Output]) -> None:
    """Close at the open the intraday positions that yesterday's square-off could not: no bar, a locked circuit."""
    for position in list(state.portfolio.open_positions()):
        if position.key.product is Product.MIS:
            state.carried_intraday += 1
            flatten(state, position.key, Purpose.SQUARE_OFF, now_ns, out)


def closed(state: EngineState, event: SessionClosed, out: list[Output]) -> None:
    """End a day: what was bought becomes T1, the day's sums are forgotten."""
    del out
    state.ended_day = event.day
    if state.desk is not None:
        state.desk.closed_ns = event.ts_ns
    if any(holding.today for holding in state.portfolio.holdings.values()):
        settles = state.sessions.settles(event.day)
        for holding in state.portfolio.holdings.values():
            holding.close_day(settles)
    state.portfolio.ledger.close_day()


def timer_fired(state: EngineState, event: TimerFired, out: list[Output]) -> None:
    """Square off, exit by time, or hand the timer to the strategy that set it."""
    if event.key == SQUARE_OFF_TIMER:
        if state.sagas:
            legs.square_off(state, event.ts_ns, out)
        for instrument, rules in state.gate.today.items():
            if rules.square_off_ns <= event.ts_ns:
                for strategy in _strategies(state):
                    key = PositionKey(strategy, instrument, Product.MIS)
                    flatten(state, key, Purpose.SQUARE_OFF, event.ts_ns, out)
    elif event.key.startswith(BROKER_TIMER):
        broker.timer_fired(state, event.key, event.ts_ns, out)
    elif event.key.startswith(legs.LEGS_TIMER):
        legs.timer_fired(state, event.key, event.ts_ns, out)
    elif event.key.startswith(EXIT_TIMER):
        exit_by_time(state, OrderId(event.key.removeprefix(EXIT_TIMER)), event.ts_ns, out)
    elif event.key != RATE_TIMER:  # at that one `controlling` looks at what waits
        let_decide(state, event.ts_ns, out, state.strategy.on_timer, event.key)


def _strategies(state: EngineState) -> list[StrategyId]:
    """Return who may hold something: the run's strategy, and once anybody else has ordered they and all others."""
    if not state.has_manual:
        return [state.origin.strategy]
    held = {one.key.strategy for one in state.portfolio.open_positions()}
    held |= {record.order.origin.strategy for one in state.instruments for record in state.book.open_orders(one)}
    return [state.origin.strategy, MANUAL, *sorted(held - {state.origin.strategy, MANUAL})]


def switched(state: EngineState, event: TradingSwitched, out: list[Output]) -> None:
    """Switch entries on or off."""
    del out
    state.gate.trading_on = event.on
