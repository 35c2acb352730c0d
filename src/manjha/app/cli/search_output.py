"""How a search's report looks: a table for people, one document for programs."""

import math
from collections.abc import Sequence
from typing import Any

from manjha.app.cli.output import print_table
from manjha.domain.trials import TrialStatus
from manjha.research.metrics.analysis import plain, written
from manjha.research.search.objective import Objective, parse_objective
from manjha.research.search.summary import from_pico
from manjha.services.searches import SearchReport, SearchRow

SCHEMA = 1
"""Version of `search_document`: it grows when a name changes its meaning or goes."""
FAILURES_SHOWN = 3
BESIDE = ("total_return", "max_drawdown", "trades")
"""Metrics that are shown beside the objectives."""


def search_document(report: SearchReport, best: Sequence[SearchRow]) -> dict[str, Any]:
    """Return a report as plain values; what is not defined is null, infinity the string "Infinity"."""
    return {
        "schema": SCHEMA,
        "study": report.study,
        "strategy": report.strategy,
        "data_set": report.data_set,
        "objectives": [{"name": one.name, "direction": one.direction} for one in report.objectives],
        "planned": report.planned,
        "left_out": report.left_out,
        "repeated": report.repeated,
        "evaluated": len(report.rows),
        "failed": len(report.failed),
        "pruned": report.pruned,
        "interrupted": report.is_interrupted,
        "new_trials": report.new_trials,
        "trials": report.trials,
        "best": [_row(report.objectives, row) for row in best],
        "failures": [{"parameters": row.point, "error": row.outcome.error} for row in report.failed],
    }


def print_search(report: SearchReport, best: Sequence[SearchRow]) -> None:
    """Print the best rows, what failed, and how much was tried."""
    beside = [parse_objective(name) for name in BESIDE if name not in {one.name for one in report.objectives}]
    shown = (*report.objectives, *beside)
    names = list(best[0].point) if best else []
    rows = [
        (*(str(value) for value in row.point.values()), *_cells(shown, _values(report.objectives, row))) for row in best
    ]
    if rows:
        print_table((*names, *(one.name for one in shown)), rows)
        print()
    for row in report.failed[:FAILURES_SHOWN]:
        print(f"failed: {', '.join(f'{k}={v}' for k, v in row.point.items())}: {row.outcome.error}")
    print(summary_line(report))


def summary_line(report: SearchReport) -> str:
    """Say how much was done, and how many trials there are: what the best result has to be judged by."""
    parts = [f"{len(report.rows):,} of {report.planned:,} combinations evaluated"]
    parts += [f"{report.repeated:,} proposed again"] if report.repeated else []
    parts += [f"{len(report.failed):,} failed"] if report.failed else []
    parts += [f"{report.pruned:,} given up early"] if report.pruned else []
    parts += [f"{report.left_out:,} left out by conditions"] if report.left_out else []
    again = len(report.rows) - report.new_trials
    parts += [f"{again:,} were known from before"] if again else []
    return (
        f"{'Interrupted: ' if report.is_interrupted else ''}{'; '.join(parts)}. Study: {report.study}.\n"
        f"{report.trials:,} variants of {report.strategy} have been tried on {report.data_set} in all: the more there "
        "are, the more of the best one is luck."
    )


def _values(objectives: Sequence[Objective], row: SearchRow) -> dict[str, float]:
    outcome = row.outcome
    beside = (from_pico(outcome.total_return), from_pico(outcome.max_drawdown), float(outcome.trades))
    return dict(zip(BESIDE, beside, strict=True)) | {
        one.name: value for one, value in zip(objectives, row.values, strict=True)
    }


def _cells(shown: Sequence[Objective], values: dict[str, float]) -> list[str]:
    return [written(one.metric, values[one.name]) for one in shown]


def _row(objectives: Sequence[Objective], row: SearchRow) -> dict[str, Any]:
    values = {name: plain(parse_objective(name).metric, value) for name, value in _values(objectives, row).items()}
    sharpe = from_pico(row.outcome.moments.sharpe)
    return {
        "parameters": row.point,
        "values": values,
        "sharpe_of_a_day": None if math.isnan(sharpe) else sharpe,
        "status": TrialStatus(row.outcome.status),
    }
