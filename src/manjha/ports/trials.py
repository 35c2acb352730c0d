"""The trial ledger: every variant that was ever evaluated, so that a best one can be judged by how many there were."""

from collections.abc import Sequence
from typing import Protocol

from manjha.domain.trials import Trial, TrialScope


class TrialLedger(Protocol):
    """Keeps trials. The same evaluation recorded again is one row."""

    def record(self, study: str, trials: Sequence[Trial]) -> int:
        """Record trials of a study in one transaction; return how many evaluations were not there before.

        A row that failed or was pruned gives way to one that did better. A trial belongs to every study that it was
        recorded for.

        Raises
        ------
        SettingsError
            The database does not answer or cannot be written.
        """
        ...

    def count(self, scope: TrialScope) -> int:
        """Return how many distinct variants were evaluated in a scope, over all intervals and studies.

        This is the N that the best Sharpe ratio is deflated with. Failed trials have no result and do not count.
        """
        ...

    def counted(self, scope: TrialScope) -> Sequence[Trial]:
        """Return the trials that `count` counts variants of, without their daily returns, in the order of recording."""
        ...

    def sharpes(self, scope: TrialScope, data_hash: str) -> Sequence[int | None]:
        """Return the Sharpe ratio of a day of each variant that `count` counts, in 1e-12, in no order.

        It is that on the bars of `data_hash` where the variant was evaluated on them, else the last that was recorded.
        """
        ...

    def trials(self, strategy: str, data_set: str, *, study: str = "") -> Sequence[Trial]:
        """Return the trials of a strategy on a data set, of one study or of all, in the order of their recording."""
        ...

    def subjects(self, study: str) -> Sequence[tuple[str, str]]:
        """Return strategy and data set of each that a study has trials of, sorted; empty where there is no such study.

        Raises
        ------
        SettingsError
            The database does not answer.
        """
        ...
