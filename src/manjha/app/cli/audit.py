"""`manjha audit`: the log of who was let in and what was changed."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The log of who was let in and what was changed.")

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


@app.command("list")
def list_(
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many, the newest first.")] = 50,
    json: Json = False,
) -> None:
    """Show what was logged, the newest first."""
    import msgspec

    from manjha.app.cli.output import print_json, print_table
    from manjha.app.serving.access import access_desk
    from manjha.app.settings import load_settings
    from manjha.domain.moments import format_ts

    rows = access_desk(load_settings()).audit.newest(limit=limit)
    if json:
        print_json(
            [
                {"seq": row.seq, "ts": format_ts(row.entry.ts_ns), "kind": row.entry.kind, "who": row.entry.who}
                | {"address": row.entry.address, "details": msgspec.Raw(row.entry.details.encode())}
                for row in rows
            ]
        )
        return
    cells = [
        (row.seq, format_ts(row.entry.ts_ns)[:19].replace("T", " "), row.entry.kind, row.entry.who, row.entry.address)
        for row in rows
    ]
    print_table(("row", "when", "what", "who", "from"), cells)


@app.command()
def verify(
    *,
    anchor: Annotated[
        str, typer.Option("--anchor", help="What this command printed before: the log must still have that row.")
    ] = "",
    json: Json = False,
) -> None:
    """Say whether the log is as it was written (exit code 1 if not), and where it ends: write that down elsewhere."""
    from manjha.app.cli.errors import FAULTY
    from manjha.app.cli.output import print_json
    from manjha.app.serving.access import access_desk
    from manjha.app.settings import load_settings
    from manjha.services.identity.audit import read_anchor, write_anchor

    log = access_desk(load_settings()).audit
    faults, end = log.faults(read_anchor(anchor) if anchor else None), write_anchor(log.head())
    if json:
        print_json({"whole": not faults, "faults": faults[:100], "anchor": end})
    elif faults:
        print("\n".join(faults[:20]))
    else:
        print(f"The audit log is whole; it ends at\n{end}")
    if faults:
        raise typer.Exit(FAULTY)
