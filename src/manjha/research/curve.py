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
    count, single = len(ts_ns), len(positions) == 1
    # One block and in place: at a million bars a column is 8 MB, and memory new from the system is what costs.
    cash, equity, benchmark, value, *more = np.empty((4 if single else 6, count), np.int64)
    _spread(cash, steps[0], steps[1], walked.initial)
    equity[:] = cash
    net, gross = more or (value, value)
    if more:
        net[:] = gross[:] = 0
    for index, position in enumerate(positions):
        where, _, _, qty, paid = steps[:, steps[2] == index]
        if not position.paid:
            _spread(value, where, paid, 0)
            equity -= value
        _spread(value, where, qty, 0)
        value *= closes(walked.timeline.series[position.instrument, walked.interval], count)
        equity += value
        if single:
            gross = value if int(value.min(initial=0)) >= 0 else np.abs(value)
        else:
            net += value
            gross += np.abs(value, out=value)
    _benchmark(walked, actions, benchmark)
    return Curve(ts_ns, equity, cash, gross, net, benchmark)


def closes(series: Series, count: int) -> Int64s:
    """Return the last close at every position of the timeline, 0 before the first."""
    close = np.asarray(series.columns.close)
    if series.rows is None:
        return close
    out = np.zeros(count, np.int64)
    seen = series.rows >= 0
    out[seen] = close[series.rows[seen]]
    return out


def _spread(out: Int64s, at: Int64s, values: Int64s, first: int) -> None:
    """Write over `out` what holds at each place: `values[i]` from `at[i]` (ascending) on, `first` before the first."""
    # As a running sum of changes, which needs no second column.
    out[:] = 0
    inside = int(np.searchsorted(at, len(out)))
    np.add.at(out, at[:inside], np.diff(values[:inside], prepend=first))
    if len(out):
        out[0] += first
    np.cumsum(out, out=out)


def _benchmark(walked: Walked, actions: Sequence[CorporateAction], out: Int64s) -> None:
    """Write over `out` what the capital would be, bought and held."""
    first, count = walked.instruments[0], len(out)
    close = closes(walked.timeline.series[first, walked.interval], count)
    first_row = int(np.argmax(close > 0)) if count else 0
    px = int(close[first_row]) if count else 0
    if not px:
        out[:] = walked.initial
        return
    qty, cash = walked.initial // px, walked.initial % px
    np.multiply(close, qty, out=out)
    out += cash
    # Before the first bar nothing is held.
    out[:first_row] = walked.initial
    opens = np.asarray(walked.timeline.open_ns)
    for action in sorted((each for each in actions if each.instrument == first), key=lambda each: each.ex_day):
        since = int(np.searchsorted(opens, action.ex_day * DAY_NS - IST_OFFSET_NS))
        if first_row < since < count:
            held = adjust(action, qty, 0, int(close[since - 1]))
            qty, cash = held.qty, cash + held.cash
            out[since:] = close[since:] * qty + cash
