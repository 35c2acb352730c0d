"""A sweep: every combination of a grid, or a Latin hypercube of it, evaluated over workers and recorded."""

from collections.abc import Iterable, Iterator
from functools import partial

import msgspec

from manjha.domain.errors import UsageError
from manjha.research.search.ground import prepare
from manjha.research.search.points import Candidates, Chosen, grid, latin_hypercube, nothing_left
from manjha.research.search.space import Point
from manjha.research.search.summary import Asked
from manjha.research.search.variants import subject_of
from manjha.services.handfuls import Handfuls
from manjha.services.searches import (
    Attempt,
    Progress,
    SearchPlan,
    SearchReport,
    SearchRow,
    SearchServices,
    require_some,
    row_of,
    sharpes_of,
    variant_of,
    work_of,
)
from manjha.services.trial_records import Recorder


class Sampling(msgspec.Struct, frozen=True):
    """Which combinations: all of the grid, or `count` drawn by a seed."""

    count: int = 0
    seed: int = 0


def parse_sampling(text: str, seed: int) -> Sampling:
    """Read "" (the grid) or "lhs:500". Raises `UsageError`."""
    kind, _, count = text.partition(":")
    if not text:
        return Sampling()
    if kind.lower() != "lhs" or not count.isdecimal() or not int(count):
        raise UsageError(f"unknown sample {text!r}", hint="Give --sample lhs:500 (a Latin hypercube of 500), or none.")
    return Sampling(int(count), seed)


def sweep(services: SearchServices, plan: SearchPlan, sampling: Sampling, tell: Progress | None = None) -> SearchReport:
    """Evaluate the combinations and return what came of them: the same for the same plan, whatever the workers.

    An interrupt ends it early: what was done is recorded and reported.

    Raises
    ------
    UsageError
        Nothing can be tried, all failed, or the objective is never defined.
    """
    chosen = Chosen()
    points, planned = points_of(plan.candidates, sampling, chosen)
    subject = subject_of(plan.spec)
    rows: list[SearchRow] = []
    given: dict[int, Point] = {}
    work = work_of(plan.load, partial(variant_of, Asked(plan.objectives, plan.with_returns)))
    prepare(plan.spec, services.say)
    is_interrupted = False
    with Recorder(services.ledger, plan.study) as recorder:
        try:
            with services.runner.hire(work) as crew:
                for number, came in Handfuls(crew, services.handful).run(_attempts(points, given)):
                    row, outcome = row_of(given.pop(number), came, plan.objectives)
                    rows.append(row)
                    recorder.add(subject, plan.parameters(row.point), outcome)
                    if tell is not None:
                        tell(len(rows), planned)
        except KeyboardInterrupt:
            is_interrupted = True
    report = SearchReport(
        study=plan.study,
        strategy=subject.strategy,
        chosen_from=subject.chosen_from,
        instruments=subject.instruments,
        data_set=subject.data_set,
        objectives=plan.objectives,
        rows=tuple(rows),
        planned=planned,
        left_out=chosen.left_out,
        new_trials=recorder.new,
        sharpes=sharpes_of(services.ledger, subject),
        is_interrupted=is_interrupted,
    )
    return require_some(report)


def points_of(candidates: Candidates, sampling: Sampling, chosen: Chosen) -> tuple[Iterable[Point], int]:
    """Return the combinations and their number. A grid is walked twice, so that it is never held in memory."""
    if sampling.count:
        drawn = latin_hypercube(candidates, sampling.count, sampling.seed, chosen)
        points, planned = iter(drawn), len(drawn)
    else:
        planned = sum(1 for _ in grid(candidates, chosen))
        points = grid(candidates, Chosen())
    if not planned:
        raise nothing_left(chosen)
    return points, planned


def _attempts(points: Iterable[Point], given: dict[int, Point]) -> Iterator[Attempt]:
    for number, point in enumerate(points):
        given[number] = point
        yield Attempt(point)
