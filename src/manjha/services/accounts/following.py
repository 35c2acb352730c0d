"""Read models that keep up with the journals of accounts which others trade: brought up to date when they are read."""

import threading
from collections.abc import Callable

from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.moments import SECOND_NS
from manjha.domain.orders import AccountId
from manjha.domain.read_models import FORM, Reached
from manjha.ports.journal import Journal
from manjha.ports.traders import Traders
from manjha.ports.unit_of_work import UnitOfWork
from manjha.services.folding import Reference
from manjha.services.read_models import follow, rebuild

FRESH_NS = SECOND_NS // 10
"""How old what was read of a journal may be; what was asked of its trader here is seen at once."""


class FollowedAccounts:
    """Brings read models up to their journals. Any thread may ask; one account is followed by one at a time.

    Parameters
    ----------
    reference
        Makes anew whom a fold asks: imports bring instruments while this runs.
    mono_ns
        A clock that never jumps.
    """

    def __init__(
        self, traders: Traders, records: UnitOfWork, reference: Callable[[], Reference], mono_ns: Callable[[], int]
    ) -> None:
        self._traders, self._records, self._reference, self._mono_ns = traders, records, reference, mono_ns
        self._locks: dict[AccountId, threading.Lock] = {}
        self._journals: dict[AccountId, Journal] = {}
        self._seen_ns: dict[AccountId, int] = {}
        self._guard = threading.Lock()

    def follow(self, account: AccountId, *, at_once: bool = False) -> None:
        """Bring the rows of an account up to date, unless they are fresh; with `at_once` always.

        Raises
        ------
        UsageError
            The rows were made of another journal.
        JournalHalted
            The journal cannot be read.
        """
        with self._guard:
            lock = self._locks.setdefault(account, threading.Lock())
        if not at_once and self._is_fresh(account):
            return
        with lock:
            if at_once or not self._is_fresh(account):
                self._follow(account)
                self._seen_ns[account] = self._mono_ns()

    def journal(self, account: AccountId) -> Journal | None:
        """Return an account's journal, to be read and not closed; None where there is none yet."""
        with self._guard:
            found = self._journals.get(account)
            if found is None:
                try:
                    found = self._journals[account] = self._traders.journal(account)
                except SettingsError:
                    return None
            return found

    def close(self) -> None:
        """Let the journals go."""
        with self._guard:
            for journal in self._journals.values():
                journal.close()
            self._journals.clear()

    def _is_fresh(self, account: AccountId) -> bool:
        seen = self._seen_ns.get(account)
        return seen is not None and self._mono_ns() - seen < FRESH_NS

    def _follow(self, account: AccountId) -> None:
        journal = self.journal(account)
        if journal is None:
            return
        before = self._reached(account)
        if before.seq == journal.head().seq:
            return
        try:
            # A fold of an older form has read less: its rows are made anew.
            (rebuild if 0 < before.form < FORM and before.seq else follow)(journal, self._records, self._reference())
        except UsageError:
            # Where another process follows the same journal, it has moved the rows on: then they are up to date.
            if self._reached(account).seq <= before.seq:
                raise

    def _reached(self, account: AccountId) -> Reached:
        with self._records.begin() as books:
            return books.read_models.reached(account)
