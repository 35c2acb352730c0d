"""`manjha walk-forward`: choose parameters on the past, run them on what came after, window by window."""

from typing import Annotated, Any

import typer

from manjha.app.cli import search_options as options
from manjha.app.cli.errors import INTERRUPTED, OK, say

app = typer.Typer(add_completion=False)


@app.command()
@options.with_terms()
def walk_forward(
    strategy: options.Strategy,
    instrument: options.Instruments,
    *,
    param: options.Ranges = None,
    constraint: options.Conditions = None,
    windows: Annotated[int, typer.Option("--windows", min=1, help="How many.")] = 10,
    ratio: Annotated[float, typer.Option("--ratio", help="Training is so many times as long as its test.")] = 4.0,
    anchored: Annotated[bool, typer.Option("--anchored", help="Train on everything before, not on the last part.")] = (
        False
    ),
    gap: Annotated[int, typer.Option("--gap", min=0, help="Days between training and test that neither uses.")] = 0,
    trials: Annotated[int, typer.Option("--trials", min=0, help="Draw so many combinations; 0 tries all.")] = 0,
    sample: Annotated[str, typer.Option("--sample", help="lhs:200, the same as --trials 200.")] = "",
    objective: options.Objective = "sharpe",
    jobs: options.Jobs = 0,
    seed: options.Seed = 0,
    study: options.Study = "",
    terms: dict[str, Any],
    report: options.Report = None,
    no_report: options.NoReport = False,
    json: options.Json = False,
) -> None:
    """Choose the best parameters in each window, run them on the days after it, and judge those days alone."""
    from manjha.app.cli.output import print_json, progress_bar
    from manjha.app.cli.walk_output import print_walk
    from manjha.app.research.search_runs import Bench, Route, run_walk
    from manjha.app.research.searches import SearchWords
    from manjha.app.research.walk_tables import walk_document, walk_page
    from manjha.app.settings import load_settings
    from manjha.research.search_report import write_search_page

    settings = load_settings()
    route = Route(windows=windows, ratio=ratio, anchored=anchored, gap=gap, trials=trials, sample=sample, seed=seed)
    words = SearchWords(
        strategy=strategy,
        instruments=tuple(instrument),
        terms=terms,
        ranges=tuple(param or ()),
        constraints=tuple(constraint or ()),
        objectives=(objective,),
        with_returns=False,
    )
    with progress_bar() as tell:
        found = run_walk(Bench(settings, jobs, tell, say), words, study, route)
    where = None if no_report or not found.rows else options.page_path(report, settings.home, found.study)
    page = write_search_page(walk_page(found), where) if where else None
    if json:
        print_json(walk_document(found) | {"report": str(page) if page else None})
    else:
        print_walk(found, page)
    raise typer.Exit(INTERRUPTED if found.is_interrupted else OK)
