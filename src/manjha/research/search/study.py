"""A study of Optuna, asked and told in batches, so that its course does not depend on how fast anyone is.

Before each batch the sampler is made anew with a seed that follows from the user's and from how many trials there are,
and a batch is told as a whole: a study that was stopped goes on as if it had not been. What was proposed and not told
is proposed again; with a shared database it may be another host's, and is left alone.
"""

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from manjha.domain.errors import UsageError
from manjha.research.search.objective import Objective
from manjha.research.search.space import Dimension, Point
from manjha.strategy.params import Value

POPULATION = 24
"""Individuals of a generation of NSGA-II."""
TRIES = 200
"""Proposals in a row that conditions may rule out before a search gives up."""
HISTORY = 5
"""Results at a point of the span that must be there before a worse one is given up."""
ANCHOR = "manjha"
"""The attribute of a study that says what it searches."""
KEPT = "kept"
"""The attribute of a trial that holds its row."""
EARLY = "early"
"""The attribute of a trial that holds values and row of one that is not told yet, as its batch was stopped."""

JOURNAL_ERRORS = (OSError, ValueError, KeyError, TypeError, AssertionError)
"""What Optuna raises over a file that cannot be read, is no JSON, or holds other records than a journal's."""


class Sampler(StrEnum):
    """How the next combinations are chosen."""

    TPE = "tpe"
    CMA_ES = "cma-es"
    NSGA2 = "nsga2"


class Proposal(msgspec.Struct, frozen=True):
    """A combination that waits to be evaluated."""

    number: int
    point: Point


class StudyTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a study is. `storage` is a file of journal, or the URL of a database; `anchor` says what is searched."""

    name: str
    storage: str
    sampler: Sampler
    objectives: tuple[Objective, ...]
    dimensions: tuple[Dimension, ...]
    seed: int
    anchor: str


class Study:
    """Proposes combinations and learns what came of them; everything is kept in its storage at once."""

    def __init__(self, terms: StudyTerms) -> None:
        optuna = _library()
        self._terms = terms
        _require_fit(terms)
        self._spread = {one.name: _distribution(optuna, one) for one in terms.dimensions}
        self._study = _opened(optuna, terms)
        self._running: dict[int, Any] = {}
        self._passed: dict[int, int] = {}
        self._is_shared = "://" in terms.storage
        anchor = self._study.user_attrs.get(ANCHOR)
        if anchor is None:
            self._study.set_user_attr(ANCHOR, terms.anchor)
        elif anchor != terms.anchor:
            raise UsageError(
                f"the study {terms.name} searches something else (another strategy, data, range or setting)",
                hint="Give --study another name, or repeat the command that it was begun with.",
            )

    @property
    def told(self) -> int:
        """How many evaluated combinations it has."""
        return sum(KEPT in trial.user_attrs for trial in self._trials())

    def kept(self) -> Iterator[tuple[str, tuple[float, ...] | None]]:
        """Yield what was kept of each evaluated combination, and its values; None where it has none."""
        for trial in self._trials():
            if KEPT in trial.user_attrs:
                values = tuple(trial.values) if trial.state.name == "COMPLETE" and trial.values is not None else None
                yield trial.user_attrs[KEPT], values

    def left_open(self, against: Callable[[Point], str]) -> tuple[list[Proposal], list[tuple[str, tuple[float, ...]]]]:
        """Return the combinations of a batch that was stopped, and what was kept of some of them with their values.

        Of one that was killed while it was proposed there are fewer than it would have had.
        """
        proposals: list[Proposal] = []
        early: list[tuple[str, tuple[float, ...]]] = []
        for frozen in self._trials() if not self._is_shared else ():
            if frozen.state.is_finished():
                continue
            names = [one.name for one in self._terms.dimensions]
            point = self._point(frozen.params) if all(name in frozen.params for name in names) else {}
            if not point or against(point):
                self._tell(frozen.number, None, "PRUNED" if point else "FAIL")
                continue
            self._running[frozen.number] = self._taken_up(frozen)
            self._passed[frozen.number] = max(frozen.intermediate_values, default=-1)
            proposals.append(Proposal(frozen.number, point))
            if EARLY in frozen.user_attrs:
                values, text = frozen.user_attrs[EARLY]
                early.append((text, tuple(map(float.fromhex, values))))
        return proposals, early

    def _taken_up(self, frozen: Any) -> Any:
        """Return a trial that an earlier process asked for. It has its parameters: no sampler may draw them again."""
        from optuna.samplers import RandomSampler
        from optuna.trial import Trial

        self._study.sampler = RandomSampler()
        with _quiet():
            return Trial(self._study, frozen._trial_id)  # noqa: SLF001 - Optuna has no other way to a trial of its own

    def propose(self, count: int, against: Callable[[Point], str]) -> list[Proposal]:
        """Return the next combinations; those that something speaks against are told as poor, and replaced.

        Raises
        ------
        UsageError
            Conditions rule out `TRIES` proposals in a row.
        """
        self._study.sampler = _sampler(self._terms, len(self._trials()))
        proposals: list[Proposal] = []
        refused = 0
        while len(proposals) < count:
            with _quiet():
                trial = self._study.ask(self._spread)
            point = self._point(trial.params)
            why = against(point)
            if not why:
                self._running[trial.number] = trial
                proposals.append(Proposal(trial.number, point))
                refused = 0
                continue
            self._tell(trial, None, "PRUNED")
            refused += 1
            if refused >= TRIES:
                raise UsageError(
                    f"no combination can be tried: {refused:,} in a row are ruled out, the last by: {why}",
                    hint="Widen the ranges, or change the conditions.",
                )
        return proposals

    def is_hopeless(self, number: int, step: int, value: float) -> bool:
        """Take a value of a first part of the span; tell whether it is below the median of earlier ones there.

        One that had gone on to a later part before its batch was stopped was not.
        """
        if math.isnan(value) or step < self._passed.get(number, -1):
            return False
        trial = self._running[number]
        if step != self._passed.get(number):
            trial.report(value, step)
        return bool(trial.should_prune())

    def tell(self, number: int, values: Sequence[float], kept: str, *, is_pruned: bool = False) -> None:
        """Say what came of a proposal: its values, NaN where there is none, and what to keep of it."""
        trial = self._running.pop(number)
        trial.set_user_attr(KEPT, kept)
        if is_pruned:
            self._tell(trial, None, "PRUNED")
        elif any(math.isnan(value) for value in values):
            self._tell(trial, None, "FAIL")
        else:
            self._tell(trial, list(values), "COMPLETE")

    def keep_early(self, number: int, values: Sequence[float], kept: str) -> None:
        """Keep values and row of a proposal whose batch is stopped: it is told with the whole batch, another time."""
        self._running[number].set_user_attr(EARLY, [[float(value).hex() for value in values], kept])

    @property
    def is_shared(self) -> bool:
        """Whether other hosts may be at it."""
        return self._is_shared

    @property
    def waiting(self) -> list[int]:
        """The numbers of the proposals that nothing was told of."""
        return list(self._running)

    def abandon(self) -> None:
        """Give back proposals that nobody will evaluate any more."""
        for trial in self._running.values():
            self._tell(trial, None, "FAIL")
        self._running.clear()

    def _tell(self, trial: Any, values: list[float] | None, state: str) -> None:
        from optuna.trial import TrialState

        with _quiet():
            self._study.tell(trial, values, TrialState[state])

    def _trials(self) -> list[Any]:
        return list(self._study.get_trials(deepcopy=False))

    def _point(self, params: dict[str, Any]) -> Point:
        return {one.name: _on_step(one, params[one.name]) for one in self._terms.dimensions}


def parse_sampler(text: str, objectives: int) -> Sampler:
    """Read a sampler's name; empty is TPE, and NSGA-II for several objectives. Raises `UsageError`."""
    if not text:
        return Sampler.TPE if objectives == 1 else Sampler.NSGA2
    word = text.strip().lower().replace("_", "-").replace("nsga-ii", "nsga2").replace("nsga-2", "nsga2")
    if word not in set(Sampler):
        raise UsageError(f"unknown sampler {text!r}", hint=f"There are {', '.join(Sampler)}.")
    return Sampler(word)


def mend_journal(path: Path) -> None:
    """Take off a line that a killed process left half written; a journal with one in its middle cannot be read."""
    if not path.exists():
        return
    text = path.read_bytes()
    if text and not text.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(text.rfind(b"\n") + 1)


def _library() -> Any:
    try:
        import optuna
    except ImportError:
        raise UsageError(
            "`manjha optimize` needs Optuna, which is not installed", hint="Install it: pip install 'manjha[research]'."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _require_fit(terms: StudyTerms) -> None:
    """Refuse what a sampler cannot do, which Optuna would do otherwise without a word."""
    if terms.sampler is not Sampler.CMA_ES:
        return
    if len(terms.objectives) > 1:
        raise UsageError("CMA-ES has one objective", hint="Use --sampler nsga2 for several, or tpe.")
    numbers = [one for one in terms.dimensions if one.low is not None and one.low != one.high]
    lists = [one.name for one in terms.dimensions if one.low is None and len(one.values) > 1]
    if lists or len(numbers) < 2:
        found = f"{lists[0]} is a list" if lists else f"{len(numbers)} varies"
        raise UsageError(
            f"CMA-ES needs at least two ranges of numbers and no lists, but {found}", hint="Use --sampler tpe."
        )


def _opened(optuna: Any, terms: StudyTerms) -> Any:
    """Return the study in its storage, made where it is new. Raises `UsageError` where the storage is no storage."""
    directions = [objective.direction for objective in terms.objectives]
    pruner = optuna.pruners.MedianPruner(n_startup_trials=HISTORY, n_min_trials=HISTORY)
    is_database = "://" in terms.storage
    refused = _database_errors(optuna) if is_database else JOURNAL_ERRORS
    try:
        with _quiet():
            storage = _database(optuna, terms.storage) if is_database else _journal(optuna, Path(terms.storage))
            study = optuna.create_study(
                study_name=terms.name, storage=storage, directions=directions, pruner=pruner, load_if_exists=True
            )
    except refused as error:
        found = f"{type(error).__name__}: {' '.join(str(error).split())}"
        if is_database:
            raise UsageError(
                f"the study {terms.name} cannot be opened, because the database does not answer as one: {found}",
                hint="Check the address after --storage, that the database runs, and that its driver is installed.",
            ) from error
        raise UsageError(
            f"the study {terms.name} cannot be opened: expected the journal of a study in {terms.storage}, {found}",
            hint="Give --study another name, or move that file away.",
        ) from error
    if [one.name.lower() for one in study.directions] != directions:
        raise UsageError(f"the study {terms.name} has other objectives", hint="Give --study another name.")
    return study


def _database(optuna: Any, url: str) -> Any:
    return optuna.storages.RDBStorage(url.replace("postgresql://", "postgresql+psycopg://", 1))


def _journal(optuna: Any, path: Path) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    mend_journal(path)
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))


def _database_errors(optuna: Any) -> tuple[type[Exception], ...]:
    """Return what an address that is none, a missing driver, a database that is away or of another version raise."""
    from sqlalchemy.exc import SQLAlchemyError

    return SQLAlchemyError, optuna.exceptions.OptunaError, ImportError, RuntimeError


def _sampler(terms: StudyTerms, trials: int) -> Any:
    from optuna import samplers

    seed = (terms.seed * 1_000_003 + trials) % 2**32
    with _quiet():
        match terms.sampler:
            case Sampler.TPE:
                return samplers.TPESampler(seed=seed, constant_liar=True, multivariate=True)
            case Sampler.CMA_ES:
                return samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
            case Sampler.NSGA2:
                return samplers.NSGAIISampler(seed=seed, population_size=POPULATION)


def _distribution(optuna: Any, dimension: Dimension) -> Any:
    spread = optuna.distributions
    if dimension.low is None or dimension.high is None:
        return spread.CategoricalDistribution(dimension.values)
    if dimension.is_whole:
        return spread.IntDistribution(int(dimension.low), int(dimension.high), step=int(dimension.step or 1))
    return spread.FloatDistribution(dimension.low, dimension.high, step=dimension.step)


def _on_step(dimension: Dimension, value: Value) -> Value:
    """Return the dimension's own value nearest to a proposal, which may have gathered a rounding error."""
    if dimension.low is None or dimension.step is None or isinstance(value, str):
        return value
    return dimension.values[min(round((value - dimension.low) / dimension.step), len(dimension.values) - 1)]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Say nothing of what is experimental in Optuna: which parts are used is our business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
