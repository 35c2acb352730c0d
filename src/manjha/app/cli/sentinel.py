"""`manjha sentinel`: watch a trader from outside."""

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manjha.app.sentinel import Sentinel

app = typer.Typer(add_completion=False)

PATIENCE_S = 10
"""How long notes may still be delivered when it ends."""


@app.command()
def sentinel(
    account: Annotated[str, typer.Option("--account", help="Id of the account whose trader is watched.")],
    *,
    exchange: Annotated[
        list[str] | None, typer.Option("--exchange", help="Where it trades: NSE, BSE, NFO, BFO, CDS, BCD, MCX.")
    ] = None,
) -> None:
    """Watch a trader until interrupted: throw the kill switch and call a person when its loop stands still.

    It compares with the broker and cancels orders only where the account's broker can be reached from a process of
    its own; on paper the exchange lives in the trader.
    """
    from manjha.app.account_parts import notifier, sentinel_parts
    from manjha.app.bootstrap import market_rules
    from manjha.app.cli.errors import say
    from manjha.app.sentinel import Sentinel
    from manjha.app.settings import load_settings
    from manjha.domain.errors import UsageError
    from manjha.domain.instrument import Exchange

    names = exchange or ["NSE"]
    if unknown := [name for name in names if name.upper() not in Exchange.__members__]:
        raise UsageError(f"--exchange expects one of {', '.join(Exchange)}, was {unknown[0]!r}")
    settings = load_settings()
    tells = notifier(settings, os.environ)
    rules, exchanges = market_rules(settings), [Exchange(name.upper()) for name in names]
    parts = sentinel_parts(settings, account, tells, rules, exchanges)
    say(f"watching the trader of {account}; ^C ends it")
    try:
        asyncio.run(_watch(Sentinel(parts)))
    finally:
        tells.close(PATIENCE_S)


async def _watch(watcher: "Sentinel") -> None:
    ends = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, ends.set)
    await watcher.run(ends)
