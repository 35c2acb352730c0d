"""What `manjha walk-forward` says: tables for people, one document for programs, one page."""

import math
from typing import Any

import numpy as np

from manjha.app.research.validation_tables import WORDS, percent, plain_values, two
from manjha.domain.moments import format_day
from manjha.research.metrics.analysis import written
from manjha.research.overfit import resample_returns
from manjha.research.search.objective import parse_objective
from manjha.research.search_report import SearchPage, Table
from manjha.research.search_report import pictures as draw
from manjha.research.walk_forward import YEAR
from manjha.services.walk_forward import WalkReport, WindowRow

SCHEMA = 1
"""Version of `walk_document`: it grows when a name changes its meaning or goes."""
BANDS_FROM = 20
"""Days of tests from which possible histories are drawn."""


def sentence(found: WalkReport) -> str:
    """Return the verdict as a sentence."""
    if found.forward is None:
        return "No window was tested: there is nothing to judge."
    text = found.forward.sentence
    return f"{text[:1].upper()}{text[1:]}."


def window_rows(found: WalkReport) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headers and a row a window: what was chosen, and the return a year inside and outside."""
    metric = parse_objective(found.objective).metric
    headers = ("tested", "chosen", f"{found.objective} in", "out", "return a year in", "out", "trades")
    rows: list[tuple[str, ...]] = [
        (
            f"{format_day(row.window.test[0])} to {format_day(row.window.test[1])}",
            _chosen(row),
            written(metric, row.inside),
            written(metric, row.outside),
            percent(row.inside_mean * YEAR),
            percent(row.outside_mean * YEAR),
            str(row.trades),
        )
        for row in found.rows
    ]
    return headers, rows


def stability_rows(found: WalkReport) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return headers and a row a parameter: how steadily it was chosen."""
    headers = ("parameter", "least", "median", "most", "distinct", "kept")
    rows: list[tuple[str, ...]] = [
        (one.name, one.least, one.middle, one.most, str(one.distinct), two(one.kept)) for one in found.stability
    ]
    return headers, rows


def walk_document(found: WalkReport) -> dict[str, Any]:
    """Return a walk as plain values; what is not defined is null, infinity the string "Infinity"."""
    one = found.forward
    return {
        "schema": SCHEMA,
        "study": found.study,
        "strategy": found.strategy,
        "chosen_from": found.chosen_from,
        "data_set": found.data_set,
        "objective": found.objective,
        "verdict": str(one.likelihood) if one else None,
        "sentence": sentence(found),
        "windows_planned": found.windows,
        "combinations": found.combinations,
        "interrupted": found.is_interrupted,
        "new_trials": found.new_trials,
        "trials": found.trials,
        "efficiency": plain_values({"efficiency": one.efficiency})["efficiency"] if one else None,
        "return_year_inside": one.inside if one else None,
        "return_year_outside": one.outside if one else None,
        "windows_won": one.won if one else None,
        "sharpe_year_outside": plain_values({"sharpe": one.sharpe})["sharpe"] if one else None,
        "above_zero": plain_values({"sure": one.above_zero})["sure"] if one else None,
        "windows": [_window(row) for row in found.rows],
        "stability": [
            plain_values(
                {
                    "parameter": row.name,
                    "least": row.least,
                    "median": row.middle,
                    "most": row.most,
                    "distinct": row.distinct,
                    "kept": row.kept,
                }
            )
            for row in found.stability
        ],
        "equity": [[format_day(day), value] for day, value in zip(found.days, _equity(found)[1:], strict=True)],
    }


def walk_page(found: WalkReport) -> SearchPage:
    """Return the page of a walk."""
    one = found.forward
    returns = np.array(found.returns)
    pictures: dict[str, Any] = {
        "windows": {
            "days": [[format_day(day) for day in row.window.test] for row in found.rows],
            "parameters": [_chosen(row) for row in found.rows],
            "inside": [_number(row.inside_mean * YEAR) for row in found.rows],
            "outside": [_number(row.outside_mean * YEAR) for row in found.rows],
        },
        "equity": {
            "days": list(found.days),
            "equity": [round(value, 6) for value in _equity(found)[1:]],
            "starts": [found.days.index(row.window.test[0]) for row in found.rows],
        },
    }
    if len(returns) >= BANDS_FROM and returns.any():
        pictures["fan"] = draw.fan(resample_returns(returns, seed=0), "days")
    cards = () if one is None else (
        ("Efficiency", two(one.efficiency), "Return out of sample over return in sample"),
        ("Return a year, out", percent(one.outside), "252 times the mean day of the tests"),
        ("Return a year, in", percent(one.inside), "Of the same parameters where they were chosen"),
        ("Sharpe ratio, out", two(one.sharpe), "A year's, of the days of the tests"),
        ("Above zero", two(one.above_zero), "Probability that the true Sharpe ratio is above zero"),
        ("Windows won", f"{one.won} of {one.windows}", "Tests whose mean day was above zero"),
    )  # fmt: skip
    failed = sum(row.failed for row in found.rows)
    notes = [f"interrupted after {len(found.rows)} of {found.windows} windows"] if found.is_interrupted else []
    notes += [f"{failed:,} evaluations failed"] if failed else []
    headers, rows = window_rows(found)
    titles, steady = stability_rows(found)
    return SearchPage(
        kind="walk-forward",
        strategy=found.strategy,
        data_set=found.data_set,
        meta=f"{len(found.rows)} windows · {found.combinations:,} combinations in each · chosen by {found.objective}",
        sentence=sentence(found),
        likelihood=WORDS[one.likelihood] if one else "",
        cards=cards,
        pictures=pictures,
        tables=(
            Table("Windows", headers, tuple(rows), numbers=2),
            Table(
                "Stability of the parameters",
                titles,
                tuple(steady),
                note="Kept: share of windows that chose it as before.",
            ),
        ),
        notes=tuple(notes),
    )


def _equity(found: WalkReport) -> list[float]:
    values = [1.0]
    for change in found.returns:
        values.append(values[-1] * max(1.0 + change, 0.0))
    return values


def _chosen(row: WindowRow) -> str:
    if row.point is None:
        return "nothing"
    return ", ".join(f"{name}={value}" for name, value in row.point.items())


def _window(row: WindowRow) -> dict[str, Any]:
    return plain_values(
        {
            "train": [format_day(day) for day in row.window.train],
            "test": [format_day(day) for day in row.window.test],
            "parameters": row.point,
            "inside": row.inside,
            "outside": row.outside,
            "return_year_inside": row.inside_mean * YEAR,
            "return_year_outside": row.outside_mean * YEAR,
            "trades": row.trades,
            "failed": row.failed,
            "error": row.error,
        }
    )


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
