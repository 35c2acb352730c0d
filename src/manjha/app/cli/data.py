"""`manjha data`: import, fetch, list, gaps, verify, export, record."""

from pathlib import Path
from typing import Annotated

import typer

from manjha.app.cli.errors import OK, SOURCE, USAGE

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Bring market data in, look at it, check it.")

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]
IntervalText = Annotated[str, typer.Option("-i", "--interval", help="1m, 5m, 15m, 60m, 1d ...")]
From = Annotated[str, typer.Option("--from", help="First day, like 2026-01-31.")]
To = Annotated[str, typer.Option("--to", help="Last day, included.")]
InstrumentName = Annotated[str, typer.Option("--instrument", help="Like NSE:RELIANCE or reliance.")]


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Files, archives (zip, gz) and folders.")],
    *,
    form: Annotated[str, typer.Option("--format", help="Force a format by name.")] = "",
    instrument: Annotated[str, typer.Option("--instrument", help="What a file is of that does not say it.")] = "",
    interval: IntervalText = "",
    unit: Annotated[str, typer.Option("--unit", help="rupees or paise, where it cannot be known.")] = "",
    stamps: Annotated[str, typer.Option("--stamps", help="open or close: what a bar's time means.")] = "",
    zone: Annotated[str, typer.Option("--zone", help="IST or UTC, for times without a zone.")] = "",
    day: Annotated[str, typer.Option("--day", help="The day of a file that does not say its own.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Let rows overwrite stored ones that differ.")] = False,
    json: Json = False,
) -> None:
    """Read files into the store. The format is found by content; bad rows are quarantined, each with its reason.

    A second import of the same file changes nothing. Exit code 2 if any file could not be used.
    """
    from manjha.app.bootstrap import instrument_book
    from manjha.app.cli.data_output import print_files, print_steps
    from manjha.app.cli.output import print_json, progress_bar
    from manjha.app.data_documents import summary_json
    from manjha.app.data_runs import ImportWords, run_import
    from manjha.app.settings import load_settings

    settings = load_settings()
    words = ImportWords(
        format=form, instrument=instrument, interval=interval, unit=unit, stamps=stamps, zone=zone, day=day,
        replace=replace,
    )  # fmt: skip
    with progress_bar() as progress:
        summary = run_import(settings, paths, words, progress)
    if json:
        print_json(summary_json(summary))
    else:
        print_files(summary.files, lambda name: instrument_book(settings).get(name).display)
        print_steps(summary.steps)
    raise typer.Exit(USAGE if summary.failed else OK)


@app.command()
def fetch(
    source: Annotated[str, typer.Option("--source", help="Where from: kite, yahoo, nse, bse.")],
    instrument: Annotated[list[str], typer.Option("--instrument", help="Like NSE:RELIANCE; may be repeated.")],
    *,
    start: From,
    end: To,
    interval: IntervalText = "1d",
    json: Json = False,
) -> None:
    """Download what is missing between two days, and store it piece by piece; run again, it goes on."""
    from manjha.app.bootstrap import instrument_book
    from manjha.app.cli.data_output import print_fetch
    from manjha.app.cli.output import print_json, progress_bar
    from manjha.app.data_documents import fetch_json
    from manjha.app.data_runs import FetchWords, run_fetch
    from manjha.app.settings import load_settings

    settings = load_settings()
    words = FetchWords(source=source, instruments=tuple(instrument), start=start, end=end, interval=interval)
    with progress_bar() as progress:
        summary = run_fetch(settings, words, progress)
    if json:
        print_json(fetch_json(summary))
    else:
        print_fetch(summary, lambda name: instrument_book(settings).get(name).display)
    failed = any(report.problem for report in summary.files)
    raise typer.Exit(SOURCE if summary.problem else USAGE if failed else OK)


@app.command("list")
def list_(instrument: InstrumentName = "", interval: IntervalText = "", json: Json = False) -> None:
    """List what is stored: instrument, interval, state of adjustment, rows, first and last bar, sources."""
    from manjha.app.bootstrap import bar_store, instrument_book
    from manjha.app.cli.data_output import print_series, series_json
    from manjha.app.cli.output import print_json
    from manjha.app.data_runs import interval_of
    from manjha.app.settings import load_settings
    from manjha.services.stored import list_series

    settings = load_settings()
    found = list_series(bar_store(settings), instrument_book(settings), instrument, interval_of(interval) or None)
    if json:
        print_json(series_json(found))
    else:
        print_series(found)


@app.command()
def gaps(
    instrument: InstrumentName, *, interval: IntervalText = "1d", start: From = "", end: To = "", json: Json = False
) -> None:
    """Show days and bars that the calendar expects and the store does not have."""
    from manjha.app.bootstrap import bar_store, instrument_book, market_rules
    from manjha.app.cli.data_output import gaps_json, print_gaps
    from manjha.app.cli.output import print_json
    from manjha.app.data_runs import day_of_text, interval_of
    from manjha.app.settings import load_settings
    from manjha.services.gaps import gaps as find_gaps

    settings = load_settings()
    found = instrument_book(settings).find(instrument)
    span = (day_of_text(start), day_of_text(end))
    report = find_gaps(bar_store(settings), market_rules(settings), found, interval_of(interval), span)
    if json:
        print_json(gaps_json(report))
    else:
        print_gaps(report)


@app.command()
def verify(
    *,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Move damaged files out of the store, so that an import restores them.")
    ] = False,
    json: Json = False,
) -> None:
    """Check every stored file against its hash, row count and order. Exit code 2 if anything is wrong."""
    from manjha.app.bootstrap import bar_store
    from manjha.app.cli.data_output import print_set_aside, print_verified
    from manjha.app.cli.output import print_json
    from manjha.app.settings import load_settings

    store = bar_store(load_settings())
    files = len(store.partitions())
    if set_aside:
        aside = store.set_aside()
        if json:
            print_json({"files": files, "set_aside": aside})
        else:
            print_set_aside(files, aside)
        return
    problems = store.verify()
    if json:
        print_json({"files": files, "problems": problems})
    else:
        print_verified(files, problems)
    raise typer.Exit(USAGE if problems else OK)


@app.command()
def export(
    instrument: InstrumentName,
    out: Annotated[Path, typer.Option("--out", help="A file that ends in .csv or .parquet.")],
    *,
    interval: IntervalText = "1d",
    start: From = "",
    end: To = "",
    adjustment: Annotated[str, typer.Option("--adjustment", help="raw, split, total; else raw where stored.")] = "",
    json: Json = False,
) -> None:
    """Write stored bars to a file, in rupees and Indian time."""
    from manjha.adapters.files.export import export_bars
    from manjha.app.bootstrap import bar_store, instrument_book
    from manjha.app.cli.output import print_json
    from manjha.app.data_runs import day_of_text, interval_of, one_of
    from manjha.app.settings import load_settings
    from manjha.services.stored import load_bars, span_ns

    settings = load_settings()
    store, found = bar_store(settings), instrument_book(settings).find(instrument)
    span, state = (day_of_text(start), day_of_text(end)), one_of("--adjustment", adjustment, ("raw", "split", "total"))
    bars = load_bars(store, found, interval_of(interval), span, state)
    state = state or store.adjustment(found.id, bars.interval, *span_ns(span))
    export_bars(out, bars)
    if json:
        print_json({"file": str(out), "instrument": found.id, "adjustment": state, "rows": len(bars)})
    else:
        print(f"{len(bars):,} {state} bars of {found.display} written to {out}")


@app.command()
def record(
    *,
    stream: Annotated[
        str, typer.Option("--stream", help="NATS server, or `here` for the ticker in this process; else stream.url.")
    ] = "",
    instrument: Annotated[
        list[str] | None, typer.Option("--instrument", help="With --stream here; may be repeated.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Of its place in the stream: one recorder each.")] = "recorder",
    json: Json = False,
) -> None:
    """Record a stream of ticks, and their minute bars into the store, until the publisher ends or ^C.

    Nothing is acknowledged before it is durable: killed at any moment, it goes on where it was. What is missing stands
    in the record beside each day's file in MANJHA_HOME/ticks.
    """
    from manjha.app.cli.data_output import print_recorded, recorded_json
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json
    from manjha.app.settings import load_settings
    from manjha.app.streaming.recording import record_ticks
    from manjha.app.streaming.streams import address_of

    settings = load_settings()
    done = record_ticks(settings, address_of(settings, stream), instrument or (), name, say)
    if json:
        print_json(recorded_json(done))
    else:
        print_recorded(done)
