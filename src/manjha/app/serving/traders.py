"""Accounts of this home as the API reaches them, and traders started in processes of their own."""

import asyncio
import os
import signal
import socket
import subprocess  # nosec B404 - it starts our own program
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from manjha.app.bootstrap import journal_to_read
from manjha.app.settings import Settings
from manjha.app.trading.account_parts import controls, journal_of, leader_lock, places
from manjha.app.trading.traded_where import PAPER, traded_at
from manjha.domain.controls import AskStatus, Request
from manjha.domain.errors import AccountHeld, SourceError, UsageError
from manjha.domain.leader import Holder, held_by
from manjha.domain.orders import AccountId
from manjha.ports.control_inbox import Controls
from manjha.ports.journal import Journal
from manjha.ports.traders import FundsRow, SessionWords

PROGRAM = (sys.executable, "-c", "from manjha.app.cli import main; main()")
LOG = "trader.log"
WAITS_S, LOOKS_S = 30.0, 0.1
"""How long a start is watched until the trader listens, and how often it is looked at."""
HELD = 5
"""How `manjha trade` ends where another process trades the account."""
TAIL_BYTES, TAIL_LINES = 16_384, 40


class HomeTraders:
    """Implements `ports.traders.Traders` over the folders of a home."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._starting = threading.Lock()

    def accounts(self) -> list[AccountId]:
        """Return the accounts that are known. See the port."""
        folder = self._settings.home / "accounts"
        if not folder.is_dir():
            return []
        return sorted(
            AccountId(each.name) for each in folder.iterdir() if traded_at(each) or (each / LOG).is_file()
        )  # fmt: skip

    def traded_at(self, account: AccountId) -> str:
        """Return where an account is traded. See the port."""
        return traded_at(places(self._settings, account).folder)

    def holder(self, account: AccountId) -> Holder | None:
        """Return which process trades an account. See the port."""
        return leader_lock(journal_of(self._settings, account), account).holder()

    def controls(self, account: AccountId) -> Controls:
        """Return the way to an account's trader. See the port."""
        return controls(self._settings, account)

    def journal(self, account: AccountId) -> Journal:
        """Return an account's journal. See the port."""
        return journal_to_read(journal_of(self._settings, account), account)

    def start(self, words: SessionWords) -> None:
        """Start a trader. See the port."""
        account = AccountId(words.account)
        home = places(self._settings, account)
        with self._starting:
            found = self.holder(account)
            if found is not None:
                raise held_by(found)
            home.folder.mkdir(parents=True, exist_ok=True)
            log = home.folder / LOG
            descriptor = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
            try:
                since = os.fstat(descriptor).st_size
                # A session of its own: what ends this process must not end the trader.
                process = subprocess.Popen(  # noqa: S603  # nosec B603 - our own program, words checked before
                    [*PROGRAM, *command_of(words)], stdin=subprocess.DEVNULL, stdout=descriptor, stderr=descriptor,
                    start_new_session=True, env=os.environ | {"MANJHA_HOME": str(self._settings.home)},
                )  # fmt: skip
            finally:
                os.close(descriptor)
            # Somebody waits for its end, so that it leaves the system's list of processes when it does.
            threading.Thread(target=process.wait, name=f"trader {account}", daemon=True).start()
            self._await(account, process, log, since)

    def stop(self, account: AccountId) -> bool:
        """Ask an account's trader to end in order. See the port."""
        found = self.holder(account)
        if found is None or not found.pid:
            return False
        if found.host != socket.gethostname():
            raise UsageError(
                f"{account} is traded by {found.display}, which is another machine", hint="Stop it on that one."
            )
        try:
            os.kill(found.pid, signal.SIGTERM)
        except ProcessLookupError:
            return False
        return True

    def last_words(self, account: AccountId) -> list[str]:
        """Return what a trader has said last. See the port."""
        return _tail(places(self._settings, account).folder / LOG, 0)[-TAIL_LINES:]

    def funds(self, account: AccountId) -> Sequence[FundsRow] | None:
        """Return the account's money as its broker tells. See the port."""
        if self.traded_at(account) in ("", PAPER):
            return None
        return asyncio.run(self._funds(account))

    async def _funds(self, account: AccountId) -> list[FundsRow]:
        from manjha.adapters.kite.account import funds
        from manjha.app.kite.account import at_kite
        from manjha.app.trading.live_checks import require_account

        async with at_kite(self._settings) as kite:
            await require_account(kite.rest, account)
            return [
                FundsRow(one.segment, one.net, one.cash, one.collateral, one.payin, one.used)
                for one in await funds(kite.rest)
            ]

    def _await(self, account: AccountId, process: "subprocess.Popen[bytes]", log: Path, since: int) -> None:
        """Wait until a trader listens, has ended, or is taking its time. Raises what it said where it refused."""
        for look in range(int(WAITS_S / LOOKS_S)):
            try:
                code = process.wait(LOOKS_S)
            except subprocess.TimeoutExpired:
                if self._listens(account, f"api-started-{process.pid}-{look}"):
                    return
                continue
            if code == 0:
                return
            said = _tail(log, since)
            message, hint = refusal_in(said) or (f"the trader ended with {code}", "Its last words say more.")
            raise AccountHeld(message, hint=hint) if code == HELD else UsageError(message, hint=hint)

    def _listens(self, account: AccountId, key: str) -> bool:
        try:
            return not self.controls(account).ask(Request(key, AskStatus())).refused
        except SourceError:
            return False


def command_of(words: SessionWords) -> list[str]:
    """Return the words of `manjha` that start a session; each value is one word, so none can be an option."""
    named = {
        "account": words.account, "strategy": words.strategy, "interval": words.interval, "from": words.start,
        "to": words.end, "cash": words.cash, "size": words.size, "product": words.product, "speed": words.speed,
        "yes-account": words.confirmed,
    }  # fmt: skip
    said = ["trade", *(f"--{name}={value}" for name, value in named.items() if value)]
    said += [f"--instrument={name}" for name in words.instruments]
    said += [f"--param={name}={value}" for name, value in words.parameters]
    return [*said, "--live"] if words.confirmed else said


def refusal_in(lines: Iterable[str]) -> tuple[str, str] | None:
    """Return the last error that a command has said, and its hint; None where it said none."""
    found: tuple[str, str] | None = None
    for line in lines:
        if line.startswith("error: "):
            found = (line.removeprefix("error: "), "")
        elif line.startswith("  try: ") and found is not None:
            found = (found[0], line.removeprefix("  try: "))
    return found


def _tail(path: Path, since: int) -> list[str]:
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since, end - TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
