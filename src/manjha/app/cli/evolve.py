"""`manjha evolve`: rules are bred from indicators, and the best of them written out as strategy files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from manjha.app.cli import search_options as options
from manjha.app.cli.errors import INTERRUPTED, OK, say

app = typer.Typer(add_completion=False)


@app.command()
@options.with_terms(without=("also",))
def evolve(
    instrument: Annotated[str, typer.Option("--instrument", help="Like NSE:RELIANCE.")],
    *,
    terms: dict[str, Any],
    generations: Annotated[int, typer.Option("--generations", help="In all, earlier runs of the study included.")] = 10,
    population: Annotated[int, typer.Option("--population", help="Rules of a generation; at least 4.")] = 60,
    objective: options.Objective = "sharpe",
    parsimony: Annotated[float, typer.Option("--parsimony", help="Taken off the objective for each word.")] = 0.01,
    max_size: Annotated[int, typer.Option("--max-size", help="Words that a rule may have.")] = 25,
    holdout: Annotated[float, typer.Option("--holdout", help="Share of the time at the end that is kept away.")] = 0.25,
    short: Annotated[bool, typer.Option("--short", help="Rules may sell short, too.")] = False,
    top: Annotated[int, typer.Option("--top", help="How many survivors.")] = 3,
    out: Annotated[Path, typer.Option("--out", help="Folder for the strategy files; new or empty.")] = Path("evolved"),
    jobs: options.Jobs = 0,
    seed: options.Seed = 0,
    study: options.Study = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew instead of going on where it was.")] = False,
    json: options.Json = False,
) -> None:
    """Breed trading rules, count them all in the trial ledger, and write the best as strategy files."""
    from manjha.app.bootstrap import study_journal, task_runner, trial_ledger
    from manjha.app.cli.evolve_output import evolution_document, print_evolution
    from manjha.app.cli.output import print_json, progress_bar
    from manjha.app.research.evolution import EvolutionWords, plan_evolution, require_free, write_survivors
    from manjha.app.settings import load_settings
    from manjha.services.evolution import Evolving, begin_anew
    from manjha.services.evolution import evolve as run
    from manjha.services.searches import SearchServices

    evolving = Evolving(
        generations=generations, population=population, seed=seed, parsimony=parsimony, max_size=max_size, top=top
    )
    words = EvolutionWords(instrument=instrument, terms=terms, objective=objective, holdout=holdout, has_short=short)
    settings = load_settings()
    with progress_bar() as tell:
        tell("loading", 0, 0)
        plan = plan_evolution(settings, words, evolving, study)
        with study_journal(settings, plan.study) as journal:
            require_free(out, plan.study, journal)
            if fresh:
                begin_anew(plan, evolving, journal)
            services = SearchServices(task_runner(settings, jobs), trial_ledger(settings), say)
            report = run(services, plan, evolving, journal, tell)
            files = write_survivors(plan, evolving, report, out, journal)
    if json:
        print_json(evolution_document(plan, evolving, report, files))
    else:
        print_evolution(plan, report, files)
    raise typer.Exit(INTERRUPTED if report.is_interrupted else OK)
