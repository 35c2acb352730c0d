"""`manjha sweep`: every combination of parameters, or a sample of them, over all cores."""

from typing import Annotated, Any

import typer

from manjha.app.cli import search_options as options
from manjha.app.cli.errors import INTERRUPTED, OK, say

app = typer.Typer(add_completion=False)


@app.command()
@options.with_terms()
def sweep(
    strategy: options.Strategy,
    instrument: options.Instruments,
    *,
    param: options.Ranges = None,
    constraint: options.Conditions = None,
    sample: Annotated[str, typer.Option("--sample", help="lhs:500 draws 500, spread evenly; else all.")] = "",
    objective: options.Objective = "sharpe",
    top: options.Top = 10,
    jobs: options.Jobs = 0,
    seed: options.Seed = 0,
    study: options.Study = "",
    no_returns: options.NoReturns = False,
    terms: dict[str, Any],
    report_to: options.Report = None,
    json: options.Json = False,
) -> None:
    """Evaluate every combination of parameters, show the best, and count them all in the trial ledger."""
    from manjha.app.cli.output import progress_bar
    from manjha.app.cli.search_output import show_search
    from manjha.app.research.search_runs import Bench, run_sweep
    from manjha.app.research.searches import SearchWords
    from manjha.app.settings import load_settings

    settings = load_settings()
    words = SearchWords(
        strategy=strategy,
        instruments=tuple(instrument),
        terms=terms,
        ranges=tuple(param or ()),
        constraints=tuple(constraint or ()),
        objectives=(objective,),
        with_returns=not no_returns,
    )
    with progress_bar() as tell:
        report = run_sweep(Bench(settings, jobs, tell, say), words, study, sample, seed)
    where = options.page_path(report_to, settings.home, report.study) if report_to else None
    show_search(report, top, where, kind="sweep", json=json)
    raise typer.Exit(INTERRUPTED if report.is_interrupted else OK)
