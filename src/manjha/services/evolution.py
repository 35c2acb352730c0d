"""An evolution of rules: generations evaluated in order over workers, recorded, and judged once on the hold-out."""

import hashlib
import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec

from manjha.domain.errors import ManjhaError, UsageError
from manjha.domain.moments import day_of, format_day
from manjha.domain.trials import TrialStatus, TrialSubject
from manjha.ports.study_journals import StudyJournal
from manjha.ports.tasks import Crew, Work
from manjha.research.backtest import BacktestSpec
from manjha.research.evolve.grammar import Grammar, GrammarTerms
from manjha.research.evolve.record import (
    Began,
    Finished,
    HerdState,
    Past,
    RuleRow,
    read,
    read_files,
    require_same,
    tried,
    write,
)
from manjha.research.evolve.source import class_of
from manjha.research.evolve.trees import parse
from manjha.research.search.ground import Ground, prepare
from manjha.research.search.objective import Objective
from manjha.research.search.summary import Asked, Summary, evaluate
from manjha.research.search.variants import canonical, subject_of
from manjha.services.searches import SearchServices, ground_of, row_of
from manjha.services.trial_records import BATCH, Recorder

if TYPE_CHECKING:
    from manjha.research.evolve.breeding import Herd

POPULATION_MIN = 4
Told = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


class EvolutionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What rules are bred on. `load` gives in a worker the same as `spec`; `later` is what is held out."""

    study: str
    spec: BacktestSpec
    later: BacktestSpec
    load: Callable[[], BacktestSpec]
    grammar: GrammarTerms
    objective: Objective
    notes: tuple[str, ...] = ()


class Evolving(msgspec.Struct, frozen=True, kw_only=True):
    """How is bred. `parsimony` is taken off a rule's objective for each of its words.

    `generations` are in all, those of an earlier run included; neither they nor `top` change the course.
    """

    generations: int = 10
    population: int = 60
    seed: int = 0
    parsimony: float = 0.01
    max_size: int = 25
    top: int = 3


class Survivor(msgspec.Struct, frozen=True):
    """One of the best rules. `later` is None where the hold-out could not be run, and `error` says why."""

    row: RuleRow
    later: Summary | None
    error: str = ""


class EvolutionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an evolution. `rows` in the order of evaluation; `sizes`: each generation's mean.

    `new_trials` is what the ledger had not seen; `trials` is how many rules were ever evaluated on this data.
    """

    study: str
    instruments: str
    data_set: str
    objective: Objective
    rows: tuple[RuleRow, ...]
    survivors: tuple[Survivor, ...]
    sizes: tuple[float, ...]
    repeated: int
    new_trials: int
    trials: int
    notes: tuple[str, ...] = ()
    is_interrupted: bool = False

    @property
    def failed(self) -> list[RuleRow]:
        """Rules that raised."""
        return [row for row in self.rows if row.outcome.status is TrialStatus.FAILED]


def evolve(
    services: SearchServices, plan: EvolutionPlan, evolving: Evolving, journal: StudyJournal, tell: Told | None = None
) -> EvolutionReport:
    """Breed rules and return the best: the same for the same plan and terms, whatever the workers.

    What a journal has is not done again: an evolution that was interrupted or killed goes on where it was and ends with
    the report that it would have had, a finished one gives its report again. What is held out is run once for each
    survivor, when everything else is over. An interrupt ends the breeding early: what was done is recorded and kept,
    and its best are the survivors.

    Raises
    ------
    UsageError
        Terms that make no sense, DEAP is not installed, the journal is of another evolution, or no rule has a value.
    """
    course = _Course(plan, evolving, journal, tell or (lambda _what, _done, _count: None))
    course.begin(services.say)
    is_interrupted = False
    if not course.is_over:
        is_interrupted = _breed(services, plan, course)
    survivors = [_survivor(plan, row) for row in course.best(evolving.top)]
    report = EvolutionReport(
        study=plan.study,
        instruments=course.subject.instruments,
        data_set=course.subject.data_set,
        objective=plan.objective,
        rows=tuple(course.rows.values()),
        survivors=tuple(survivors),
        sizes=tuple(course.sizes),
        repeated=course.repeated,
        new_trials=course.new,
        trials=services.ledger.count(course.subject.scope),
        notes=plan.notes,
        is_interrupted=is_interrupted,
    )
    return _require_some(report)


def begin_anew(plan: EvolutionPlan, evolving: Evolving, journal: StudyJournal) -> None:
    """Forget an evolution, but for which files it wrote.

    Raises
    ------
    UsageError
        It is a study of something else, or the terms make no sense.
    """
    _herd(plan, evolving)
    written = read_files(journal.lines(), plan.study)
    journal.clear()
    journal.append(write(Began(terms_of(plan, evolving))))
    for line in written:
        journal.append(write(line))


def _breed(services: SearchServices, plan: EvolutionPlan, course: "_Course") -> bool:
    """Breed to the end and return whether it was interrupted before."""
    asked = Asked((plan.objective,), with_returns=True)
    prepare(plan.spec, services.say)
    with Recorder(services.ledger, plan.study) as recorder:
        try:
            with services.runner.hire(
                Work(partial(ground_of, plan.load), partial(try_rule, asked, plan.grammar))
            ) as crew:
                course.run(crew, recorder)
        except KeyboardInterrupt:
            return True
        finally:
            course.keep(recorder)
    return False


def try_rule(asked: Asked, terms: GrammarTerms, ground: Ground, text: str) -> Summary:
    """Do a worker's task: write the rule as a strategy, and run it."""
    return evaluate(ruled(ground.spec, terms, text), asked, ground)


def ruled(spec: BacktestSpec, terms: GrammarTerms, text: str) -> BacktestSpec:
    """Return the run with a rule as its strategy."""
    strategy = class_of(text, grammar_of(terms), spec.strategy.product)
    return msgspec.structs.replace(spec, strategy=strategy())


@lru_cache(maxsize=4)
def grammar_of(terms: GrammarTerms) -> Grammar:
    """Return the language of some terms, made once."""
    return Grammar(terms)


def fitness(row: RuleRow, objective: Objective, parsimony: float) -> float:
    """Return what is selected by: the objective, less something a word; minus infinity without a closed trade."""
    if math.isnan(row.value) or not row.outcome.trades:
        return -math.inf
    return -objective.loss(row.value) - parsimony * row.size


class _Course:
    """The generations, and every rule that was evaluated: what comes up again is not evaluated again."""

    def __init__(self, plan: EvolutionPlan, evolving: Evolving, journal: StudyJournal, tell: Told) -> None:
        self.plan, self.evolving, self.tell = plan, evolving, tell
        self.herd = _herd(plan, evolving)
        self.subject = subject_of(plan.spec)
        self.rows: dict[str, RuleRow] = {}
        self.sizes: list[float] = []
        self.repeated = self.new = 0
        self._journal = journal
        self._waiting: list[RuleRow] = []
        self._recorded = 0

    @property
    def is_over(self) -> bool:
        """Whether all generations are evaluated."""
        return len(self.sizes) >= self.evolving.generations

    def begin(self, say: Callable[[str], None]) -> None:
        """Take up what the journal has, or begin it."""
        past, terms = read(self._journal.lines(), self.plan.study), terms_of(self.plan, self.evolving)
        if past.terms is None:
            self._journal.append(write(Began(terms)))
            return
        require_same(past.terms, terms, self.plan.study)
        past = past.until(self.evolving.generations)
        self._take_up(past)
        done, count = len(self.sizes), self.evolving.generations
        if self.is_over:
            say(f"The study {self.plan.study} was finished before: nothing is evaluated, this is its result.")
        elif self.rows:
            say(f"The study {self.plan.study} goes on in generation {done + 1} of {count}.")

    def _take_up(self, past: Past) -> None:
        self.rows = {row.text: row for row in past.rows}
        self.new = past.new
        self.sizes = [one.mean_size for one in past.finished]
        self.repeated = sum(one.repeated for one in past.finished)
        if past.finished:
            self.herd = _herd(self.plan, self.evolving, past.finished[-1].herd)

    def run(self, crew: Crew[str, Summary], recorder: Recorder) -> None:
        """Evaluate one generation after the other, each whole and in order."""
        while not self.is_over:
            if self.sizes:
                self._breed()
            self._evaluate(crew, recorder)

    def _breed(self) -> None:
        terms = self.evolving
        self.herd.breed([fitness(self.rows[text], self.plan.objective, terms.parsimony) for text in self.herd.texts])

    def _evaluate(self, crew: Crew[str, Summary], recorder: Recorder) -> None:
        terms, generation = self.evolving, len(self.sizes) + 1
        texts = self.herd.texts
        fresh = [text for text in dict.fromkeys(texts) if self._is_of(text, generation)]
        repeated = len(texts) - len(fresh)
        # An interrupted run may have evaluated the first of them.
        left = [text for text in fresh if text not in self.rows]
        known = (generation - 1) * terms.population + len(texts) - len(left)
        for done, (number, came) in enumerate(crew.run(left)):
            row, outcome = row_of({}, came, (self.plan.objective,))
            text = left[number]
            self.rows[text] = RuleRow(text, parse(text).size, generation, row.values[0], row.outcome)
            self._waiting.append(self.rows[text])
            recorder.add(self.subject, canonical({"rule": text}), outcome)
            if len(self._waiting) >= BATCH:
                self.keep(recorder)
            what = f"generation {generation} of {terms.generations}"
            self.tell(what, known + done + 1, terms.population * terms.generations)
        self.keep(recorder)
        size = sum(self.rows[text].size for text in texts) / len(texts)
        self._journal.append(write(Finished(generation, size, repeated, self.herd.state)))
        self.sizes.append(size)
        self.repeated += repeated

    def _is_of(self, text: str, generation: int) -> bool:
        """Tell whether a rule came up in a generation for the first time."""
        return text not in self.rows or self.rows[text].generation == generation

    def keep(self, recorder: Recorder) -> None:
        """Record what was evaluated, and then keep it: what is kept is in the ledger, whatever comes between."""
        if not self._waiting:
            return
        recorder.flush()
        waiting, self._waiting = self._waiting, []
        new, self._recorded = recorder.new - self._recorded, recorder.new
        self._journal.append(write(tried(waiting[0].generation, waiting, new)))
        self.new += new

    def best(self, count: int) -> list[RuleRow]:
        """Return the best rules by fitness; of those that did the same the smallest only."""
        worth: Mapping[str, float] = {
            text: fitness(row, self.plan.objective, self.evolving.parsimony) for text, row in self.rows.items()
        }
        judged = [row for row in self.rows.values() if worth[row.text] > -math.inf]
        judged.sort(key=lambda row: (-worth[row.text], row.size, row.text))
        distinct: dict[tuple[object, ...], RuleRow] = {}
        for row in judged:
            outcome = row.outcome
            distinct.setdefault((outcome.final, outcome.trades, outcome.max_drawdown, outcome.moments), row)
        return list(distinct.values())[:count]


def _survivor(plan: EvolutionPlan, row: RuleRow) -> Survivor:
    try:
        return Survivor(row, evaluate(ruled(plan.later, plan.grammar, row.text), Asked((plan.objective,))))
    except ManjhaError as error:
        return Survivor(row, None, error.message)


def terms_of(plan: EvolutionPlan, evolving: Evolving) -> dict[str, str]:
    """Return what decides the course of an evolution, by the words that a user knows it by."""
    subject, later = subject_of(plan.spec), subject_of(plan.later)
    grammar = grammar_of(plan.grammar)
    language = sorted((word.name, word.code, word.indicator, word.output) for word in grammar.words.values())
    return {
        "data": subject.data_set,
        "days": f"{_span(subject)} ({subject.data_hash[:12]})",
        "held-out days": f"{_span(later)} ({later.data_hash[:12]})",
        "terms of the backtest": subject.settings_hash[:12],
        "--objective": f"{plan.objective.direction}:{plan.objective.name}",
        "--population": str(evolving.population),
        "--parsimony": repr(evolving.parsimony),
        "--max-size": str(evolving.max_size),
        "--short": str(plan.grammar.has_short),
        "--seed": str(evolving.seed),
        "words of rules": _mark([language, sorted(map(repr, grammar.constants.items()))]),
        "strategies of rules": subject.source_hash[:12],
    }


def _mark(decisive: object) -> str:
    return hashlib.sha256(repr(decisive).encode()).hexdigest()[:12]


def _span(subject: TrialSubject) -> str:
    return f"{format_day(day_of(subject.first_ns))} to {format_day(day_of(subject.last_ns))}"


def _herd(plan: EvolutionPlan, evolving: Evolving, state: HerdState | None = None) -> "Herd":
    grammar = grammar_of(plan.grammar)
    for name, value, low in (
        ("population", evolving.population, POPULATION_MIN),
        ("generations", evolving.generations, 1),
        ("max-size", evolving.max_size, grammar.smallest),
        ("top", evolving.top, 1),
    ):
        if value < low:
            raise UsageError(f"--{name} must be at least {low}, was {value}", hint="Leave it out for the usual value.")
    if not 0 <= evolving.parsimony < math.inf:
        raise UsageError(f"--parsimony must be zero or more, was {evolving.parsimony}", hint="The usual value is 0.01.")
    try:
        from manjha.research.evolve.breeding import Herd, Herding
    except ImportError:
        raise UsageError(
            "evolving rules needs DEAP, which is not installed", hint="Install it: pip install 'manjha[research]'."
        ) from None
    terms = Herding(population=evolving.population, seed=evolving.seed, max_size=evolving.max_size)
    return Herd(grammar, terms, state)


def _require_some(report: EvolutionReport) -> EvolutionReport:
    """Return the report where a rule survived. Raises `UsageError` else; what was evaluated is in the ledger."""
    if report.survivors or report.is_interrupted:
        return report
    failed = report.failed
    first = f"; the first with {failed[0].outcome.error}" if failed else ""
    raise UsageError(
        f"none of {len(report.rows)} rules closed a trade and has a value of {report.objective.name} "
        f"({len(failed)} failed{first})",
        hint="Give a longer span, another objective, or a larger --population. The trials are recorded.",
    )
