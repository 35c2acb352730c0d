"""`manjha validate`: how much of the best of all trials is luck."""

from typing import Annotated, Any

import typer

from manjha.app.cli import search_options as options

app = typer.Typer(add_completion=False)


@app.command()
@options.with_terms()
def validate(
    *,
    strategy: Annotated[str, typer.Option("-s", "--strategy", help="A library name, or path/to/file.py[:Class].")] = "",
    instrument: Annotated[
        list[str] | None, typer.Option("--instrument", help="Like NSE:RELIANCE; may be repeated.")
    ] = None,
    study: Annotated[str, typer.Option("--study", help="Compare the trials of this search only.")] = "",
    variant: Annotated[str, typer.Option("--variant", help="Judge fast=5,slow=20 instead of the best.")] = "",
    independence: Annotated[
        str, typer.Option("--independence", help="How trials are counted: all, correlation or clusters.")
    ] = "all",
    seed: options.Seed = 0,
    terms: dict[str, Any],
    report: options.Report = None,
    no_report: options.NoReport = False,
    json: options.Json = False,
) -> None:
    """Judge the best of all trials of a strategy on a data set, or of a study, by how many there were."""
    from manjha.app.cli.output import print_json, print_table, progress_bar
    from manjha.app.research.search_runs import run_validation
    from manjha.app.research.validation_tables import HEADERS, heading, rows_of, validation_document, validation_page
    from manjha.app.research.validations import ValidationWords
    from manjha.app.settings import load_settings
    from manjha.research.search_report import write_search_page

    settings = load_settings()
    words = ValidationWords(
        strategy=strategy,
        instruments=tuple(instrument or ()),
        terms=terms,
        study=study,
        variant=variant,
        independence=independence,
        seed=seed,
    )
    with progress_bar() as tell:
        found = run_validation(settings, words, tell)
        name = f"validate-{found.trial.subject.strategy}"
        where = None if no_report else options.page_path(report, settings.home, name)
        page = write_search_page(validation_page(found), where) if where else None
    if json:
        print_json(validation_document(found) | {"report": str(page) if page else None})
        return
    print(f"{heading(found)}\n\n{found.sentence}\n")
    print_table(HEADERS, rows_of(found))
    for note in found.notes:
        print(f"note: {note}")
    if page is not None:
        print(f"Report: {page}")
