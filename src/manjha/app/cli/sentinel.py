"""`manjha sentinel`: watch a trader from outside."""

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manjha.app.sentinel import Sentinel, SentinelParts
    from manjha.app.settings import Settings
    from manjha.domain.notes import Note
    from manjha.ports.notifier import Notifier

app = typer.Typer(add_completion=False)

PATIENCE_S = 10
"""How long notes may still be delivered when it ends."""


class _AlsoSaid:
    """Implements `ports.notifier.Notifier`: what is told is on the terminal as well, where no address is set too."""

    def __init__(self, tells: "Notifier") -> None:
        self._tells = tells

    def tell(self, note: "Note") -> None:
        """Say a note and hand it on."""
        from manjha.app.cli.errors import say

        say(f"{note.title}: {note.text}")
        self._tells.tell(note)

    def close(self, patience_s: int) -> None:
        """End; see the port."""
        self._tells.close(patience_s)


@app.command()
def sentinel(
    account: Annotated[str, typer.Option("--account", help="Id of the account whose trader is watched.")],
    *,
    exchange: Annotated[
        list[str] | None, typer.Option("--exchange", help="Where it trades: NSE, BSE, NFO, BFO, CDS, BCD, MCX.")
    ] = None,
) -> None:
    """Watch a trader until interrupted: throw the kill switch and call a person when its loop stands still.

    At Kite it also compares what the account shows with what the trader believes, and cancels what a trader that stands
    still has left open. On paper the exchange lives in the trader, so there is nothing to compare and to cancel.
    """
    from manjha.app.bootstrap import market_rules
    from manjha.app.cli.errors import say
    from manjha.app.settings import load_settings
    from manjha.app.trading.account_parts import notifier, places, sentinel_parts
    from manjha.domain.errors import UsageError
    from manjha.domain.instrument import Exchange

    names = exchange or ["NSE"]
    if unknown := [name for name in names if name.upper() not in Exchange.__members__]:
        raise UsageError(f"--exchange expects one of {', '.join(Exchange)}, was {unknown[0]!r}")
    settings = load_settings()
    tells = _AlsoSaid(notifier(settings, os.environ))
    rules, exchanges = market_rules(settings), [Exchange(name.upper()) for name in names]
    parts = sentinel_parts(settings, account, tells, rules, exchanges)
    say(f"watching the trader of {account} by {places(settings, account).vitals}; ^C ends it")
    if parts.vitals.heartbeat() is None:
        say(_never_seen(settings, account))
    try:
        asyncio.run(_watched(settings, account, parts))
    finally:
        tells.close(PATIENCE_S)


def _never_seen(settings: "Settings", account: str) -> str:
    """Say that nothing is watched yet, and which accounts have left a sign of life, as the name may be mistyped."""
    from manjha.app.trading.account_parts import ACCOUNT_LETTERS, vitals

    folder = settings.home / "accounts"
    names = sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    seen = [
        name for name in names if not set(name) - ACCOUNT_LETTERS and vitals(settings, name).heartbeat() is not None
    ]
    known = f"those of {', '.join(seen)} have" if seen else "nor has any other"
    return (
        f"warning: no trader of {account} has ever left a sign of life in {settings.home} ({known}): nothing is "
        "watched until one begins there; is the account's id right, and MANJHA_HOME the trader's?"
    )


async def _watched(settings: "Settings", account: str, parts: "SentinelParts") -> None:
    """Watch, with a way to the broker where the account trades at one."""
    import msgspec

    from manjha.app.cli.errors import say
    from manjha.app.kite.account import near_kite
    from manjha.app.kite.watched_account import WatchedAccount
    from manjha.app.sentinel import Sentinel
    from manjha.app.trading.account_parts import places
    from manjha.app.trading.traded_where import PAPER, traded_at

    if traded_at(places(settings, account).folder) == PAPER:
        say("it is traded on paper, whose exchange lives in the trader: nothing is compared or cancelled from here")
        await _watch(Sentinel(parts))
        return
    async with near_kite(settings) as kite:
        seen = WatchedAccount(settings, account, kite, parts.vitals.ledger)
        simulated = " (a simulated exchange, whose time is followed)" if kite.times.at_simulation else ""
        say(f"what the account shows is read at {settings.kite.url}{simulated}")
        if why := seen.why_not():
            say(f"warning: {why}; until that changes nothing is compared or cancelled")
        at_kite = msgspec.structs.replace(parts, account=seen, in_session=lambda _ns: parts.in_session(seen.now_ns()))
        await _watch(Sentinel(at_kite))


async def _watch(watcher: "Sentinel") -> None:
    ends = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, ends.set)
    await watcher.run(ends)
