"""The parts around a trader that belong to one account, put together; called by commands and by the trader."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from manjha.app.bootstrap import journal_to_read, system_clock
from manjha.app.settings import Settings
from manjha.app.trading.traded_where import FILE as TRADED_AT
from manjha.app.trading.traded_where import claim
from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.orders import AccountId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from manjha.adapters.notify.queued import Receiver
    from manjha.adapters.system.control_socket import ControlSocket
    from manjha.app.sentinel import SentinelParts
    from manjha.domain.controls import Answer, Request
    from manjha.domain.instrument import Exchange
    from manjha.market.rules import MarketRules
    from manjha.ports.control_inbox import Controls
    from manjha.ports.leader_lock import LeaderLock
    from manjha.ports.notifier import Notifier
    from manjha.ports.vitals import Vitals

VARIABLE = re.compile(r"\$\{(\w+)\}")
"""A variable of the environment in an address."""
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


def journal_of(settings: Settings, account: str) -> str:
    """Return where an account's journal lies: the database of `journal_url`, else its file.

    Raises `SettingsError` for a `journal_url` that is not PostgreSQL's, and `UsageError` as `places`.
    """
    file, url = places(settings, account).journal, settings.journal_url
    if not url:
        return str(file)
    if not url.startswith(("postgresql://", "postgresql+")):
        # What stands behind the first letters may be a password.
        raise SettingsError(
            f"journal_url must be the URL of a PostgreSQL database, begins with {url.partition(':')[0][:20]!r}",
            hint="Give one like postgresql://user@host/name; without the setting each account has a file.",
        )
    return url


def journal_to_trade(settings: Settings, account: str) -> str:
    """Return `journal_of`; raise `SettingsError` where the account has a file too, which a trader would not go on with.

    What that file says is open would be forgotten, and a trader of it would hold another lock.
    """
    where, file = journal_of(settings, account), places(settings, account).journal
    if where != str(file) and file.exists():
        raise SettingsError(
            f"journal_url is set, but {account} has a journal in {file}",
            hint="Leave the setting out to go on with it; or, when nothing of it is open, move it and "
            "the files beside it away.",
        )
    return where


def claim_account(settings: Settings, account: str, traded_at: str) -> None:
    """Write down where an account is traded. Raises `UsageError` as `require_begun_here` and `traded_where.claim`."""
    require_begun_here(settings, account)
    claim(places(settings, account).folder, traded_at)


def require_begun_here(settings: Settings, account: str) -> None:
    """Raise `UsageError` where the account's journal is in a database and was begun with another MANJHA_HOME.

    Its market data are there, and so is the note of where it is traded: paper trading must never go on at a broker.
    """
    where = journal_of(settings, account)
    if "://" not in where or (places(settings, account).folder / TRADED_AT).exists():
        return
    try:
        journal = journal_to_read(where, account)
    except SettingsError:
        # No journal of this account; or an address that is none, which whoever opens it to write says again.
        return
    try:
        rows = journal.head().seq
    finally:
        journal.close()
    if rows:
        raise UsageError(
            f"the journal of {account} in the database of journal_url was begun with another MANJHA_HOME",
            hint=f"Trade it with that one, which has its market data; or give {settings.home} another database.",
        )


def journal_asked(settings: Settings, where: str, account: str) -> tuple[str, str]:
    """Return the journal that a person asks for, and whose: what was named, else the account's own.

    `account` empty is, with `where`, the only one in it; without, the one of the settings. Raises as `journal_of`.
    """
    if where:
        return where, account
    account = account or settings.account
    return journal_of(settings, account), account


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
    """Return where an account's trader, who holds its lock, listens; `answered` is from earlier runs, oldest first."""
    from manjha.adapters.system.control_socket import ControlSocket

    return ControlSocket(places(settings, account).control, answered, leads=True)


def controls(settings: Settings, account: str) -> "Controls":
    """Return the way to an account's running trader."""
    from manjha.adapters.system.control_socket import SocketControls

    return SocketControls(places(settings, account).control)


def vitals(settings: Settings, account: str) -> "Vitals":
    """Return where an account's trader leaves its vital signs."""
    from manjha.adapters.files.vitals import VitalsFolder

    return VitalsFolder(places(settings, account).vitals)


def notifier(settings: Settings, environment: Mapping[str, str]) -> "Notifier":
    """Return who tells people; nobody where no address is set. Raises as `receivers`."""
    from manjha.adapters.notify.queued import QueuedNotifier
    from manjha.domain.notes import NoteKind, NoteLevel

    chosen = settings.notify
    levels: dict[NoteKind, NoteLevel | None] = {}
    for kind in NoteKind:
        name = getattr(chosen, kind, "info")
        levels[kind] = None if name == "off" else NoteLevel[name.upper()]
    return QueuedNotifier(receivers(settings, environment), levels, chosen.pace_s)


def receivers(settings: Settings, environment: Mapping[str, str]) -> "list[Receiver]":
    """Return where notes are delivered, in the order of the settings.

    Raises
    ------
    SettingsError
        An address is none, or names a variable that is not set, or Apprise is not installed.
    """
    urls = settings.notify.urls or ()
    if not urls:
        return []
    try:
        from manjha.adapters.notify.apprise import AppriseReceiver
    except ImportError:
        raise SettingsError(
            "notify.urls is set, but Apprise is not installed",
            hint="Install it: pip install 'manjha[notify]'; or leave the setting out.",
        ) from None
    return [AppriseReceiver(_filled(url, environment), number) for number, url in enumerate(urls, 1)]


def _filled(url: str, environment: Mapping[str, str]) -> str:
    """Put variables of the environment into an address, so that no secret need stand in a file."""
    missing = [name for name in VARIABLE.findall(url) if not environment.get(name)]
    if missing:
        raise SettingsError(
            f"notify.urls names the variable {missing[0]}, which is not set", hint=f"Set it: export {missing[0]}=…"
        )
    return VARIABLE.sub(lambda found: environment[found[1]], url)


def sentinel_parts(
    settings: Settings, account: str, notifier: "Notifier", rules: "MarketRules", exchanges: "Sequence[Exchange]"
) -> "SentinelParts":
    """Return what an account's sentinel works with where no broker is reached from outside: on paper."""
    import time

    from manjha.adapters.files.kill_writer import KillWriter
    from manjha.app.sentinel import SentinelParts
    from manjha.services.market_hours import is_open

    return SentinelParts(
        vitals=vitals(settings, account),
        kill=KillWriter(settings.home / "kill.json"),
        notifier=notifier,
        clock=system_clock(),
        in_session=lambda ts_ns: is_open(rules, exchanges, ts_ns),
        mono_ns=time.monotonic_ns,
    )
