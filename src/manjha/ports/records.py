"""Books of records: runs, backtests, trained models, settings. Each works within one transaction."""

from collections.abc import Sequence
from typing import Protocol

from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, RunId
from manjha.domain.records import BacktestRecord, ModelVersion, Run, SettingChange, Stage


class RunBook(Protocol):
    """What was started, by account and id."""

    def begin(self, run: Run) -> None:
        """Record a run that begins. One that is there begins again: what is recorded of it is replaced."""
        ...

    def end(self, account: AccountId, run: RunId, ended_ns: TsNs, how: str) -> None:
        """Record that a run has ended. Raises `UsageError` if there is none."""
        ...

    def runs(self, account: AccountId, *, before: Run | None = None, limit: int = 100) -> Sequence[Run]:
        """Return the runs of an account, newest first; after a page, give its last one as `before`."""
        ...


class BacktestBook(Protocol):
    """Backtests that were run, each execution by itself."""

    def add(self, record: BacktestRecord) -> int:
        """Record one and return its number. Raises `UsageError` where its run is not recorded."""
        ...

    def backtests(self, *, before: int | None = None, limit: int = 100, strategy: str = "") -> Sequence[BacktestRecord]:
        """Return those of a lower number than `before`, newest first; of one strategy or of all."""
        ...


class ModelCatalogue(Protocol):
    """What is known of trained models."""

    def add(self, model: ModelVersion) -> None:
        """Record a version. Raises `UsageError` where name and version, or the hash, are there already."""
        ...

    def promote(self, name: str, version: int, stage: Stage) -> None:
        """Give a version a stage; a new champion retires the one before. Raises `UsageError` if it is not there."""
        ...

    def versions(self, name: str = "") -> Sequence[ModelVersion]:
        """Return the versions of a model or of all, by name, then newest first."""
        ...


class SettingBook(Protocol):
    """Settings that are changed while the program runs, with every value that they ever had."""

    def put(self, change: SettingChange) -> None:
        """Put a value. Its version is one more than the newest that whoever changes it has seen.

        Raises
        ------
        UsageError
            Somebody else has changed it meanwhile.
        """
        ...

    def get(self, key: str) -> SettingChange | None:
        """Return the newest value; None where there was never one."""
        ...

    def settings(self) -> Sequence[SettingChange]:
        """Return the newest value of every key, by key."""
        ...

    def history(self, key: str) -> Sequence[SettingChange]:
        """Return all values of a key, newest first."""
        ...
