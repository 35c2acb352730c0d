"""`manjha journal`: verify and export. Both read only."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from manjha.app.cli.errors import FAULTY, OK

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The journal of an account: is it whole, what is in it?"
)

Where = Annotated[str, typer.Argument(help="The journal's file, or the URL of its database.")]
Account = Annotated[str, typer.Option("--account", help="Which account's, where a database has several.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
SHOWN = 20


@app.command()
def verify(where: Where, *, account: Account = "", json: Json = False) -> None:
    """Walk the chain of rows from the first to the last and name what is wrong. Exit code 1 if anything is."""
    from manjha.app.bootstrap import journal_to_read
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json
    from manjha.services.journals import verified

    journal = journal_to_read(where, account)
    try:
        found = verified(journal)
    finally:
        journal.close()
    head = found.head
    if json:
        print_json(
            {
                "account": head.account,
                "rows": found.rows,
                "epoch": head.epoch,
                "head": head.hash.hex(),
                "faults": [{"seq": fault.seq, "what": fault.what} for fault in found.faults],
            }
        )
    elif found.faults:
        for fault in found.faults[:SHOWN]:
            print(fault.what)
        if len(found.faults) > SHOWN:
            print(f"and {len(found.faults) - SHOWN:,} more")
        count, first = len(found.faults), found.faults[0].seq
        say(f"The journal of {head.account} is not whole: {count:,} faults, the first at row {first}.")
        say("Keep the file as it is. What stands before the first fault is whole and can be exported.")
    else:
        rows, term = f"{found.rows:,} rows", f"{head.epoch} epochs"
        print(f"The journal of {head.account} is whole: {rows} in {term}, head {head.hash.hex()[:16]}.")
    raise typer.Exit(FAULTY if found.faults else OK)


@app.command()
def export(
    where: Where,
    *,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; stdout if left out.")] = None,
    after: Annotated[int, typer.Option("--after", min=0, help="Leave out rows up to this number.")] = 0,
    account: Account = "",
) -> None:
    """Write the rows as JSON lines, oldest first: exact integers (prices in 1e-4 rupee, moments in UTC ns)."""
    from manjha.app.bootstrap import journal_to_read
    from manjha.app.cli.errors import say
    from manjha.services.journals import lines_of

    journal = journal_to_read(where, account)
    count = 0
    try:
        with open(out, "wb") if out is not None else open(sys.stdout.fileno(), "wb", closefd=False) as file:  # noqa: PTH123
            for line in lines_of(journal, after):
                file.write(line + b"\n")
                count += 1
    finally:
        journal.close()
    say(f"{count:,} rows written")
