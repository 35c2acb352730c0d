"""Walk-forward: in each window parameters are chosen on the past and run on what came after; the tests are stitched."""

import math
from collections.abc import Iterable, Iterator
from functools import partial

import msgspec
import numpy as np

from manjha.domain.errors import UsageError
from manjha.ports.tasks import TaskFailed
from manjha.research.backtest import BacktestSpec
from manjha.research.result import Int64s
from manjha.research.search.ground import Ground, prepare
from manjha.research.search.points import Chosen
from manjha.research.search.space import Point
from manjha.research.search.summary import Asked, Summary, from_pico, unpack_returns
from manjha.research.search.variants import subject_of, vary
from manjha.research.walk_forward import (
    Forward,
    Steady,
    Window,
    days_of,
    forward,
    part_of,
    stability,
    windows_of,
)
from manjha.services.handfuls import Handfuls
from manjha.services.searches import Progress, SearchPlan, SearchServices, row_of, work_of
from manjha.services.sweeps import Sampling, points_of
from manjha.services.trial_records import Recorder


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """How to walk: so many windows, training `ratio` times as long as each test, `gap` days between them."""

    windows: int = 10
    ratio: float = 4.0
    gap: int = 0
    anchored: bool = False
    sampling: Sampling = Sampling()


class Leg(msgspec.Struct, frozen=True):
    """A worker's task: a combination on some days; from `trade_from` on, where earlier days are only history."""

    point: Point
    first: int
    last: int
    trade_from: int = 0


class WindowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One window. `point` is None where the objective was defined for none of the combinations, or the test failed.

    `inside` and `outside` are the objective's values, `inside_mean` and `outside_mean` mean daily returns. `returns`
    has one a day of the test, zeros after ruin or where there is no point.
    """

    window: Window
    point: Point | None
    inside: float
    outside: float
    inside_mean: float
    outside_mean: float
    trades: int
    failed: int
    returns: tuple[float, ...]
    error: str = ""


class WalkReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk found. `combinations` were tried in each window; `rows` are the windows that were finished.

    `days` and `returns` are those of all tests; `forward` is None where no window had a choice.
    """

    study: str
    strategy: str
    instruments: str
    data_set: str
    objective: str
    rows: tuple[WindowRow, ...]
    windows: int
    combinations: int
    new_trials: int
    trials: int
    days: tuple[int, ...]
    returns: tuple[float, ...]
    forward: Forward | None
    stability: tuple[Steady, ...]
    is_interrupted: bool = False
    chosen_from: str = ""


def walk(services: SearchServices, plan: SearchPlan, how: Walk, tell: Progress | None = None) -> WalkReport:
    """Walk forward: the same report for the same plan, whatever the workers.

    Every combination of every window is counted in the ledger. An interrupt keeps the windows that are done.

    Raises
    ------
    UsageError
        The windows are longer than the data, nothing can be tried, or the objective is never defined in any window.
    """
    days = days_of(plan.spec)
    windows = windows_of(days, windows=how.windows, ratio=how.ratio, gap=how.gap, anchored=how.anchored)
    planned = points_of(plan.candidates, how.sampling, Chosen())[1]
    objective = plan.objectives[0]
    rows: list[WindowRow] = []
    work = work_of(plan.load, partial(leg_of, Asked(plan.objectives)))
    prepare(plan.spec, services.say)
    is_interrupted = False
    with Recorder(services.ledger, plan.study) as recorder:
        try:
            with services.runner.hire(work) as crew:
                handfuls = Handfuls(crew, services.handful)
                for number, window in enumerate(windows):
                    count = partial(_count, tell, number * planned, planned * len(windows))
                    step = _Step(plan, how, window, days)
                    rows.append(step.walked(handfuls, recorder, count))
        except KeyboardInterrupt:
            is_interrupted = True
    subject = subject_of(plan.spec)
    chosen = [row for row in rows if row.point is not None]
    if rows and not chosen:
        raise UsageError(
            f"the objective {objective.name} is not defined for any combination in any of {len(rows)} windows",
            hint=f"Widen the ranges, take fewer windows, or choose another objective. {rows[0].error}".strip(),
        )
    returns = tuple(value for row in rows for value in row.returns)
    tested = [int(day) for row in rows for day in days if row.window.test[0] <= day <= row.window.test[1]]
    judged = None
    if chosen and len(returns) > 1:
        inside, outside = ([getattr(row, f"{side}_mean") for row in chosen] for side in ("inside", "outside"))
        judged = forward(inside, outside, np.array(returns))
    return WalkReport(
        study=plan.study,
        strategy=subject.strategy,
        chosen_from=subject.chosen_from,
        instruments=subject.instruments,
        data_set=subject.data_set,
        objective=objective.name,
        rows=tuple(rows),
        windows=len(windows),
        combinations=planned,
        new_trials=recorder.new,
        trials=services.ledger.count(subject.scope),
        days=tuple(tested),
        returns=returns,
        forward=judged,
        stability=tuple(stability([row.point for row in chosen if row.point is not None])),
        is_interrupted=is_interrupted,
    )


def leg_of(asked: Asked, ground: Ground, leg: Leg) -> tuple[BacktestSpec, Asked]:
    """Return what a worker's task means; of a test daily returns are wanted, from the first day that could trade."""
    days = (leg.first, leg.last, leg.trade_from)
    part = ground.part(days, lambda spec: part_of(spec, *days))
    wanted = msgspec.structs.replace(asked, with_returns=True) if leg.trade_from else asked
    return vary(part, leg.point), wanted


class _Step:
    """One window: the search in its training, then the test of what was best there."""

    def __init__(self, plan: SearchPlan, how: Walk, window: Window, days: Int64s) -> None:
        self.plan, self.how, self.window = plan, how, window
        first, last = window.test
        self.days = int(np.sum((days >= first) & (days <= last)))
        self.failed = 0
        self.error = ""

    def walked(self, handfuls: Handfuls[Leg], recorder: Recorder, count: partial[None]) -> WindowRow:
        best = self._searched(handfuls, recorder, count)
        if best is None:
            return self._empty()
        point, inside = best
        test = Leg(point, self.window.train[0], self.window.test[1], self.window.test[0])
        ((_, outside),) = handfuls.run([test])
        if isinstance(outside, TaskFailed):
            self.error = outside.error
            return self._empty()
        returns = np.zeros(self.days)
        held = unpack_returns(outside.outcome.returns)[: self.days]
        returns[: len(held)] = held
        return WindowRow(
            window=self.window,
            point=point,
            inside=inside.values[0],
            outside=outside.values[0],
            inside_mean=from_pico(inside.outcome.moments.mean),
            outside_mean=float(returns.mean()),
            trades=outside.outcome.trades,
            failed=self.failed,
            returns=tuple(returns.tolist()),
        )

    def _searched(
        self, handfuls: Handfuls[Leg], recorder: Recorder, count: partial[None]
    ) -> tuple[Point, Summary] | None:
        """Return the best combination of the training, the earliest of equal ones; None where there is none."""
        plan, objective = self.plan, self.plan.objectives[0]
        points, _ = points_of(plan.candidates, self.how.sampling, Chosen())
        subject = subject_of(part_of(plan.spec, *self.window.train))
        given: dict[int, Point] = {}
        best: tuple[float, Point, Summary] | None = None
        for done, (number, came) in enumerate(handfuls.run(self._legs(points, given)), 1):
            point = given.pop(number)
            _, outcome = row_of(point, came, plan.objectives)
            recorder.add(subject, plan.parameters(point), outcome)
            count(done)
            if isinstance(came, TaskFailed):
                self.failed += 1
                self.error = came.error
                continue
            if came.refused.count and not self.error:
                self.error = f"{came.refused.count:,} orders were refused by risk, as: {came.refused.reason}"
            loss = objective.loss(came.values[0])
            if not math.isnan(came.values[0]) and (best is None or loss < best[0]):
                best = (loss, point, came)
        return None if best is None else best[1:]

    def _legs(self, points: Iterable[Point], given: dict[int, Point]) -> Iterator[Leg]:
        for number, point in enumerate(points):
            given[number] = point
            yield Leg(point, *self.window.train)

    def _empty(self) -> WindowRow:
        return WindowRow(
            window=self.window,
            point=None,
            inside=math.nan,
            outside=math.nan,
            inside_mean=math.nan,
            outside_mean=math.nan,
            trades=0,
            failed=self.failed,
            returns=(0.0,) * self.days,
            error=self.error,
        )


def _count(tell: Progress | None, before: int, total: int, done: int) -> None:
    if tell is not None:
        tell(before + done, total)
