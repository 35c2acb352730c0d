"""How much of the best of many trials is luck: the ledger's trials are judged, and the judged one runs again."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from manjha.domain.errors import ManjhaError, UsageError
from manjha.domain.moments import DAY_NS
from manjha.domain.trials import Trial
from manjha.ports.trials import TrialLedger
from manjha.research.backtest import BacktestSpec
from manjha.research.fast import fast_backtest
from manjha.research.metrics.sample import Sample, sample
from manjha.research.overfit import (
    Against,
    Context,
    Fan,
    Independence,
    Judgement,
    JudgeOptions,
    RandomEntries,
    against_benchmark,
    judge,
    random_entries,
    resample_returns,
    shuffle_trades,
)
from manjha.research.round_trips import RoundTrip
from manjha.research.search.trial_table import SHARE, Chosen, TrialTable, trial_table, values_of
from manjha.research.search.variants import parameters_of, subject_of, vary

FEWEST_TRADES = 5
"""Closed trades below which their order and their entries say nothing."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged. `spec` is the run that is meant, where it is known: its bars, code and settings.

    `study` restricts the trials that are compared, `variant` (texts by parameter) the one that is judged; the number of
    trials is always that of all variants on the same instruments and days, at any interval.
    """

    strategy: str
    data_set: str
    study: str = ""
    variant: Mapping[str, str] = {}
    spec: BacktestSpec | None = None
    seed: int = 0
    paths: int = 1_000
    independence: Independence = Independence.ALL


class Trades(msgspec.Struct, frozen=True, eq=False):
    """What the trades of the judged variant tell. None where there are too few trades, or no benchmark.

    `shuffled` are its trades in other orders, `random` its entries against random ones in the instrument `traded`,
    `against` its days against holding the benchmark.
    """

    closed: int
    shuffled: Fan | None = None
    random: RandomEntries | None = None
    traded: str = ""
    against: Against | None = None


class Validation(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A variant judged. `bands` are of resampled days; `trades` is None where it could not be run again."""

    study: str
    table: TrialTable
    judgement: Judgement
    bands: Fan
    trades: Trades | None
    notes: tuple[str, ...]

    @property
    def trial(self) -> Trial:
        """The trial that is judged."""
        return self.table.judged

    @property
    def sentence(self) -> str:
        """The verdict as a sentence."""
        text = self.judgement.verdict.sentence
        return f"{text[:1].upper()}{text[1:]}."


def validate(
    ledger: TrialLedger,
    question: Question,
    load: Callable[[Trial], BacktestSpec],
    tell: Callable[[str], None] = lambda _what: None,
) -> Validation:
    """Judge the best variant of the trials, or the one that is asked for; the same seed gives the same numbers.

    `load` returns the run of a trial, where the question has none; what it raises becomes a note.

    Raises
    ------
    UsageError
        There are no trials, too few of them or of their days, or they kept no returns.
    """
    trials = ledger.trials(question.strategy, question.data_set)
    table = trial_table(trials, _chosen(ledger, question), ledger.counted)
    tell("judging")
    judgement = judge(
        table.returns,
        table.column,
        seed=question.seed,
        options=JudgeOptions(independence=question.independence, radius=None if table.is_grid else SHARE),
        context=Context(
            sharpes=table.sharpes,
            row=table.row,
            parameters=table.parameters if table.names else None,
            peers=table.peers,
        ),
    )
    tell("resampling")
    bands = resample_returns(table.returns[:, table.column], seed=question.seed, paths=question.paths)
    notes = [*table.notes, *judgement.notes]
    tell("running it again")
    trades = _trades(question, table.judged, load, notes)
    return Validation(
        study=question.study, table=table, judgement=judgement, bands=bands, trades=trades, notes=tuple(notes)
    )


def require_study(ledger: TrialLedger, study: str) -> tuple[str, str]:
    """Return strategy and data set of a study. Raises `UsageError` where it has none, or several."""
    found = ledger.subjects(study)
    if not found:
        raise UsageError(
            f"the ledger has no study {study!r}",
            hint="`manjha sweep` and `manjha optimize` say its name in their last lines; or give -s and --instrument.",
        )
    if len(found) > 1:
        listed = "; ".join(f"{strategy} on {data_set}" for strategy, data_set in found)
        raise UsageError(
            f"the study {study} is of {len(found)} strategies and data sets",
            hint=f"Give -s, --instrument and -i as well. It has: {listed}.",
        )
    return found[0]


def _chosen(ledger: TrialLedger, question: Question) -> Chosen:
    keys = None
    if question.study:
        found = ledger.trials(question.strategy, question.data_set, study=question.study)
        if not found:
            raise UsageError(
                f"the study {question.study} has no trials of {question.strategy} on {question.data_set}",
                hint="`manjha sweep` and `manjha optimize` say the name of a study in their last lines.",
            )
        keys = frozenset(one.key for one in found)
    if question.spec is None:
        return Chosen(study=keys, variant=question.variant)
    subject = subject_of(question.spec)
    return Chosen(
        study=keys,
        data_hash=subject.data_hash,
        kin=(subject.source_hash, subject.settings_hash),
        variant=question.variant,
    )


def _trades(question: Question, trial: Trial, load: Callable[[Trial], BacktestSpec], notes: list[str]) -> Trades | None:
    """Run the judged variant again and compare its trades; None, and a note, where that is not possible."""
    try:
        spec = vary(question.spec or load(trial), values_of(trial))
        again = Trial(subject_of(spec), parameters_of(spec.strategy), trial.outcome)
        if again.key != trial.key:
            notes.append(
                "its trades are not compared: under these options it is another run than the one that was tried "
                "(give the strategy and the options of the search)"
            )
            return None
        run = sample(fast_backtest(spec, may_compile=False))
    except ManjhaError as error:
        notes.append(f"its trades are not compared, because it cannot be run again: {error.message}")
        return None
    return _compared(spec, run, question, notes)


def _compared(spec: BacktestSpec, run: Sample, question: Question, notes: list[str]) -> Trades:
    closed, shuffled, random, traded = run.closed, None, None, ""
    if len(closed) < FEWEST_TRADES:
        notes.append(f"{len(closed)} closed trades are too few to compare them")
    else:
        shuffled = shuffle_trades(run.net, initial=run.result.initial, seed=question.seed, paths=question.paths)
        random, traded = _entries(spec, closed, question.seed, notes)
    against = None
    if len(run.benchmark) == len(run.returns) >= FEWEST_TRADES:
        against = against_benchmark(run.returns, run.benchmark, seed=question.seed)
    return Trades(len(closed), shuffled, random, traded, against)


def _entries(
    spec: BacktestSpec, closed: Sequence[RoundTrip], seed: int, notes: list[str]
) -> tuple[RandomEntries | None, str]:
    """Compare the entries in the most traded instrument with random ones."""
    most = Counter(trip.instrument for trip in closed).most_common(1)[0][0]
    name = next(one.display for one in spec.instruments if one.id == most)
    columns = next(one for one in spec.bars if one.instrument == most)
    first, last = columns.ts_open_ns[0], columns.ts_close_ns[len(columns) - 1]
    if any(one.instrument == most and first < one.ex_day * DAY_NS < last for one in spec.actions):
        notes.append(f"entries are not compared with random ones: {name} has corporate actions in the span")
        return None, ""
    opens = np.asarray(columns.ts_open_ns)
    mine = [trip for trip in closed if trip.instrument == most]
    begin = np.searchsorted(opens, [trip.entry_ns for trip in mine], side="right") - 1
    # A trade that ends within its first bar is held for that bar.
    end = np.maximum(np.searchsorted(opens, [trip.exit_ns for trip in mine], side="right") - 1, begin + 1)
    fits = (begin >= 0) & (end < len(opens))
    if int(fits.sum()) < FEWEST_TRADES:
        notes.append(f"{int(fits.sum())} closed trades in {name} are too few to compare with random entries")
        return None, ""
    sides = np.array([float(int(trip.side)) for trip in mine])
    found = random_entries(
        np.asarray(columns.open, np.float64), entries=begin[fits], exits=end[fits], sides=sides[fits], seed=seed
    )
    return found, name
