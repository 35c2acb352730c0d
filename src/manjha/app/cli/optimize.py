"""`manjha optimize`: a study proposes combinations, learns from what came of them, and can go on another day."""

from typing import Annotated, Any

import typer

from manjha.app.cli import search_options as options
from manjha.app.cli.errors import INTERRUPTED, OK, say

app = typer.Typer(add_completion=False)


@app.command()
@options.with_terms()
def optimize(
    strategy: options.Strategy,
    instrument: options.Instruments,
    *,
    param: options.Ranges = None,
    constraint: options.Conditions = None,
    objective: Annotated[
        list[str] | None, typer.Option("--objective", help="A metric, like sharpe or min:volatility; several: Pareto.")
    ] = None,
    trials: Annotated[int, typer.Option("--trials", min=1, help="In all, earlier runs of the study included.")] = 100,
    sampler: Annotated[str, typer.Option("--sampler", help="tpe, cma-es or nsga2 (genetic).")] = "",
    batch: Annotated[int, typer.Option("--batch", min=1, max=1000, help="How many are proposed at once.")] = 8,
    prune: Annotated[bool, typer.Option("--prune", help="Give up what is poor on the first quarter or half.")] = False,
    storage: Annotated[str, typer.Option("--storage", help="URL of a database for several hosts.")] = "",
    top: options.Top = 10,
    jobs: options.Jobs = 0,
    seed: options.Seed = 0,
    study: options.Study = "",
    no_returns: options.NoReturns = False,
    terms: dict[str, Any],
    report_to: options.Report = None,
    json: options.Json = False,
) -> None:
    """Search for good parameters; show the best, or what no other beats where there are several objectives."""
    from manjha.app.cli.output import progress_bar
    from manjha.app.cli.search_output import show_search
    from manjha.app.research.search_runs import Bench, Course, run_optimisation
    from manjha.app.research.searches import SearchWords
    from manjha.app.settings import load_settings

    settings = load_settings()
    words = SearchWords(
        strategy=strategy,
        instruments=tuple(instrument),
        terms=terms,
        ranges=tuple(param or ()),
        constraints=tuple(constraint or ()),
        objectives=tuple(objective or ("sharpe",)),
        with_returns=not no_returns,
    )
    course = Course(trials=trials, sampler=sampler, batch=batch, prune=prune, storage=storage, seed=seed)
    with progress_bar() as tell:
        report = run_optimisation(Bench(settings, jobs, tell, say), words, study, course)
    where = options.page_path(report_to, settings.home, report.study) if report_to else None
    show_search(report, top, where, kind="optimisation", json=json)
    raise typer.Exit(INTERRUPTED if report.is_interrupted else OK)
