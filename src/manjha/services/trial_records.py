"""Everything that was evaluated goes into the ledger: searches in batches, single runs one by one."""

from types import TracebackType

import msgspec

from manjha.domain.trials import Trial, TrialOutcome, TrialScope, TrialSubject, tried_name
from manjha.ports.trials import TrialLedger
from manjha.research.backtest import BacktestSpec
from manjha.research.metrics.sample import sample
from manjha.research.result import BacktestResult
from manjha.research.search.summary import Asked, summarise
from manjha.research.search.variants import data_set_named, instruments_named, parameters_of, subject_of

BATCH = 100
"""Trials written at once: what a killed search can lose."""
SINGLE = "backtest"
"""The study of runs that belong to no search."""


class Recorder:
    """Gathers the trials of a study and writes them in batches; leaving it writes the rest, also after an error."""

    def __init__(self, ledger: TrialLedger, study: str) -> None:
        self._ledger = ledger
        self._study = study
        self._waiting: list[Trial] = []
        self.new = 0

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def add(self, subject: TrialSubject, parameters: str, outcome: TrialOutcome) -> None:
        """Take one trial."""
        self._waiting.append(Trial(subject, parameters, outcome))
        if len(self._waiting) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered. `new` then counts what the ledger had not seen."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.new += self._ledger.record(self._study, waiting)


class Counted(msgspec.Struct, frozen=True):
    """How often a strategy was tried on these instruments and days, at any interval, this run included.

    What it was chosen from was tried, too.
    """

    strategy: str
    instruments: str
    trials: int
    chosen_from: str = ""

    @property
    def words(self) -> str:
        """The count as a sentence."""
        variants = "variant" if self.trials == 1 else "variants"
        return f"{self.trials:,} {variants} of {self._name} tried on {self.instruments} so far"

    @property
    def sentence(self) -> str:
        """The count as a report says it of its run."""
        one = f"One of {self.trials:,} variants" if self.trials > 1 else "The only variant"
        return f"{one} of {self._name} tried on {self.instruments} so far."

    @property
    def _name(self) -> str:
        return tried_name(self.strategy, self.chosen_from)


def count_again(ledger: TrialLedger, result: BacktestResult) -> Counted:
    """Return how many variants of a result's strategy were tried on its data, without counting it."""
    scope = TrialScope(
        strategy=result.strategy,
        instruments=instruments_named(result.instruments),
        data_set=data_set_named(result.instruments, result.intervals[0]),
        first_ns=result.start_ns,
        last_ns=result.end_ns,
        chosen_from=result.chosen_from,
    )
    return Counted(result.strategy, scope.instruments, ledger.count(scope), result.chosen_from)


def trial_of(spec: BacktestSpec, result: BacktestResult) -> Trial:
    """Return a run as a trial, with its daily returns."""
    outcome = summarise(sample(result), Asked(with_returns=True)).outcome
    return Trial(subject_of(spec), parameters_of(spec.strategy), outcome)


def record_run(ledger: TrialLedger, trial: Trial) -> Counted:
    """Count a single run, and say how many variants there are now."""
    subject = trial.subject
    with Recorder(ledger, SINGLE) as recorder:
        recorder.add(subject, trial.parameters, trial.outcome)
    return Counted(subject.strategy, subject.instruments, ledger.count(subject.scope), subject.chosen_from)
