"""Bars have closed: trailing stops move, the strategy decides. On bars that came late neither happens."""

from manjha.domain.commands import Output
from manjha.domain.events import BarsFilled, MarketAdvanced
from manjha.domain.moments import TsNs
from manjha.engine.exits import move_trailing_stops
from manjha.engine.isolation import isolate
from manjha.engine.legs import judge
from manjha.engine.requests import carry_out
from manjha.engine.state import EngineState


def advanced(state: EngineState, event: MarketAdvanced, out: list[Output]) -> None:
    """Let the strategy see bar after bar until it asks for something or the run of bars ends."""
    if state.trailing or state.sagas or state.every_close:
        _one_bar(state, event.first, out)
    elif state.wakeups is not None:
        _to_wakeup(state, event, out)
    else:
        _each_bar(state, event, out)
    if state.ctx.requests:
        carry_out(state, TsNs(state.timeline.close_ns[state.reached - 1]), out)
    if state.desk is not None:
        from manjha.engine.skipped import look_for_skipped

        look_for_skipped(state, state.desk, TsNs(state.timeline.close_ns[state.reached - 1]), out)


def filled(state: EngineState, event: BarsFilled, out: list[Output]) -> None:
    """Go past bars that came late: they are there for indicators, and what they would have asked for is of the past."""
    del out
    state.cursor.at = event.last - 1
    state.reached = event.last


def _each_bar(state: EngineState, event: MarketAdvanced, out: list[Output]) -> None:
    """Call `on_bar` for every bar from the end of the warm-up. The hot loop of a backtest."""
    ctx, cursor, last = state.ctx, state.cursor, event.last
    on_bar, requests = state.strategy.on_bar, ctx.requests
    first = max(event.first, ctx.warmup) if state.gate.trading_on else last
    try:
        for _ in cursor.walk(first, last, requests):
            on_bar(ctx)
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything
        state.reached = cursor.at + 1
        isolate(state, error, state.timeline.close_ns[cursor.at], out)
        return
    if not requests:
        cursor.at = last - 1
    state.reached = cursor.at + 1


def _one_bar(state: EngineState, at: int, out: list[Output]) -> None:
    """Process a single bar: with a trailing stop or a group of legs in force no bar is quiet."""
    state.cursor.at = at
    state.reached = at + 1
    if state.controls is not None and state.every_close:
        from manjha.engine.controlling import look_at_close

        look_at_close(state, state.controls, out)
    move_trailing_stops(state, out)
    if state.sagas:
        judge(state, TsNs(state.timeline.close_ns[at]), out)
    if state.wakeups is not None:
        _to_wakeup(state, MarketAdvanced(at, at + 1), out)
    elif at >= state.ctx.warmup and state.gate.trading_on:
        try:
            state.strategy.on_bar(state.ctx)
        except Exception as error:  # noqa: BLE001 - a user's code may raise anything
            isolate(state, error, state.timeline.close_ns[at], out)


def _to_wakeup(state: EngineState, event: MarketAdvanced, out: list[Output]) -> None:
    """Go to the next bar at which a strategy has stated something, at most to the end of the run of bars."""
    wakeups, count = state.wakeups or (), len(state.wakeups or ())
    while state.wakeup_at < count and wakeups[state.wakeup_at] < event.first:
        state.wakeup_at += 1
    if state.wakeup_at == count or wakeups[state.wakeup_at] >= event.last:
        state.cursor.at = event.last - 1
        state.reached = event.last
        return
    at = wakeups[state.wakeup_at]
    state.wakeup_at += 1
    state.cursor.at = at
    state.reached = at + 1
    if state.wanted is None or not state.gate.trading_on:
        return
    try:
        state.ctx.requests.extend(state.wanted(at))
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything
        isolate(state, error, state.timeline.close_ns[at], out)
