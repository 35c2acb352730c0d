"""`manjha db`: the state of the database of records, its migrations, and its read models made anew from a journal."""

from contextlib import closing
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The database of records: its state, its migrations, its read models.",
)

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


@app.command()
def status(*, json: Json = False) -> None:
    """Say where the database is, of which migration its tables are, and how many rows they have. Changes nothing."""
    from manjha.adapters.sql.database import HEAD
    from manjha.app.bootstrap import database
    from manjha.app.cli.output import print_json, print_table
    from manjha.app.settings import load_settings

    with closing(database(load_settings())) as held:
        revision, counts = held.revision(), held.counts()
    if json:
        print_json({"database": held.name, "migration": revision or None, "newest": HEAD, "rows": counts})
        return
    if not revision:
        print(f"{held.name}: no tables yet; they are made when something is recorded.")
        return
    behind = "" if revision == HEAD else f" (the newest is {HEAD}: `manjha db upgrade`)"
    if revision > HEAD:
        behind = f" (made by a newer Manjha; this one knows {HEAD})"
    print(f"{held.name}: tables of migration {revision}{behind}")
    print_table(("table", "rows"), list(counts.items()))


@app.command()
def upgrade(*, json: Json = False) -> None:
    """Bring the tables to the newest migration, whole or not at all. Every other command does so by itself."""
    from manjha.adapters.sql.database import HEAD

    _move(HEAD, json=json)


@app.command()
def downgrade(
    migration: Annotated[str, typer.Argument(help="The migration to go back to, like 0002.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: newer tables are dropped with what is in them.")] = False,
    json: Json = False,
) -> None:
    """Take the tables back to an older migration, for an older Manjha; the next command of this one brings them up."""
    from manjha.app.bootstrap import database
    from manjha.app.settings import load_settings
    from manjha.domain.errors import UsageError

    with closing(database(load_settings())) as held:
        there = held.revision()
    if migration > there:
        raise UsageError(
            f"the tables are of migration {there or 'none'}, {migration} is not older", hint="`manjha db upgrade`"
        )
    if not yes:
        raise UsageError(
            f"going back from {there} to {migration} drops newer tables and columns with what is in them",
            hint="Make a backup, then repeat with --yes.",
        )
    _move(migration, json=json)


@app.command()
def rebuild(
    where: Annotated[
        str, typer.Argument(help="The journal's file, or the URL of its database; else the account's own.")
    ] = "",
    *,
    account: Annotated[
        str, typer.Option("--account", help="Which account's: of several in a database, or of your own.")
    ] = "",
    goes_on: Annotated[bool, typer.Option("--continue", help="Go on from the row that they have come to.")] = False,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Rows of the journal in one transaction.")] = 2_000,
    json: Json = False,
) -> None:
    """Make orders, trades, contract notes, positions and runs of an account anew from its journal."""
    from functools import partial

    from manjha.app.bootstrap import journal_to_read, read_model_reference, unit_of_work
    from manjha.app.cli.output import print_json, progress_bar
    from manjha.app.settings import load_settings
    from manjha.app.trading.account_parts import journal_asked
    from manjha.services import read_models

    settings = load_settings()
    make = read_models.follow if goes_on else read_models.rebuild
    asked = journal_asked(settings, where, account)
    with closing(journal_to_read(*asked)) as journal, closing(unit_of_work(settings)) as work:
        reference = read_model_reference(settings)
        with progress_bar() as tell:
            done = make(journal, work, reference, batch=batch, tell=partial(tell, "rows"))
    before, reached = done.before, done.reached
    if json:
        print_json({"account": reached.account, "from": before.seq, "reached": reached.seq})
    else:
        print(f"The read models of {reached.account} are at row {reached.seq:,} of the journal, from {before.seq:,}.")


def _move(migration: str, *, json: bool) -> None:
    from manjha.app.bootstrap import database
    from manjha.app.cli.output import print_json
    from manjha.app.settings import load_settings

    with closing(database(load_settings())) as held:
        before = held.revision()
        held.move_to(migration)
    if json:
        print_json({"database": held.name, "before": before or None, "migration": migration})
    elif before == migration:
        print(f"{held.name}: the tables are of migration {migration} already.")
    else:
        print(f"{held.name}: the tables are of migration {migration} now, were of {before or 'none'}.")
