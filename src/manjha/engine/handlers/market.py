"""Bars have closed: trailing stops move, the strategy decides."""

from manjha.domain.commands import Output
from manjha.domain.events import MarketAdvanced
from manjha.domain.moments import TsNs
from manjha.engine.exits import move_trailing_stops
from manjha.engine.requests import carry_out
from manjha.engine.state import EngineState


def advanced(state: EngineState, event: MarketAdvanced, out: list[Output]) -> None:
    """Let the strategy see bar after bar until it asks for something or the run of bars ends."""
    if state.trailing:
        _one_bar(state, event.first, out)
    elif state.wakeups is not None:
        _to_wakeup(state, event)
    else:
        _each_bar(state, event)
    if state.ctx.requests:
        carry_out(state, TsNs(state.timeline.close_ns[state.reached - 1]), out)


def _each_bar(state: EngineState, event: MarketAdvanced) -> None:
    """Call `on_bar` for every bar from the end of the warm-up. The hot loop of a backtest."""
    ctx, cursor, last = state.ctx, state.cursor, event.last
    requests = ctx.requests
    on_bar = state.strategy.on_bar
    at = max(event.first, ctx.warmup)
    if not state.gate.trading_on:
        at = last
    for cursor[0] in range(at, last):
        on_bar(ctx)
        if requests:
            state.reached = cursor[0] + 1
            return
    cursor[0] = last - 1
    state.reached = last


def _one_bar(state: EngineState, at: int, out: list[Output]) -> None:
    """Process a single bar: with a trailing stop in force no bar is quiet."""
    state.cursor[0] = at
    state.reached = at + 1
    move_trailing_stops(state, out)
    if state.wakeups is not None:
        _to_wakeup(state, MarketAdvanced(at, at + 1))
    elif at >= state.ctx.warmup and state.gate.trading_on:
        state.strategy.on_bar(state.ctx)


def _to_wakeup(state: EngineState, event: MarketAdvanced) -> None:
    """Go to the next bar at which a strategy has stated something, at most to the end of the run of bars."""
    wakeups, count = state.wakeups or (), len(state.wakeups or ())
    while state.wakeup_at < count and wakeups[state.wakeup_at] < event.first:
        state.wakeup_at += 1
    if state.wakeup_at == count or wakeups[state.wakeup_at] >= event.last:
        state.cursor[0] = event.last - 1
        state.reached = event.last
        return
    at = wakeups[state.wakeup_at]
    state.wakeup_at += 1
    state.cursor[0] = at
    state.reached = at + 1
    if state.wanted is None or not state.gate.trading_on:
        return
    state.ctx.requests.extend(state.wanted(at))
