"""Accounts of this home, and the processes that trade them."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from manjha.domain.leader import Holder
from manjha.domain.money import Cash
from manjha.domain.orders import AccountId
from manjha.ports.control_inbox import Controls
from manjha.ports.journal import Journal


class SessionWords(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be traded, in the words of `manjha trade`; empty is its default.

    `start` and `end` are the days of stored bars that are traded on paper. `confirmed` is the account's id once more,
    given by whoever wants to trade with real money; empty is paper.
    """

    account: str
    strategy: str
    instruments: tuple[str, ...]
    interval: str = ""
    start: str = ""
    end: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    cash: str = ""
    size: str = ""
    product: str = ""
    speed: str = ""
    confirmed: str = ""


class FundsRow(msgspec.Struct, frozen=True):
    """The money of one of an account's ledgers, in 1e-4 rupee; None where the place that keeps it does not say."""

    segment: str
    net: Cash
    cash: Cash | None = None
    collateral: Cash | None = None
    paid_in: Cash | None = None
    used: Cash | None = None


class Traders(Protocol):
    """Accounts, and what trades them. An account is known once it was traded here, or somebody tried to."""

    def accounts(self) -> Sequence[AccountId]:
        """Return the accounts that are known, by name."""
        ...

    def traded_at(self, account: AccountId) -> str:
        """Return where an account is traded, in words; empty where nothing was traded yet."""
        ...

    def holder(self, account: AccountId) -> Holder | None:
        """Return which process trades an account; None for none."""
        ...

    def controls(self, account: AccountId) -> Controls:
        """Return the way to an account's trader."""
        ...

    def journal(self, account: AccountId) -> Journal:
        """Return an account's journal, to be read and closed. Raises `SettingsError` where there is none."""
        ...

    def start(self, words: SessionWords) -> None:
        """Start a trader in a process of its own, which outlives this one; return once it listens, or is on its way.

        Raises
        ------
        UsageError
            A word that means nothing, or the trader refused to begin: in its own words.
        AccountHeld
            Another process trades the account.
        """
        ...

    def stop(self, account: AccountId) -> bool:
        """Ask an account's trader to end in order, as an interrupt does; its run goes on when it is started again.

        Tell whether there was one. Raises `UsageError` where it runs on another machine.
        """
        ...

    def last_words(self, account: AccountId) -> Sequence[str]:
        """Return the last lines that a trader started here has said, oldest first."""
        ...

    def funds(self, account: AccountId) -> Sequence[FundsRow] | None:
        """Return the account's money as its broker tells; None where it is traded at none. Raises `SourceError`."""
        ...
