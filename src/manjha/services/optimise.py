"""An optimisation: combinations proposed by a study, evaluated in fixed batches over workers, recorded and kept."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from functools import partial

import msgspec

from manjha.domain.trials import TrialOutcome, TrialStatus, TrialSubject
from manjha.ports.tasks import TaskFailed
from manjha.research.search.ground import prepare
from manjha.research.search.points import require_point
from manjha.research.search.space import Point
from manjha.research.search.study import Sampler, Study, StudyTerms
from manjha.research.search.summary import Asked, RefusedOrders, Summary
from manjha.research.search.variants import first_part, subject_of
from manjha.services.handfuls import Handfuls
from manjha.services.searches import (
    WHOLE,
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

RUNGS = ((1, 4), (1, 2))
"""Parts of the span, from its beginning, after which a poor combination may be given up."""


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """How is optimised. `trials` in all, those of earlier runs of the study included; `batch` are proposed at once.

    The batch is part of what is optimised: another one is another course. The number of workers is not.
    """

    sampler: Sampler
    storage: str
    trials: int = 100
    batch: int = 8
    seed: int = 0
    prune: bool = False


class Kept(msgspec.Struct, frozen=True):
    """What a study keeps of a combination, so that a later run can show it without evaluating it again."""

    point: Point
    outcome: TrialOutcome
    refused: RefusedOrders = RefusedOrders()


def optimise(services: SearchServices, plan: SearchPlan, tuning: Tuning, tell: Progress | None = None) -> SearchReport:
    """Search until the study has as many trials as asked for; return all of its rows, earlier ones included.

    Same plan and tuning, same report, whatever the workers, and whether done in one go or stopped. An interrupt ends it
    early: what was done is recorded and kept, and the batch that it fell into is finished first when the study goes on.

    Raises
    ------
    UsageError
        The study is of something else, nothing can be tried, all failed, or the objective is never defined.
    """
    require_point(plan.candidates)
    search = _Search(plan, tuning)
    done = search.study.told
    work = work_of(plan.load, partial(variant_of, Asked(plan.objectives, plan.with_returns)))
    prepare(plan.spec, services.say)
    is_interrupted = False
    with Recorder(services.ledger, plan.study) as recorder:
        try:
            with services.runner.hire(work) as crew:
                handfuls = Handfuls(crew, services.handful)
                while done < tuning.trials:
                    search.do_batch(min(tuning.batch, tuning.trials - done), handfuls, recorder)
                    done = search.study.told
                    if tell is not None:
                        tell(done, tuning.trials)
        except KeyboardInterrupt:
            is_interrupted = True
            recorder.flush()
            search.leave()
    rows = list(search.rows.values())
    subject = search.subject
    report = SearchReport(
        study=plan.study,
        strategy=subject.strategy,
        chosen_from=subject.chosen_from,
        instruments=subject.instruments,
        data_set=subject.data_set,
        objectives=plan.objectives,
        rows=tuple(rows),
        # A study that has more already is told with all of them.
        planned=max(tuning.trials, search.study.told),
        left_out=0,
        repeated=search.seen - len(rows),
        new_trials=recorder.new,
        sharpes=sharpes_of(services.ledger, subject),
        is_interrupted=is_interrupted,
    )
    return require_some(report)


class _Search:
    """A study and the rows that it has, by combination: what is proposed twice is evaluated once."""

    def __init__(self, plan: SearchPlan, tuning: Tuning) -> None:
        self.plan = plan
        self.subject = subject_of(plan.spec)
        self.rungs = RUNGS if tuning.prune and len(plan.objectives) == 1 else ()
        self.subjects = {part: subject_of(first_part(plan.spec, part)) for part in self.rungs} | {WHOLE: self.subject}
        self.study = Study(
            StudyTerms(
                name=plan.study,
                storage=tuning.storage,
                sampler=tuning.sampler,
                objectives=plan.objectives,
                dimensions=plan.candidates.dimensions,
                seed=tuning.seed,
                anchor=_anchor(plan, tuning, self.subject),
            )
        )
        self.rows: dict[str, SearchRow] = {}
        undefined = (math.nan,) * len(plan.objectives)
        for text, values in self.study.kept():
            self._take_up(text, values or undefined)
        self.proposals, early = self.study.left_open(plan.candidates.against)
        told = set(self.rows)
        for text, known in early:
            self._take_up(text, known)
        self.early = set(self.rows) - told

    def _take_up(self, text: str, values: tuple[float, ...]) -> None:
        kept = msgspec.json.decode(text, type=Kept)
        row = SearchRow(kept.point, values, kept.outcome, kept.refused)
        self.rows.setdefault(self.plan.parameters(kept.point), row)

    @property
    def seen(self) -> int:
        """How many proposals have a row, those of a batch that is not told yet included."""
        waiting = set(self.study.waiting)
        open_ones = [one for one in self.proposals if one.number in waiting]
        return self.study.told + sum(self.plan.parameters(one.point) in self.rows for one in open_ones)

    def do_batch(self, count: int, handfuls: Handfuls[Attempt], recorder: Recorder) -> None:
        """Evaluate a batch, the one that was left open first, and tell the study, in the order of the proposals.

        A poor first part of the span ends a combination; all of a batch go from part to part together, so that who is
        given up does not depend on who was quick.
        """
        if not self.study.waiting:
            self.proposals = self.study.propose(count, self.plan.candidates.against)
        proposals = self.proposals
        fresh: dict[str, Point] = {}
        order: dict[str, None] = {}
        for proposal in proposals:
            key = self.plan.parameters(proposal.point)
            if key not in self.rows:
                fresh[key] = proposal.point
            if key not in self.rows or key in self.early:
                order[key] = None
        numbers = {self.plan.parameters(proposal.point): proposal.number for proposal in reversed(proposals)}
        for step, part in enumerate(self.rungs):
            for key, came in self._evaluated(fresh, part, handfuls):
                if isinstance(came, Summary) and self.study.is_hopeless(numbers[key], step, came.values[0]):
                    outcome = msgspec.structs.replace(came.outcome, status=TrialStatus.PRUNED)
                    self._keep(fresh.pop(key), msgspec.structs.replace(came, outcome=outcome), part, recorder)
        for key, came in self._evaluated(fresh, WHOLE, handfuls):
            self._keep(fresh[key], came, WHOLE, recorder)
        # What the study knows is never evaluated again: the ledger must have it first, killed or not.
        recorder.flush()
        self._finish(order)

    def _finish(self, order: Iterable[str]) -> None:
        """Tell the study of a batch; its new rows are put in the order of the proposals, stopped or not."""
        for number, row, text in self._known():
            self.study.tell(number, row.values, text, is_pruned=row.outcome.status is TrialStatus.PRUNED)
        self.early.clear()
        for key in order:
            self.rows[key] = self.rows.pop(key)

    def leave(self) -> None:
        """Keep what an interrupted batch has, to be told with the whole of it. Of a shared study give the rest back."""
        for number, row, text in self._known():
            if self.study.is_shared:
                self.study.tell(number, row.values, text, is_pruned=row.outcome.status is TrialStatus.PRUNED)
            else:
                self.study.keep_early(number, row.values, text)
        if self.study.is_shared:
            self.study.abandon()

    def _known(self) -> list[tuple[int, SearchRow, str]]:
        """Return the proposals that nothing was told of and that have a row, in their order, and what to keep."""
        waiting = set(self.study.waiting)
        known = []
        for proposal in self.proposals:
            row = self.rows.get(self.plan.parameters(proposal.point))
            if row is not None and proposal.number in waiting:
                text = msgspec.json.encode(Kept(row.point, row.outcome, row.refused)).decode()
                known.append((proposal.number, row, text))
        return known

    def _evaluated(
        self, fresh: dict[str, Point], part: tuple[int, int], handfuls: Handfuls[Attempt]
    ) -> Iterator[tuple[str, Summary | TaskFailed]]:
        tasks = [Attempt(point, part) for point in fresh.values()]
        keys = list(fresh)
        return ((keys[number], came) for number, came in handfuls.run(tasks))

    def _keep(self, point: Point, came: Summary | TaskFailed, part: tuple[int, int], recorder: Recorder) -> None:
        row, outcome = row_of(point, came, self.plan.objectives)
        key = self.plan.parameters(point)
        self.rows[key] = row
        recorder.add(self.subjects[part], key, outcome)


def _anchor(plan: SearchPlan, tuning: Tuning, subject: TrialSubject) -> str:
    """Return what makes two searches the same: what is searched and how, not how long."""
    texts = [constraint.text for constraint in plan.candidates.constraints]
    decisive = (subject, plan.candidates.dimensions, texts, plan.objectives, tuning.sampler, tuning.seed, tuning.batch)
    # What a strategy was chosen from stands in its source, which counts already: studies of before it was known go on.
    text = repr((*decisive, tuning.prune)).replace(f", chosen_from={subject.chosen_from!r})", ")", 1)
    return hashlib.sha256(text.encode()).hexdigest()
