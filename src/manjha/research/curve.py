"""The equity curve, rebuilt exactly after a run from the steps that changed the account. Vectorised over bars."""

from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from manjha.domain.actions import CorporateAction
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.engine.state import STEP, EngineState
from manjha.portfolio.corporate import adjust
from manjha.research.result import Curve
from manjha.strategy.views import Series, Timeline

Int64s = NDArray[np.int64]


class Walked(NamedTuple):
    """What a curve is drawn over: the timeline, its main interval, the instruments in order, the capital."""

    timeline: Timeline
    interval: int
    instruments: Sequence[InstrumentId]
    initial: int


class Held(NamedTuple):
    """A position of the run: in what, and whether its whole value moved through cash."""

    instrument: InstrumentId
    paid: bool


def equity_curve(state: EngineState, actions: Sequence[CorporateAction] = ()) -> Curve:
    """Return the account at the close of every position of the timeline, in 1e-4 rupee, exact; see `curve_of`."""
    steps = np.frombuffer(state.record_steps, np.int64).reshape(-1, STEP).T
    positions = sorted(state.portfolio.positions.values(), key=attrgetter("number"))
    held = [Held(position.key.instrument, position.key in state.portfolio.paid) for position in positions]
    initial = int(state.portfolio.ledger.initial)
    walked = Walked(state.timeline, state.setup.interval, list(state.instruments), initial)
    return curve_of(walked, held, steps, actions)


def curve_of(
    walked: Walked, positions: Sequence[Held], steps: Int64s, actions: Sequence[CorporateAction] = ()
) -> Curve:
    """Return the account at the close of every position of the timeline, in 1e-4 rupee, exact.

    Equity is cash, plus the value of positions paid in full, plus the unrealised profit of margined ones, at the last
    closes. `benchmark` buys the first instrument with the whole capital at its first close, in whole units, free of
    charges, and holds it through its corporate actions. `steps` has shape (5, steps): timeline position, cash after it,
    number of the position that changed (-1: none), its quantity and open cost.
    """
    ts_ns = np.asarray(walked.timeline.close_ns)
    count = len(ts_ns)
    cash = _held(steps[0], steps[1], count, walked.initial)
    # In place and as few as can be: at a million bars each column is 8 MB.
    equity = cash.copy()
    net = gross = np.zeros(count if len(positions) != 1 else 0, np.int64)
    for index, position in enumerate(positions):
        where, _, _, qty, paid = steps[:, steps[2] == index]
        value = _held(where, qty, count, 0)
        value *= closes(walked.timeline.series[position.instrument, walked.interval], count)
        equity += value
        if not position.paid:
            equity -= _held(where, paid, count, 0)
        if len(positions) == 1:
            net, gross = value, value if int(value.min(initial=0)) >= 0 else np.abs(value)
        else:
            net += value
            gross = np.zeros(count, np.int64) if gross is net else gross
            gross += np.abs(value, out=value)
    return Curve(ts_ns, equity, cash, gross, net, _benchmark(walked, count, actions))


def closes(series: Series, count: int) -> Int64s:
    """Return the last close at every position of the timeline, 0 before the first."""
    close = np.asarray(series.columns.close)
    if series.rows is None:
        return close
    out = np.zeros(count, np.int64)
    seen = series.rows >= 0
    out[seen] = close[series.rows[seen]]
    return out


def _held(at: Int64s, values: Int64s, count: int, first: int) -> Int64s:
    """Spread values over positions: `values[i]` holds from position `at[i]` until the next, `first` before."""
    edges = np.concatenate(([0], np.minimum(at, count), [count]))
    return np.repeat(np.concatenate(([first], values)), np.diff(edges))


def _benchmark(walked: Walked, count: int, actions: Sequence[CorporateAction]) -> Int64s:
    first = walked.instruments[0]
    close = closes(walked.timeline.series[first, walked.interval], count)
    first_row = int(np.argmax(close > 0)) if len(close) else 0
    initial = walked.initial
    px = int(close[first_row]) if len(close) else 0
    if not px:
        return np.full(count, initial, np.int64)
    qty, cash = initial // px, initial % px
    # In place, as above; before the first bar nothing is held.
    worth = close * qty
    worth += cash
    worth[:first_row] = initial
    opens = np.asarray(walked.timeline.open_ns)
    for action in sorted((each for each in actions if each.instrument == first), key=lambda each: each.ex_day):
        since = int(np.searchsorted(opens, action.ex_day * DAY_NS - IST_OFFSET_NS))
        if first_row < since < count:
            held = adjust(action, qty, 0, int(close[since - 1]))
            qty, cash = held.qty, cash + held.cash
            worth[since:] = close[since:] * qty + cash
    return worth
