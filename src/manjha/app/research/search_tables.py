"""What `manjha sweep` and `manjha optimize` say: a table for people, one document for programs, one page."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from manjha.app.research.validation_tables import WORDS, plain_values, two
from manjha.domain.trials import TrialStatus
from manjha.research.metrics.analysis import plain, written
from manjha.research.metrics.metric import Metric, Unit
from manjha.research.search.best import Best, judge_best
from manjha.research.search.objective import Objective, parse_objective
from manjha.research.search.summary import from_pico
from manjha.research.search_report import SearchPage, Table
from manjha.research.search_report import pictures as draw
from manjha.services.searches import SearchReport, SearchRow

SCHEMA = 1
"""Version of `search_document`: it grows when a name changes its meaning or goes."""
BESIDE = ("total_return", "max_drawdown", "trades")
"""Metrics that are shown beside the objectives."""
SCALES = {Unit.PERCENT: (100.0, "%"), Unit.MONEY: (1e-4, "₹"), Unit.DURATION: (1 / 3.6e12, "hours")}
"""What a value is multiplied by for people, and what it is counted in then; others stay as they are."""


def best_rows(report: SearchReport, top: int) -> list[SearchRow]:
    """Return what is shown: the best, or of several objectives what no other row beats."""
    return report.best(top) if len(report.objectives) == 1 else report.pareto()[:top]


def judged(report: SearchReport) -> Best | None:
    """Return how much of the best row is luck; None where no row has a value."""
    best = report.best(1)
    rows = [row for row in report.rows if row.outcome.status is not TrialStatus.FAILED]
    if not best or len(report.sharpes) < 2:
        return None
    first = report.objectives[0]
    goodness = np.array(
        [math.nan if row.outcome.status is TrialStatus.PRUNED else -first.loss(row.values[0]) for row in rows]
    )
    goodness[np.isinf(goodness)] = math.nan
    moments = [row.outcome.moments for row in rows]
    return judge_best([row.point for row in rows], goodness, moments, rows.index(best[0]), report.sharpes)


def sentence(found: Best | None) -> str:
    """Return the verdict as a sentence."""
    if found is None:
        return "There is no best one to judge."
    text = found.verdict.sentence
    return f"{text[:1].upper()}{text[1:]}."


def table_of(report: SearchReport, rows: Sequence[SearchRow]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headers and a row for each combination: parameters, objectives, what stands beside them."""
    beside = [parse_objective(name) for name in BESIDE if name not in {one.name for one in report.objectives}]
    shown = (*report.objectives, *beside)
    names = list(rows[0].point) if rows else []
    cells = [
        (
            *(str(value) for value in row.point.values()),
            *(written(one.metric, _values(report.objectives, row)[one.name]) for one in shown),
        )
        for row in rows
    ]
    return (*names, *(one.name for one in shown)), cells


def counted(report: SearchReport) -> str:
    """Say how much was done."""
    parts = [f"{len(report.rows):,} of {report.planned:,} combinations evaluated"]
    parts += [f"{report.repeated:,} proposed again"] if report.repeated else []
    parts += [f"{len(report.failed):,} failed"] if report.failed else []
    parts += [f"{report.pruned:,} given up early"] if report.pruned else []
    parts += [f"{report.left_out:,} left out by conditions"] if report.left_out else []
    again = len(report.rows) - report.new_trials
    parts += [f"{again:,} were known from before"] if again else []
    return f"{'Interrupted: ' if report.is_interrupted else ''}{'; '.join(parts)}."


def search_document(report: SearchReport, best: Sequence[SearchRow]) -> dict[str, Any]:
    """Return a report as plain values; what is not defined is null, infinity the string "Infinity"."""
    found = judged(report)
    return {
        "schema": SCHEMA,
        "study": report.study,
        "strategy": report.strategy,
        "chosen_from": report.chosen_from,
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
        "verdict": str(found.verdict.likelihood) if found else None,
        "sentence": sentence(found),
        "deflated_sharpe": plain_values({"value": found.deflated})["value"] if found else None,
        "best": [_row(report.objectives, row) for row in best],
        "failures": [{"parameters": row.point, "error": row.outcome.error} for row in report.failed],
    }


def search_page(report: SearchReport, best: Sequence[SearchRow], kind: str) -> SearchPage:
    """Return the page of a search; `best` are the rows of its table."""
    found = judged(report)
    first = report.objectives[0]
    headers, rows = table_of(report, best)
    several = len(report.objectives) > 1
    notes = [] if found is None else [f"the best lies at the end of what was tried for {n}" for n in found.edges]
    failed = report.failed
    notes += [f"{len(failed):,} combinations failed, the first with {failed[0].outcome.error}"] if failed else []
    return SearchPage(
        kind=kind,
        strategy=report.strategy,
        data_set=report.data_set,
        meta=f"{counted(report)} Chosen by {' and '.join(one.name for one in report.objectives)}. Study {report.study}",
        sentence=sentence(found),
        likelihood=WORDS[found.verdict.likelihood] if found else "",
        reasons=found.verdict.reasons if found else (),
        cards=_cards(report, found),
        pictures=_pictures(report, first, several=several),
        tables=(
            Table(
                "What no other beats" if several else "The best",
                headers,
                tuple(rows),
                note=(
                    "Rows that no other row beats in every objective, the best by the first one first."
                    if several
                    else f"By {first.name}. manjha validate --study {report.study} says more about the first of them."
                ),
                numbers=len(headers) - len(report.objectives) - len(BESIDE) if best else 1,
            ),
        )
        if rows
        else (),
        notes=tuple(notes),
    )


def _cards(report: SearchReport, found: Best | None) -> tuple[tuple[str, str, str], ...]:
    if found is None:
        return ()
    first, best = report.objectives[0], report.best(1)[0]
    around = found.plateau
    cards = [
        (first.metric.title, written(first.metric, best.values[0]), "Of the best, by which it was chosen"),
        ("Trials", f"{report.trials:,}", "Variants of the strategy ever tried on these instruments and days"),
        ("Deflated Sharpe", two(found.deflated), "Probability of being above what luck alone shows"),
        ("Sharpe ratio a year", two(found.sharpe), "Of the best, after charges"),
        ("Best by luck alone", two(found.expected_maximum), "A year's, of as many trials without any skill"),
        (
            "Plateau",
            two(around.score) if around is not None else "–",
            f"Share of {around.neighbours if around else 0} neighbours that keep 80 % of it",
        ),
    ]
    return tuple(card for card in cards if card[0] != "Sharpe ratio a year" or first.name != "sharpe")


def _pictures(report: SearchReport, first: Objective, *, several: bool) -> dict[str, Any]:
    rows = [row for row in report.rows if row.outcome.status is TrialStatus.OK]
    values = np.array([row.values for row in rows], np.float64).reshape(len(rows), len(report.objectives))
    scaled = values * np.array([_scale(one.metric)[0] for one in report.objectives])
    pictures = {
        "space": draw.space(
            [row.point for row in rows], scaled[:, 0], name=_name(first), more_is_better=first.more_is_better
        )
    }
    if several:
        front = {id(row) for row in report.pareto()}
        pictures["front"] = draw.front(
            [row.point for row in rows],
            scaled[:, :2],
            [id(row) in front for row in rows],
            names=(_name(first), _name(report.objectives[1])),
        )
    return {name: picture for name, picture in pictures.items() if picture}


def _scale(metric: Metric) -> tuple[float, str]:
    return SCALES.get(metric.unit, (1.0, ""))


def _name(objective: Objective) -> str:
    unit = _scale(objective.metric)[1]
    return f"{objective.name}, {unit}" if unit else objective.name


def _values(objectives: Sequence[Objective], row: SearchRow) -> dict[str, float]:
    outcome = row.outcome
    beside = (from_pico(outcome.total_return), from_pico(outcome.max_drawdown), float(outcome.trades))
    return dict(zip(BESIDE, beside, strict=True)) | {
        one.name: value for one, value in zip(objectives, row.values, strict=True)
    }


def _row(objectives: Sequence[Objective], row: SearchRow) -> dict[str, Any]:
    values = {name: plain(parse_objective(name).metric, value) for name, value in _values(objectives, row).items()}
    sharpe = from_pico(row.outcome.moments.sharpe)
    return {
        "parameters": row.point,
        "values": values,
        "sharpe_of_a_day": None if math.isnan(sharpe) else sharpe,
        "status": TrialStatus(row.outcome.status),
    }
