"""Walk-forward analysis: parts of a run, and what the parts that came after the choices amount to.

R. Pardo, *The Evaluation and Optimization of Trading Strategies*, 2nd ed. 2008, chapters 11 and 12.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from manjha.domain.bars import BarColumns
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TsNs
from manjha.research.backtest import BacktestSpec
from manjha.research.metrics.daily import Floats, day_numbers
from manjha.research.overfit import Likelihood, annualised, probabilistic_sharpe, track_record
from manjha.research.result import BacktestResult, Curve, Int64s
from manjha.research.search.variants import COLUMNS
from manjha.research.splits.walk_forward import walk_forward_in

YEAR = 252.0
EFFICIENT = 0.5
"""Pardo's mark: a strategy keeps at least half of its return out of sample."""
SURE, DOUBTFUL = 0.95, 0.5
"""Probability of a Sharpe ratio above zero that speaks for an edge, and below which luck is likelier."""


class Window(msgspec.Struct, frozen=True):
    """Days (numbers since 1970) of one window, both ends included."""

    train: tuple[int, int]
    test: tuple[int, int]


class Steady(msgspec.Struct, frozen=True):
    """How a parameter was chosen over the windows, as texts. `kept` is the share of windows that chose it as before."""

    name: str
    least: str
    middle: str
    most: str
    distinct: int
    kept: float


class Forward(msgspec.Struct, frozen=True):
    """What the tests amount to. `inside` and `outside` are mean returns a year (252 times a day's mean), fractions.

    `efficiency` is their ratio, NaN where nothing was earned inside. `won` of `windows` tests had a mean above zero.
    `sharpe` is a year's, `above_zero` the probability that the true one is above zero: the tests were not searched.
    """

    windows: int
    won: int
    inside: float
    outside: float
    efficiency: float
    sharpe: float
    above_zero: float
    likelihood: Likelihood
    sentence: str


def days_of(spec: BacktestSpec) -> Int64s:
    """Return the days on which any bar of a run opens, ascending."""
    return np.unique(np.concatenate([day_numbers(np.asarray(columns.ts_open_ns)) for columns in spec.bars]))


def windows_of(days: Int64s, *, windows: int, ratio: float, gap: int, anchored: bool) -> tuple[Window, ...]:
    """Cut days into windows, lengths counted in days. Raises `UsageError` where they are longer than the data."""
    splits = walk_forward_in(len(days), windows=windows, ratio=ratio, gap=gap, anchored=anchored, unit="days")

    def ends(first: int, end: int) -> tuple[int, int]:
        return int(days[first]), int(days[end - 1])

    return tuple(
        Window(ends(one.train[0].first, one.train[0].end), ends(one.test[0].first, one.test[0].end)) for one in splits
    )


def start_of(day: int) -> TsNs:
    """Return the moment at which an Indian calendar day begins."""
    return TsNs(day * DAY_NS - IST_OFFSET_NS)


def part_of(spec: BacktestSpec, first: int, last: int, trade_from: int = 0) -> BacktestSpec:
    """Return the run on the bars of days `first` to `last`; with `trade_from`, nothing is decided before that day.

    Further intervals keep their earlier bars, which were known by then.
    """
    begin, end = start_of(first), start_of(last + 1)
    bars = tuple(_between(columns, begin, end) for columns in spec.bars)
    kept = [at for at, columns in enumerate(bars) if len(columns)]
    return msgspec.structs.replace(
        spec,
        bars=tuple(bars[at] for at in kept),
        instruments=tuple(spec.instruments[at] for at in kept),
        further=tuple(_between(columns, None, end) for columns in spec.further),
        trade_from_ns=start_of(trade_from) if trade_from else TsNs(0),
    )


def cut_before(result: BacktestResult, begin: TsNs) -> BacktestResult:
    """Return a result without the rows of its curve up to a moment, at which nothing was decided yet."""
    curve = result.curve
    rows = curve.ts_ns > begin
    empty = np.empty(0, np.int64)

    def kept(column: Int64s) -> Int64s:
        return column[rows] if len(column) else empty

    return msgspec.structs.replace(
        result,
        start_ns=max(result.start_ns, begin),
        curve=Curve(curve.ts_ns[rows], curve.equity[rows], curve.cash[rows], kept(curve.gross), kept(curve.net), empty),
    )


def forward(inside: Sequence[float], outside: Sequence[float], returns: Floats) -> Forward:
    """Judge the tests.

    Parameters
    ----------
    inside, outside
        Mean daily return of each window's chosen parameters in training and in the test after it.
    returns
        Daily returns of all tests, one after the other.
    """
    within, beyond = float(np.mean(inside)) * YEAR, float(np.mean(outside)) * YEAR
    efficiency = beyond / within if within > 0 else math.nan
    record = track_record(returns)
    sharpe, sure = annualised(record.sharpe, YEAR), probabilistic_sharpe(record)
    won = sum(one > 0 for one in outside)
    if math.isnan(sure) or sure < DOUBTFUL or beyond <= 0:
        likelihood = Likelihood.LUCK
    elif sure >= SURE and efficiency >= EFFICIENT and 2 * won >= len(outside):
        likelihood = Likelihood.EDGE
    else:
        likelihood = Likelihood.UNPROVEN
    kept = f" (efficiency {efficiency:.2f})" if not math.isnan(efficiency) else ""
    doubt = (
        "no Sharpe ratio"
        if math.isnan(sure)
        else f"a Sharpe ratio of {sharpe:.2f} that is above zero with a probability of {sure:.2f}"
    )
    sentence = (
        f"parameters chosen in {len(outside)} windows earned {beyond:.1%} a year in the time after, where they had "
        f"earned {within:.1%} in sample{kept}, with {doubt}: {likelihood}"
    )
    return Forward(
        *(len(outside), won, within, beyond, efficiency, sharpe, sure),
        likelihood=likelihood,
        sentence=sentence.replace("-", "−"),
    )


def stability(points: Sequence[Mapping[str, Any]]) -> list[Steady]:
    """Return how steady each parameter was over the windows, in the order of the parameters."""
    found = []
    for name in points[0] if points else ():
        values = [point[name] for point in points]
        ordered = sorted(values, key=lambda one: (isinstance(one, str), one))
        same = [a == b for a, b in pairwise(values)]
        least, middle, most = (_written(ordered[at]) for at in (0, len(ordered) // 2, -1))
        kept = sum(same) / len(same) if same else math.nan
        found.append(Steady(name, least, middle, most, len(set(values)), kept))
    return found


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _between(columns: BarColumns, begin: int | None, end: int) -> BarColumns:
    opens = np.asarray(columns.ts_open_ns)
    first = 0 if begin is None else int(np.searchsorted(opens, begin))
    last = int(np.searchsorted(opens, end))
    return msgspec.structs.replace(columns, **{name: getattr(columns, name)[first:last] for name in COLUMNS})
