"""The equity curve, rebuilt exactly after a run from the steps that changed the account. Vectorised over bars."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from manjha.engine.state import BookStep, EngineState
from manjha.portfolio.positions import PositionKey
from manjha.research.result import Curve
from manjha.strategy.views import Series

if TYPE_CHECKING:
    from manjha.domain.instrument import InstrumentId

Int64s = NDArray[np.int64]


def equity_curve(state: EngineState) -> Curve:
    """Return the account at the close of every position of the timeline, in 1e-4 rupee, exact.

    Equity is cash, plus the value of positions paid in full, plus the unrealised profit of margined ones, at the last
    closes. `benchmark` buys the first instrument with the whole capital at its first close, in whole units, free of
    charges.
    """
    ts_ns = np.asarray(state.timeline.close_ns)
    count = len(ts_ns)
    steps = state.record_steps
    at = np.array([s[0] for s in steps], np.int64)
    cash = _held(at, [s[1] for s in steps], count, state.portfolio.ledger.initial)
    equity = cash.copy()
    gross = np.zeros(count, np.int64)
    net = np.zeros(count, np.int64)
    for position in state.portfolio.positions.values():
        key = position.key
        qty, cost = _position(key, steps, at, count)
        close = closes(state.timeline.series[key.instrument, state.setup.interval], count)
        value = qty * close
        equity += value if key in state.portfolio.paid else value - cost
        gross += np.abs(value)
        net += value
    return Curve(ts_ns, equity, cash, gross, net, _benchmark(state, count))


def closes(series: Series, count: int) -> Int64s:
    """Return the last close at every position of the timeline, 0 before the first."""
    close = np.asarray(series.columns.close)
    if series.rows is None:
        return close
    out = np.zeros(count, np.int64)
    seen = series.rows >= 0
    out[seen] = close[series.rows[seen]]
    return out


def _held(at: Int64s, values: Sequence[int], count: int, first: int) -> Int64s:
    """Spread values over positions: `values[i]` holds from position `at[i]` until the next, `first` before."""
    edges = np.concatenate(([0], np.minimum(at, count), [count]))
    return np.repeat(np.array([first, *values], np.int64), np.diff(edges))


def _position(key: PositionKey, steps: Sequence[BookStep], at: Int64s, count: int) -> tuple[Int64s, Int64s]:
    mine = [index for index, step in enumerate(steps) if step[2] == key]
    where = at[mine]
    qty = _held(where, [steps[index][3] for index in mine], count, 0)
    cost = _held(where, [steps[index][4] for index in mine], count, 0)
    return qty, cost


def _benchmark(state: EngineState, count: int) -> Int64s:
    first: InstrumentId = next(iter(state.instruments))
    close = closes(state.timeline.series[first, state.setup.interval], count)
    begun = np.flatnonzero(close)
    initial = int(state.portfolio.ledger.initial)
    if not len(begun):
        return np.full(count, initial, np.int64)
    px = int(close[begun[0]])
    qty = initial // px
    held = np.where(close > 0, close - px, 0)
    return initial + qty * held
