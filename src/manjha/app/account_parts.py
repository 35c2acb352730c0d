"""The parts around a trader that belong to one account, put together; called by commands and by the trader."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from manjha.app.bootstrap import system_clock
from manjha.app.settings import Settings
from manjha.domain.errors import UsageError
from manjha.domain.orders import AccountId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from manjha.adapters.system.control_socket import ControlSocket
    from manjha.domain.controls import Answer, Request
    from manjha.ports.control_inbox import Controls
    from manjha.ports.leader_lock import LeaderLock
    from manjha.ports.vitals import Vitals

ACCOUNT_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


class Places(msgspec.Struct, frozen=True):
    """Where an account's files lie: a folder of its own in MANJHA_HOME/accounts."""

    folder: Path

    @property
    def journal(self) -> Path:
        """Its journal, where that is not in a database elsewhere."""
        return self.folder / "journal.db"

    @property
    def control(self) -> Path:
        """The socket that its trader listens at, in a folder that nobody else may enter."""
        return self.folder / "control" / "socket"

    @property
    def vitals(self) -> Path:
        """What its trader shows the sentinel."""
        return self.folder / "vitals"


def places(settings: Settings, account: str) -> Places:
    """Return where an account's files lie. Raises `UsageError` for an id that is no folder's name."""
    if not account or set(account) - ACCOUNT_LETTERS:
        raise UsageError(
            f"an account cannot be named {account!r}", hint="Its id has letters, digits, - and _ only, like AB1234."
        )
    return Places(settings.home / "accounts" / account)


def leader_lock(journal: str, account: AccountId) -> "LeaderLock":
    """Return the lock of the account whose journal lies here (a file, or a database's URL).

    It lies where the journal does: whoever can write the same journal meets the same lock.
    """
    if "://" in journal and not journal.startswith("sqlite"):
        from manjha.adapters.sql.leader_lock import SqlLeaderLock

        return SqlLeaderLock(journal, account, system_clock())
    from manjha.adapters.system.leader_lock import FileLeaderLock

    return FileLeaderLock(Path(journal.removeprefix("sqlite:///")).with_name("leader.lock"), system_clock())


def control_socket(
    settings: Settings, account: str, answered: "Iterable[tuple[Request, Answer]]" = ()
) -> "ControlSocket":
    """Return where an account's trader listens; `answered` are the controls of earlier runs, oldest first."""
    from manjha.adapters.system.control_socket import ControlSocket

    return ControlSocket(places(settings, account).control, answered)


def controls(settings: Settings, account: str) -> "Controls":
    """Return the way to an account's running trader."""
    from manjha.adapters.system.control_socket import SocketControls

    return SocketControls(places(settings, account).control)


def vitals(settings: Settings, account: str) -> "Vitals":
    """Return where an account's trader leaves its vital signs."""
    from manjha.adapters.files.vitals import VitalsFolder

    return VitalsFolder(places(settings, account).vitals)
