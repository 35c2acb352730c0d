"""What sweeps and optimisations share: the plan, the tasks of a worker, the rows, and the report."""

import heapq
import math
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from manjha.domain.errors import UsageError
from manjha.domain.trials import TrialOutcome, TrialStatus, TrialSubject
from manjha.ports.tasks import Task, TaskFailed, TaskRunner, Work
from manjha.ports.trials import TrialLedger
from manjha.research.backtest import BacktestSpec
from manjha.research.search.ground import Ground
from manjha.research.search.objective import Objective, dominates
from manjha.research.search.points import Candidates
from manjha.research.search.space import Point
from manjha.research.search.summary import Asked, RefusedOrders, Summary
from manjha.research.search.variants import canonical, first_part, vary
from manjha.services.handfuls import MOST, Handful, Plan, do_handful

Progress = Callable[[int, int], None]
"""Called with how many combinations are done, and how many there are."""
WHOLE = (1, 1)
"""The whole span, as parts of it are written."""


class SearchServices(msgspec.Struct, frozen=True):
    """What a search works with. `say` is told what makes it wait before it begins.

    A worker gets at most `handful` tasks at once, which changes nothing but the time that all take.
    """

    runner: TaskRunner
    ledger: TrialLedger
    say: Callable[[str], None] = lambda _what: None
    handful: int = MOST


class SearchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched. `load` gives in a worker the same spec as `spec` here; strategies differ in parameters only."""

    study: str
    spec: BacktestSpec
    load: Callable[[], BacktestSpec]
    candidates: Candidates
    objectives: tuple[Objective, ...]
    with_returns: bool = True

    def parameters(self, point: Point) -> str:
        """Return all parameters of a combination, as the ledger keeps them."""
        return canonical({name: param.default for name, param in self.candidates.strategy.params.items()} | point)


class Attempt(msgspec.Struct, frozen=True):
    """A worker's task: a combination, and on which part of the span."""

    point: Point
    part: tuple[int, int] = WHOLE


class SearchRow(msgspec.Struct, frozen=True):
    """One combination and what came of it; the daily returns are in the ledger only."""

    point: Point
    values: tuple[float, ...]
    outcome: TrialOutcome
    refused: RefusedOrders = RefusedOrders()


class SearchReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found. `rows` in the order of evaluation; `planned`, `left_out` and `repeated` count combinations.

    `new_trials` is what the ledger had not seen; `sharpes` are the ratios, of a day and in 1e-12, of all variants of
    the strategy that it has on these instruments and days, at any interval.
    """

    study: str
    strategy: str
    instruments: str
    data_set: str
    objectives: tuple[Objective, ...]
    rows: tuple[SearchRow, ...]
    planned: int
    left_out: int
    new_trials: int
    sharpes: tuple[int | None, ...]
    repeated: int = 0
    is_interrupted: bool = False
    chosen_from: str = ""

    @property
    def trials(self) -> int:
        """How many variants of the strategy were ever tried on these instruments and days, at any interval."""
        return len(self.sharpes)

    @property
    def failed(self) -> list[SearchRow]:
        """Combinations that raised."""
        return [row for row in self.rows if row.outcome.status is TrialStatus.FAILED]

    @property
    def pruned(self) -> int:
        """How many combinations were given up early."""
        return sum(row.outcome.status is TrialStatus.PRUNED for row in self.rows)

    @property
    def why_quiet(self) -> str:
        """Say which orders were refused where no combination closed a trade; empty where there is nothing to say."""
        refused = [row.refused for row in self.rows if row.refused.count]
        if not refused or any(row.outcome.trades for row in self.rows):
            return ""
        return f"{sum(one.count for one in refused):,} orders were refused by risk, the first: {refused[0].reason}"

    def best(self, count: int) -> list[SearchRow]:
        """Return the best rows by the first objective, ties in the order of evaluation; only what has a value."""
        first = self.objectives[0]
        return heapq.nsmallest(count, self._judged(), key=lambda row: first.loss(row.values[0]))

    def pareto(self) -> list[SearchRow]:
        """Return the rows that no other row beats in every objective, the best by the first objective first."""
        judged = [row for row in self._judged() if not any(math.isnan(value) for value in row.values)]
        judged.sort(
            key=lambda row: [objective.loss(v) for objective, v in zip(self.objectives, row.values, strict=True)]
        )
        front: list[SearchRow] = []
        for row in judged:
            if not any(dominates(one.values, row.values, self.objectives) for one in front):
                front.append(row)
        return front

    def _judged(self) -> list[SearchRow]:
        rows = (row for row in self.rows if row.outcome.status is TrialStatus.OK)
        return [row for row in rows if not math.isnan(row.values[0])]


def ground_of(load: Callable[[], BacktestSpec]) -> Ground:
    """Load in a worker what its tasks need."""
    return Ground(load())


def variant_of(asked: Asked, ground: Ground, task: Attempt) -> tuple[BacktestSpec, Asked]:
    """Return what a worker's task means."""
    spec = ground.spec if task.part == WHOLE else ground.part(task.part, partial(first_part, part=task.part))
    return vary(spec, task.point), asked


def work_of(load: Callable[[], BacktestSpec], plan: Plan[Task]) -> Work[Ground, tuple[Task, ...], Handful]:
    """Return what workers do: `plan` says what a task means, `load` the run whose variants they are."""
    return Work(partial(ground_of, load), partial(do_handful, plan))


def row_of(point: Point, came: Summary | TaskFailed, objectives: Sequence[Objective]) -> tuple[SearchRow, TrialOutcome]:
    """Return the row to keep, and the outcome to record."""
    if isinstance(came, TaskFailed):
        failed = TrialOutcome(status=TrialStatus.FAILED, error=came.error)
        return SearchRow(point, (math.nan,) * len(objectives), failed), failed
    light = msgspec.structs.replace(came.outcome, returns=b"")
    return SearchRow(point, came.values, light, came.refused), came.outcome


def sharpes_of(ledger: TrialLedger, subject: TrialSubject) -> tuple[int | None, ...]:
    """Return the ratios of all variants that were ever tried, the undefined ones last: the same whoever was quick."""
    found = ledger.sharpes(subject.scope, subject.data_hash)
    return tuple(sorted(found, key=lambda one: (one is None, one or 0)))


def require_some(report: SearchReport) -> SearchReport:
    """Return the report where it found anything.

    Raises
    ------
    UsageError
        Every combination failed, or the objective is not defined for any; what was evaluated is in the ledger.
    """
    if report.is_interrupted or not report.rows or report.best(1):
        return report
    failed = report.failed
    if len(failed) == len(report.rows):
        raise UsageError(
            f"all {len(failed)} combinations failed; the first with {failed[0].outcome.error}",
            hint="Run one of them with `manjha backtest` to see more. The failures are recorded.",
        )
    name = report.objectives[0].name
    why = f"; {report.why_quiet}" if report.why_quiet else ""
    quiet = sum(row.outcome.trades == 0 for row in report.rows if row.outcome.status is TrialStatus.OK)
    raise UsageError(
        f"the objective {name} is not defined for any of {len(report.rows)} combinations "
        f"({quiet} made no trade, {len(failed)} failed){why}",
        hint="Widen the ranges or the span, or choose another objective. The trials are recorded.",
    )
