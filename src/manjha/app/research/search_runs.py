"""Sweeps, optimisations, walk-forwards and validations from words to reports, for the command line and for jobs."""

from collections.abc import Callable
from functools import partial

import msgspec

from manjha.app.bootstrap import study_storage, task_runner, trial_ledger
from manjha.app.research.searches import SearchWords, plan_search
from manjha.app.research.validations import ValidationWords, ask, load_again
from manjha.app.settings import Settings
from manjha.research.search.study import parse_sampler
from manjha.services.data_jobs import Progress
from manjha.services.optimise import Tuning, optimise
from manjha.services.searches import SearchReport, SearchServices
from manjha.services.sweeps import Sampling, parse_sampling, sweep
from manjha.services.validation import Validation, validate
from manjha.services.walk_forward import Walk, WalkReport, walk


class Bench(msgspec.Struct, frozen=True):
    """What a search is run with: the settings, how many processes (0 is one a core), who is told how far it is.

    `say` is told what makes it wait.
    """

    settings: Settings
    jobs: int
    tell: Progress
    say: Callable[[str], None]

    def services(self) -> SearchServices:
        """Return what searches work with."""
        return SearchServices(task_runner(self.settings, self.jobs), trial_ledger(self.settings), self.say)


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How an optimisation goes: the words of `manjha optimize`. `storage` is the URL of a database, empty for none."""

    trials: int = 100
    sampler: str = ""
    batch: int = 8
    prune: bool = False
    storage: str = ""
    seed: int = 0


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How a walk goes: the words of `manjha walk-forward`. `trials` is another way to write `sample`."""

    windows: int = 10
    ratio: float = 4.0
    anchored: bool = False
    gap: int = 0
    trials: int = 0
    sample: str = ""
    seed: int = 0


def run_sweep(bench: Bench, words: SearchWords, study: str, sample: str, seed: int) -> SearchReport:
    """Evaluate every combination, or a sample. Raises `ManjhaError` with what is expected."""
    sampling = parse_sampling(sample, seed)
    bench.tell("loading", 0, 0)
    plan = plan_search(bench.settings, words, study, kind="sweep", ways=sampling)
    return sweep(bench.services(), plan, sampling, partial(bench.tell, "sweep"))


def run_optimisation(bench: Bench, words: SearchWords, study: str, course: Course) -> SearchReport:
    """Let a study propose combinations; one that has been begun goes on. Raises `ManjhaError`."""
    chosen = parse_sampler(course.sampler, len(set(words.objectives)))
    bench.tell("loading", 0, 0)
    ways = (chosen, course.seed, course.batch, course.prune)
    plan = plan_search(bench.settings, words, study, kind="optimize", ways=ways)
    tuning = Tuning(
        sampler=chosen,
        storage=study_storage(bench.settings, plan.study, course.storage),
        trials=course.trials,
        batch=course.batch,
        seed=course.seed,
        prune=course.prune,
    )
    return optimise(bench.services(), plan, tuning, partial(bench.tell, "optimize"))


def walk_of(route: Route) -> Walk:
    """Return how to walk. Raises `UsageError`."""
    sampling: Sampling = parse_sampling(route.sample or (f"lhs:{route.trials}" if route.trials else ""), route.seed)
    return Walk(windows=route.windows, ratio=route.ratio, gap=route.gap, anchored=route.anchored, sampling=sampling)


def run_walk(bench: Bench, words: SearchWords, study: str, route: Route) -> WalkReport:
    """Choose on the past, run on what came after. Raises `ManjhaError` with what is expected."""
    how = walk_of(route)
    bench.tell("loading", 0, 0)
    plan = plan_search(bench.settings, words, study, kind="walk-forward", ways=how)
    return walk(bench.services(), plan, how, partial(bench.tell, "walk-forward"))


def run_validation(settings: Settings, words: ValidationWords, tell: Progress) -> Validation:
    """Judge the best of all trials. Raises `ManjhaError` with what is expected."""
    tell("loading", 0, 0)
    ledger = trial_ledger(settings)
    question = ask(settings, ledger, words)
    return validate(ledger, question, partial(load_again, settings, words), lambda what: tell(what, 0, 0))
