"""One transaction over all records: what is done in it is there as a whole, or not at all."""

from contextlib import AbstractContextManager
from typing import Protocol

from manjha.ports.answers import AnswerBook, HookBook
from manjha.ports.identity import AttemptBook, AuditBook, PeopleBook, SessionBook, TokenBook
from manjha.ports.jobs import JobBook
from manjha.ports.read_models import ReadModels
from manjha.ports.records import BacktestBook, ModelCatalogue, RunBook, SettingBook


class Records(Protocol):
    """The books as they are within one transaction."""

    @property
    def read_models(self) -> ReadModels:
        """What journals add up to."""
        ...

    @property
    def runs(self) -> RunBook:
        """What was started."""
        ...

    @property
    def backtests(self) -> BacktestBook:
        """Backtests that were run."""
        ...

    @property
    def models(self) -> ModelCatalogue:
        """What is known of trained models."""
        ...

    @property
    def tokens(self) -> TokenBook:
        """Tokens, as keyed hashes."""
        ...

    @property
    def settings(self) -> SettingBook:
        """Settings and their history."""
        ...

    @property
    def jobs(self) -> JobBook:
        """Jobs that workers do."""
        ...

    @property
    def answers(self) -> AnswerBook:
        """What was answered under whose key."""
        ...

    @property
    def hooks(self) -> HookBook:
        """What programs outside may order."""
        ...

    @property
    def sessions(self) -> SessionBook:
        """Sessions of browsers."""
        ...

    @property
    def people(self) -> PeopleBook:
        """Who logs in."""
        ...

    @property
    def attempts(self) -> AttemptBook:
        """How often somebody has tried lately."""
        ...

    @property
    def audit(self) -> AuditBook:
        """The log of what was done with access, limits and switches."""
        ...


class UnitOfWork(Protocol):
    """Gives transactions over the records."""

    def begin(self) -> AbstractContextManager[Records]:
        """Begin a transaction. It is written at the end of the block, all of it, and left out where that raises.

        Raises
        ------
        SettingsError
            The database does not answer or cannot be written.
        """
        ...

    def read(self) -> AbstractContextManager[Records]:
        """Begin a transaction that only reads: it waits for no writer and sees what was written before it.

        Raises as `begin`.
        """
        ...

    def close(self) -> None:
        """Let the storage go."""
        ...
