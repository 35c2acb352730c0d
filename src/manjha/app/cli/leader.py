"""`manjha leader`: who trades an account, and how to take it away from a process that is stopped."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Who trades an account?")

Where = Annotated[str, typer.Argument(help="The journal's file, or the URL of its database; else the account's own.")]
Account = Annotated[str, typer.Option("--account", help="Id of the account.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]

MEANING = """\
{account} is traded by {holder}.
Taking it away means: that process can write nothing into the journal any more, and sends nothing that has to be
written first. It is not ended. What it had sent just before may still arrive at the broker, which knows nothing of
this; it is found by its tag when trading begins again. Do this only for a process that is stopped or gone, and end it
afterwards."""


@app.command()
def show(where: Where = "", *, account: Account, json: Json = False) -> None:
    """Say who holds the account's lock: process, machine, since when."""
    from manjha.app.cli.output import print_json
    from manjha.app.settings import load_settings
    from manjha.app.trading.account_parts import journal_asked, leader_lock
    from manjha.domain.moments import format_ts
    from manjha.domain.orders import AccountId

    where, _ = journal_asked(load_settings(), where, account)
    found = leader_lock(where, AccountId(account)).holder()
    if json:
        since = format_ts(found.since_ns) if found is not None and found.since_ns else None
        holder = None if found is None else {"pid": found.pid, "host": found.host, "since": since}
        print_json({"account": account, "holder": holder})
    else:
        print(f"{account} is traded by {found.display if found is not None else 'nobody'}.")


@app.command("take-away")
def take_away(
    where: Where = "",
    *,
    account: Account,
    confirm: Annotated[str, typer.Option("--confirm", help="The account's id once more; asked for if left out.")] = "",
) -> None:
    """Take the account from a process that holds it but is stopped, so that another one can trade it."""
    from manjha.app.bootstrap import journal_to_read, journal_to_write, system_clock
    from manjha.app.cli.errors import say
    from manjha.app.settings import load_settings
    from manjha.app.trading.account_parts import journal_asked, leader_lock
    from manjha.domain.errors import UsageError
    from manjha.domain.orders import AccountId, RunId

    where, _ = journal_asked(load_settings(), where, account)
    lock = leader_lock(where, AccountId(account))
    journal_to_read(where, account).close()
    held = lock.holder()
    if held is None:
        print(f"{account} is traded by nobody: there is nothing to take away.")
        return
    say(MEANING.format(account=account, holder=held.display))
    if (confirm or typer.prompt("Type the account's id to go on", err=True)) != account:
        raise UsageError("that is not the account's id: nothing was changed", hint=f"Say --confirm {account}.")
    journal = journal_to_write(where, AccountId(account))
    try:
        # First the fence, then the lock: whoever takes the lock next must find the old one unable to write.
        head = journal.begin(RunId(f"take-away-{system_clock().now_ns()}"))
    finally:
        journal.close()
    lock.take_away()
    print(f"{account} is free: epoch {head.epoch} has begun, and the old process is fenced. End it: kill {held.pid}.")
