"""An evolution of rules: generations evaluated in order over workers, recorded, and judged once on the hold-out."""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec

from manjha.domain.errors import ManjhaError, UsageError
from manjha.domain.trials import TrialOutcome, TrialStatus
from manjha.ports.tasks import Crew, Work
from manjha.research.backtest import BacktestSpec
from manjha.research.evolve.grammar import Grammar, GrammarTerms
from manjha.research.evolve.source import class_of
from manjha.research.evolve.trees import parse
from manjha.research.search.ground import Ground, prepare
from manjha.research.search.objective import Objective
from manjha.research.search.summary import Asked, Summary, evaluate
from manjha.research.search.variants import canonical, subject_of
from manjha.services.searches import SearchServices, ground_of, row_of
from manjha.services.trial_records import Recorder

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
    """How is bred. `parsimony` is taken off a rule's objective for each of its words."""

    generations: int = 10
    population: int = 60
    seed: int = 0
    parsimony: float = 0.01
    max_size: int = 25
    top: int = 3


class RuleRow(msgspec.Struct, frozen=True):
    """A rule, the generation that it came up in, and what came of it; NaN where the objective is not defined."""

    text: str
    size: int
    generation: int
    value: float
    outcome: TrialOutcome


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
    services: SearchServices, plan: EvolutionPlan, evolving: Evolving, tell: Told | None = None
) -> EvolutionReport:
    """Breed rules and return the best: the same for the same plan and terms, whatever the workers.

    What is held out is run once for each survivor, when everything else is over. An interrupt ends the breeding early:
    what was done is recorded, and its best are the survivors.

    Raises
    ------
    UsageError
        Terms that make no sense, DEAP is not installed, or no rule has a value.
    """
    course = _Course(plan, evolving, tell or (lambda _what, _done, _count: None))
    asked = Asked((plan.objective,), with_returns=True)
    prepare(plan.spec, services.say)
    is_interrupted = False
    with Recorder(services.ledger, plan.study) as recorder:
        try:
            with services.runner.hire(
                Work(partial(ground_of, plan.load), partial(try_rule, asked, plan.grammar))
            ) as crew:
                course.run(crew, recorder)
        except KeyboardInterrupt:
            is_interrupted = True
    survivors = [_survivor(plan, row) for row in course.best(evolving.top)]
    report = EvolutionReport(
        study=plan.study,
        data_set=course.subject.data_set,
        objective=plan.objective,
        rows=tuple(course.rows.values()),
        survivors=tuple(survivors),
        sizes=tuple(course.sizes),
        repeated=course.repeated,
        new_trials=recorder.new,
        trials=services.ledger.count(course.subject.strategy, course.subject.data_set),
        notes=plan.notes,
        is_interrupted=is_interrupted,
    )
    return _require_some(report)


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

    def __init__(self, plan: EvolutionPlan, evolving: Evolving, tell: Told) -> None:
        self.plan, self.evolving, self.tell = plan, evolving, tell
        self.herd = _herd(plan, evolving)
        self.subject = subject_of(plan.spec)
        self.rows: dict[str, RuleRow] = {}
        self.sizes: list[float] = []
        self.repeated = 0

    def run(self, crew: Crew[str, Summary], recorder: Recorder) -> None:
        """Evaluate one generation after the other, each whole and in order."""
        terms = self.evolving
        for generation in range(terms.generations):
            texts = self.herd.texts
            fresh = [text for text in dict.fromkeys(texts) if text not in self.rows]
            known = generation * terms.population + len(texts) - len(fresh)
            what = f"generation {generation + 1} of {terms.generations}"
            for done, (number, came) in enumerate(crew.run(fresh)):
                row, outcome = row_of({}, came, (self.plan.objective,))
                text = fresh[number]
                size = parse(text).size
                self.rows[text] = RuleRow(text, size, generation + 1, row.values[0], row.outcome)
                recorder.add(self.subject, canonical({"rule": text}), outcome)
                self.tell(what, known + done + 1, terms.population * terms.generations)
            self.repeated += len(texts) - len(fresh)
            self.sizes.append(sum(self.rows[text].size for text in texts) / len(texts))
            if generation + 1 < terms.generations:
                self.herd.breed([fitness(self.rows[text], self.plan.objective, terms.parsimony) for text in texts])

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


def _herd(plan: EvolutionPlan, evolving: Evolving) -> "Herd":
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
    return Herd(grammar, terms)


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
