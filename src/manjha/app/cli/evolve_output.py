"""How an evolution's report looks: a table and plain words for people, one document for programs."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manjha.app.cli.output import print_table
from manjha.app.research.evolution import span_of
from manjha.research.evolve.source import in_words, mark_of
from manjha.research.evolve.trees import parse
from manjha.research.metrics.analysis import plain, written
from manjha.research.search.summary import from_pico
from manjha.services.evolution import EvolutionPlan, EvolutionReport, Evolving, Survivor, grammar_of

SCHEMA = 1
"""Version of `evolution_document`: it grows when a name changes its meaning or goes."""


def evolution_document(
    plan: EvolutionPlan, evolving: Evolving, report: EvolutionReport, files: Sequence[Path]
) -> dict[str, Any]:
    """Return a report as plain values; what is not defined is null."""
    return {
        "schema": SCHEMA,
        "study": report.study,
        "data_set": report.data_set,
        "objective": {"name": report.objective.name, "direction": report.objective.direction},
        "seed": evolving.seed,
        "in_sample": span_of(plan.spec),
        "held_out": span_of(plan.later),
        "evaluated": len(report.rows),
        "repeated": report.repeated,
        "failed": len(report.failed),
        "mean_sizes": list(report.sizes),
        "interrupted": report.is_interrupted,
        "new_trials": report.new_trials,
        "trials": report.trials,
        "notes": list(report.notes),
        "survivors": [_survivor(plan, report, one, path) for one, path in zip(report.survivors, files, strict=True)],
    }


def print_evolution(plan: EvolutionPlan, report: EvolutionReport, files: Sequence[Path]) -> None:
    """Print the survivors, and what so many trials mean for them."""
    metric = report.objective.metric
    rows = []
    for one in report.survivors:
        row, later = one.row, one.later
        rows.append(
            (
                mark_of(row.text),
                row.generation,
                row.size,
                written(metric, row.value),
                _percent(row.outcome.total_return),
                row.outcome.trades,
                written(metric, later.values[0] if later else math.nan),
                _percent(later.outcome.total_return if later else None),
                later.outcome.trades if later else 0,
            )
        )
    name = report.objective.name
    if rows:
        head = ("rule", "generation", "size", f"{name} in", "return in", "trades in")
        print_table((*head, f"{name} held out", "return held out", "trades held out"), rows)
        print()
    for one, path in zip(report.survivors, files, strict=True):
        print(f"{path}: {' '.join(in_words(parse(one.row.text), grammar_of(plan.grammar)))}")
        if one.error:
            print(f"  not run on what was held out: {one.error}")
    for note in report.notes:
        print(f"Note: {note}")
    print(summary_of(plan, report))


def summary_of(plan: EvolutionPlan, report: EvolutionReport) -> str:
    """Say how much was tried, and what that means."""
    parts = [f"{len(report.rows):,} rules evaluated"]
    parts += [f"{report.repeated:,} came up again"] if report.repeated else []
    parts += [f"{len(report.failed):,} failed"] if report.failed else []
    again = len(report.rows) - report.new_trials
    parts += [f"{again:,} were known from before"] if again else []
    return (
        f"{'Interrupted: ' if report.is_interrupted else ''}{'; '.join(parts)}. Study: {report.study}.\n"
        f"Bred on {span_of(plan.spec)}; held out {span_of(plan.later)}.\n"
        f"{report.trials:,} evolved rules have been tried on {report.instruments} in all. Most of what looks good "
        "among so many is luck:\nthe numbers in sample are what the search looked for, those held out what it did not "
        "see. Look at the latter once;\nchoosing by them makes them worthless, too."
    )


def _survivor(plan: EvolutionPlan, report: EvolutionReport, one: Survivor, path: Path) -> dict[str, Any]:
    row, later = one.row, one.later
    metric = report.objective.metric
    return {
        "rule": row.text,
        "words": in_words(parse(row.text), grammar_of(plan.grammar)),
        "file": str(path),
        "generation": row.generation,
        "size": row.size,
        "in_sample": {
            "value": plain(metric, row.value),
            "total_return": _number(row.outcome.total_return),
            "trades": row.outcome.trades,
        },
        "held_out": None
        if later is None
        else {
            "value": plain(metric, later.values[0]),
            "total_return": _number(later.outcome.total_return),
            "trades": later.outcome.trades,
        },
        "error": one.error,
    }


def _number(pico: int | None) -> float | None:
    return None if pico is None else from_pico(pico)


def _percent(pico: int | None) -> str:
    return "" if pico is None else f"{from_pico(pico):.2%}"
