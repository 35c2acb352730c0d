"""`manjha journal`: verify, replay and export. All of them only read."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manjha.app.cli.errors import FAULTY, OK
from manjha.domain.moments import format_ts

if TYPE_CHECKING:
    from manjha.services.replays import RunReplayed

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The journal of an account: is it whole, what is in it?"
)

Where = Annotated[str, typer.Argument(help="The journal's file, or the URL of its database; else the account's own.")]
Account = Annotated[str, typer.Option("--account", help="Which account's: of several in a database, or of your own.")]
Segments = Annotated[str, typer.Option("--segments", help="Folder of its market data, where that was moved.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
SHOWN = 20


@app.command()
def verify(where: Where = "", *, account: Account = "", segments: Segments = "", json: Json = False) -> None:
    """Walk the rows and their market data from first to last and name what is wrong. Exit code 1 if anything is."""
    from manjha.app.bootstrap import journal_to_read, market_segments
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json
    from manjha.app.settings import load_settings
    from manjha.app.trading.account_parts import journal_asked
    from manjha.services.journals import verified

    settings = load_settings()
    where, account = journal_asked(settings, where, account)
    journal = journal_to_read(where, account)
    try:
        found = verified(journal, market_segments(settings, where, journal.head().account, segments))
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
                "segments": found.segments,
                "market_bytes": found.market_bytes,
                "loose_bytes": found.loose_bytes,
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
        if found.segments:
            print(f"Its market data are whole: {found.market_bytes:,} bytes in {found.segments} segments.")
    if found.loose_bytes and not json:
        say(f"{found.loose_bytes:,} bytes of market data are stated by no row; the next writer cuts them off.")
    raise typer.Exit(FAULTY if found.faults else OK)


@app.command()
def replay(
    where: Where = "",
    *,
    account: Account = "",
    segments: Segments = "",
    strategy: Annotated[str, typer.Option("-s", "--strategy", help="Where it is found now, if elsewhere.")] = "",
    from_snapshot: Annotated[bool, typer.Option("--from-snapshot", help="Go on from the newest snapshot.")] = False,
    json: Json = False,
) -> None:
    """Step through what was recorded once more and name the first event that differs. Exit code 1 if one does."""
    from functools import partial

    from manjha.app.bootstrap import journal_to_read, market_rules, market_segments, strategy_source
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json, progress_bar
    from manjha.app.settings import load_settings
    from manjha.app.trading.account_parts import journal_asked
    from manjha.domain.errors import UsageError
    from manjha.services.replays import Replays, is_bare, recorded_runs

    settings = load_settings()
    source, rules = strategy_source(settings), market_rules(settings)
    where, account = journal_asked(settings, where, account)
    journal = journal_to_read(where, account)
    try:
        stored = market_segments(settings, where, journal.head().account, segments)
        replays = Replays(journal, stored, lambda name: source.find(strategy or name), rules)
        runs = recorded_runs(journal)
        if not runs:
            raise UsageError("the journal holds no recorded run", hint="`manjha backtest --journal PATH` records one.")
        lived = [run for run in runs if not is_bare(journal, run)]
        for run in runs:
            if run not in lived:
                say(f"run {run.terms.origin.run}, row {run.first:,}: it ended before anything happened in it")
        with progress_bar() as tell:
            found = [replays.replay(run, partial(tell, "replay"), from_snapshot=from_snapshot) for run in lived]
    finally:
        journal.close()
    if json:
        print_json({"runs": [document(one) for one in found]})
    else:
        for one in found:
            show(one)
    raise typer.Exit(FAULTY if any(one.found.difference for one in found) else OK)


@app.command()
def export(
    where: Where = "",
    *,
    out: Annotated[Path | None, typer.Option("--out", help="File to write; stdout if left out.")] = None,
    after: Annotated[int, typer.Option("--after", min=0, help="Leave out rows up to this number.")] = 0,
    account: Account = "",
) -> None:
    """Write the rows as JSON lines, oldest first: exact integers (prices in 1e-4 rupee, moments in UTC ns)."""
    from manjha.app.bootstrap import journal_to_read
    from manjha.app.cli.errors import say
    from manjha.app.settings import load_settings
    from manjha.app.trading.account_parts import journal_asked
    from manjha.domain.errors import UsageError
    from manjha.services.journals import lines_of

    if out is not None and not out.parent.is_dir():
        raise UsageError(f"there is no folder {out.parent}", hint="Make it, or give --out a file in one that is there.")
    journal = journal_to_read(*journal_asked(load_settings(), where, account))
    count = 0
    try:
        with open(out, "wb") if out is not None else open(sys.stdout.fileno(), "wb", closefd=False) as file:  # noqa: PTH123
            for line in lines_of(journal, after):
                file.write(line + b"\n")
                count += 1
    finally:
        journal.close()
    say(f"{count:,} rows written")


def document(one: "RunReplayed") -> dict[str, Any]:
    """Return a replayed run for JSON."""
    from manjha.engine.replay import parts_that_differ

    found, difference = one.found, one.found.difference
    return {
        "run": one.run.terms.origin.run,
        "strategy": one.run.terms.strategy,
        "rows": [one.run.first, one.run.last],
        "after": one.after,
        "events": found.events,
        "decisions": found.decisions,
        "digests": found.digests,
        "has_ended": found.has_ended,
        "state": found.digest,
        "changed": one.changed,
        "difference": None
        if difference is None
        else {
            "seq": difference.seq,
            "time": format_ts(difference.ts_ns),
            "event": difference.event,
            "recorded": difference.recorded,
            "came_out": difference.came_out,
            "parts": [
                {"part": part, "recorded": recorded, "came_out": came_out}
                for part, recorded, came_out in parts_that_differ(difference)
            ],
        },
    }


def show(one: "RunReplayed") -> None:
    """Print a replayed run: the same, or the first event that differs."""
    from manjha.app.cli.errors import say
    from manjha.engine.replay import parts_that_differ

    found, difference = one.found, one.found.difference
    name = f"run {one.run.terms.origin.run} of {one.run.terms.strategy}"
    for what in one.changed:
        say(f"{name}: {what}")
    since = f" after row {one.after:,}" if one.after else ""
    walked = f"{found.events:,} events{since}, {found.decisions:,} decisions, {found.digests:,} states compared"
    if difference is None:
        end = "" if found.has_ended else "; its end is not recorded"
        print(f"{name}: as recorded ({walked}{end})\n  state {found.digest}")
        return
    print(f"{name}: differs at row {difference.seq:,} ({format_ts(difference.ts_ns)}), after {walked}")
    print(f"  event     {difference.event}")
    for part, recorded, came_out in parts_that_differ(difference):
        print(f"  differs   in {part}: {recorded} was recorded, {came_out} came out")
    print(f"  recorded  {difference.recorded}")
    print(f"  came out  {difference.came_out}")
    print(f"  state     {found.digest}")
