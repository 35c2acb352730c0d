"""All that can be said about the luck of one trial among many, and the verdict."""

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from manjha.domain.errors import DataError, UsageError
from manjha.research.overfit.cscv import Overfitting, backtest_overfitting
from manjha.research.overfit.deflated import (
    Independence,
    deflated_sharpe,
    effective_trials,
    expected_maximum_sharpe,
    minimum_backtest_years,
)
from manjha.research.overfit.inputs import Floats, Seed, column, matrix, series
from manjha.research.overfit.plateau import Plateau, plateau
from manjha.research.overfit.sharpe import (
    NAN,
    TrackRecord,
    annualised,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_of_columns,
    track_record,
)
from manjha.research.overfit.superiority import Superiority, superiority
from manjha.research.overfit.verdict import Evidence, Thresholds, Verdict, verdict

FEWEST_BLOCKS = 4
"""Fewest blocks of CSCV that are made here: two have a single pair of halves."""
BLOCK_PERIODS = 10
"""Fewest periods of a block of CSCV: a Sharpe ratio of fewer is noise."""


class JudgeOptions(msgspec.Struct, frozen=True):
    """How to judge. `year_periods` is the number of rows of returns in a year (252 for days).

    `blocks` (at most; fewer where periods are few), `samples` and `block` are those of `backtest_overfitting` and
    `superiority`, `keep` and `radius` those of `plateau`, `confidence` that of `minimum_track_record`.
    """

    year_periods: float = 252.0
    independence: Independence = Independence.ALL
    blocks: int = 16
    samples: int = 2_000
    block: float = 0.0
    confidence: float = 0.95
    keep: float = 0.8
    radius: float | None = None
    thresholds: Thresholds = Thresholds()


class Context(msgspec.Struct, frozen=True, eq=False):
    """What is known besides the returns; all of it optional.

    `sharpes` (M,) are the Sharpe ratios of one period of every trial ever evaluated, also of those whose returns were
    not kept, and `row` is the judged trial's place in them; NaN is a trial that failed. `parameters` (M, P) are
    theirs, in the same order (of the columns, where no `sharpes` are given); `peers` (M,) marks those that differ from
    the judged one in nothing else, which its neighbours are looked for among (all, where it is not given).
    `benchmark` (T,) are returns to beat; without it, zero.
    """

    sharpes: Floats | None = None
    row: int = -1
    parameters: Floats | None = None
    peers: NDArray[np.bool_] | None = None
    benchmark: Floats | None = None


class Judgement(msgspec.Struct, frozen=True, eq=False):
    """Every statistic and the verdict. Sharpe ratios are of one period, except `sharpe_year`.

    `trials` were evaluated and did not fail, `effective` of them are independent (by the way in the options),
    `variance` is that of their Sharpe ratios. `expected_maximum` is what the best of them shows by luck; `deflated`
    the probability that the true ratio is above it, `probabilistic` that it is above 0. `needed` and
    `needed_after_search` are the periods that would show the ratio to be above 0, and above `expected_maximum`;
    `backtest_years` those below which as good a best is expected by luck, `years` those there were. What could not be
    had is None, and `notes` say why.
    """

    record: TrackRecord
    sharpe_year: float
    years: float
    trials: int
    place: int
    effective: float
    variance: float
    expected_maximum: float
    probabilistic: float
    deflated: float
    needed: float
    needed_after_search: float
    backtest_years: float
    overfitting: Overfitting | None
    superiority: Superiority
    plateau: Plateau | None
    verdict: Verdict
    notes: tuple[str, ...]


def judge(
    returns: ArrayLike,
    chosen: int,
    *,
    seed: Seed,
    options: JudgeOptions | None = None,
    context: Context | None = None,
) -> Judgement:
    """Judge one trial of many.

    Parameters
    ----------
    returns
        Shape (T, N), T ≥ 3: each trial's returns over the same periods, oldest first, fractions, after charges. Days
        rather than bars: at a thousand trials a year of days takes seconds.
    chosen
        Column of the trial that is judged, as a rule the best.
    seed
        A number, or a generator, which moves on.
    options, context
        How to judge, and what is known besides.

    Raises
    ------
    DataError
        Returns, benchmark or parameters of the wrong shape, or NaN or infinite.
    UsageError
        `chosen` or an option out of range; Sharpe ratios without the judged trial's row among them.
    """
    how, known = options or JudgeOptions(), context or Context()
    table = matrix(returns, "returns", rows=3)
    record = track_record(column(table, chosen))
    sharpes, row = _sharpes(table, chosen, known)
    finite = sharpes[np.isfinite(sharpes)]
    count = len(finite)
    effective = _effective(table, count, how.independence)
    variance = float(np.var(finite, ddof=1)) if count > 1 else 0.0
    luck = expected_maximum_sharpe(variance, effective)
    year = annualised(record.sharpe, how.year_periods)
    notes = [f"{len(sharpes) - count:,} trials without a Sharpe ratio are not counted"] if count < len(sharpes) else []
    halvings = _halvings(table, how, notes)
    test = _superiority(table, known, how, seed)
    around = _plateau(sharpes, row, known, how, notes)
    evidence = Evidence(
        *(count, 1 + int(np.sum(finite > sharpes[row]))),
        deflated=deflated_sharpe(record, variance=variance, trials=effective),
        overfitting=halvings.probability if halvings else NAN,
        loss=halvings.loss if halvings else NAN,
        superiority=test.consistent,
        plateau=around.score if around else NAN,
    )
    return Judgement(
        *(record, year, len(table) / how.year_periods, count, evidence.place, effective, variance, luck),
        probabilistic=probabilistic_sharpe(record),
        deflated=evidence.deflated,
        needed=minimum_track_record(record, confidence=how.confidence),
        needed_after_search=minimum_track_record(record, benchmark=luck, confidence=how.confidence),
        backtest_years=minimum_backtest_years(effective, sharpe_year=year) if year > 0 else math.inf,
        overfitting=halvings,
        superiority=test,
        plateau=around,
        verdict=verdict(evidence, how.thresholds),
        notes=tuple(notes),
    )


def _sharpes(table: Floats, chosen: int, known: Context) -> tuple[Floats, int]:
    """Return the Sharpe ratios of all trials, and the row of the judged one."""
    if known.sharpes is None:
        return sharpe_of_columns(table), chosen
    sharpes = np.asarray(known.sharpes, np.float64)
    if sharpes.ndim != 1 or len(sharpes) < table.shape[1]:
        raise DataError(f"the Sharpe ratios of all trials must be at least {table.shape[1]}, got shape {sharpes.shape}")
    if not 0 <= known.row < len(sharpes):
        raise UsageError(f"the judged trial must be one of rows 0 to {len(sharpes) - 1}, got {known.row}")
    return sharpes, known.row


def _effective(table: Floats, count: int, way: Independence) -> float:
    """Return the number of independent trials among `count`, of which the columns are taken for a fair sample."""
    columns = table.shape[1]
    if way is Independence.ALL or columns < 2:
        return float(max(count, 1))
    share = (effective_trials(table, way) - 1.0) / (columns - 1.0)
    return float(1.0 + share * max(count - 1.0, 0.0))


def _halvings(table: Floats, how: JudgeOptions, notes: list[str]) -> Overfitting | None:
    blocks = min(how.blocks, len(table) // BLOCK_PERIODS // 2 * 2)
    if table.shape[1] < 2:
        notes.append("one trial has no probability of backtest overfitting")
    elif blocks < FEWEST_BLOCKS <= how.blocks:
        notes.append(
            f"{len(table)} periods are too few for a probability of backtest overfitting, "
            f"which needs {FEWEST_BLOCKS * BLOCK_PERIODS}"
        )
    else:
        return backtest_overfitting(table, blocks=blocks)
    return None


def _superiority(table: Floats, known: Context, how: JudgeOptions, seed: Seed) -> Superiority:
    excess = table
    if known.benchmark is not None:
        benchmark = series(known.benchmark, "benchmark", least=3)
        if len(benchmark) != len(table):
            raise DataError(f"{len(table)} returns cannot be compared with {len(benchmark)} of the benchmark")
        excess = table - benchmark[:, None]
    return superiority(excess, seed=seed, samples=how.samples, block=how.block)


def _plateau(sharpes: Floats, row: int, known: Context, how: JudgeOptions, notes: list[str]) -> Plateau | None:
    if known.parameters is None or not math.isfinite(sharpes[row]):
        return None
    peers = np.ones(len(sharpes), np.bool_) if known.peers is None else known.peers
    if not peers[row]:
        raise UsageError("the judged trial must be one of its own peers")
    at = int(np.sum(peers[:row]))
    found = plateau(known.parameters[peers], sharpes[peers], at, keep=how.keep, radius=how.radius)
    if math.isnan(found.score):
        notes.append(f"{found.neighbours} neighbours, or a Sharpe ratio not above zero, give no plateau score")
    if found.edges:
        notes.append("the parameters lie at the edge of what was searched: better ones may lie beyond")
    return found
