"""A run whose timeline grows: the state before its first bar, and strategies of columns asked at each bar."""

from collections.abc import Callable, Sequence

import numpy as np

from manjha.domain.errors import UsageError
from manjha.domain.orders import Origin
from manjha.engine.closing import GrowingBars, hours_of
from manjha.engine.state import EngineState
from manjha.research.backtest import BacktestSpec, engine_over
from manjha.research.targets import (
    ColumnHistory,
    entries_asked,
    stated_entries,
    stated_targets,
    targets_asked,
)
from manjha.strategy.asked import Request
from manjha.strategy.growing import GrowingTimeline
from manjha.strategy.interface import is_entry_strategy, is_target_strategy, require_instruments
from manjha.strategy.numba_start import defer_blas


def prepare_growing(spec: BacktestSpec, origin: Origin) -> tuple[EngineState, GrowingBars]:
    """Return the state after the history, and what makes bars of ticks and lets the timeline grow by them.

    `spec.bars` and `spec.further` are the history, one of each series, which may be empty: indicators see it, nothing
    is decided on it. Actions are those known, past and coming.

    Raises
    ------
    UsageError
        Too few or too many instruments; a strategy that reads whole columns or asks for orders in `init`; sessions
        taken from the data, which has not come yet.
    """
    if spec.sessions_from_data:
        raise UsageError(
            "a run whose bars are yet to come takes its sessions from the exchange's calendar, not from the data",
            hint="Leave out sessions_from_data.",
        )
    defer_blas()
    require_instruments(spec.strategy, len(spec.instruments))
    timeline = GrowingTimeline(spec.bars, spec.further, spec.actions, spec.strategy.name)
    state = engine_over(spec, timeline, origin)
    timeline.begin()
    state.reached = len(timeline)
    ask = asking(state, timeline)
    return state, GrowingBars(state, timeline, hours_of(spec.rules, spec.instruments), ask)


def asking(state: EngineState, timeline: GrowingTimeline) -> Callable[[int], None] | None:
    """Return what asks a strategy of targets or entries at each new position; None for one that acts in `on_bar`.

    It is asked on the bars so far and the last row counts, as the same integers that a whole run would have there.
    """
    strategy = state.strategy
    if is_target_strategy(strategy):
        state_it, asked = stated_targets, targets_asked(state)
    elif is_entry_strategy(strategy):
        state_it, asked = stated_entries, entries_asked(state)
    else:
        return None
    state.ctx.warmup = max(state.ctx.warmup, strategy.history_needed() - 1)
    wakeups: list[int] = []
    rows: dict[int, list[int]] = {}
    failed: dict[int, Exception] = {}

    def wanted(position: int) -> Sequence[Request]:
        if position in failed:
            raise failed.pop(position)
        return asked(rows[position])

    state.wakeups, state.wanted = wakeups, wanted

    def ask(at: int) -> None:
        if not state.gate.trading_on:
            return
        history = ColumnHistory(timeline.so_far(), state.setup.instruments, state.setup.interval)
        try:
            stated = state_it(strategy, history)
        except Exception as error:
            if state.desk is None:
                raise
            # It is raised where the engine asks, which sets the strategy aside.
            failed[at] = error
            wakeups.append(at)
            return
        last = int(np.searchsorted(stated.wakeups, at))
        if last < len(stated.wakeups):
            wakeups.append(at)
            rows.clear()
            rows[at] = stated.wanted[last].tolist()

    return ask
