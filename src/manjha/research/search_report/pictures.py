"""What the pictures draw, as plain values: at most a few thousand points whatever the size of the search."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from manjha.research.metrics.daily import Floats
from manjha.research.overfit import Fan, Overfitting

ROWS_MAX = 5_000
CELLS_MAX = 24
"""Values of a parameter that are told apart; more are put together."""
BINS = 30
"""Bins of a histogram about zero: an even number, so that zero is an edge."""


def space(points: Sequence[Mapping[str, Any]], values: Floats, *, name: str, more_is_better: bool) -> dict[str, Any]:
    """Return combinations and the value of each, shape (N,), NaN left out; empty where nothing varies.

    `rows` hold for each varying parameter the number of its cell, then the exact values as texts, then the value.
    """
    kept = [at for at in range(len(points)) if math.isfinite(values[at])]
    names = [one for one in (points[0] if points else ()) if len({repr(points[at].get(one)) for at in kept}) > 1]
    if not kept or not names:
        return {}
    best = max(kept, key=lambda at: values[at] if more_is_better else -values[at])
    shown = _thinned(kept, best)
    cells = [_cells([points[at].get(one) for at in kept]) for one in names]
    place = {at: row for row, at in enumerate(kept)}
    return {
        "objective": name,
        "more": more_is_better,
        "names": names,
        "labels": [labels for labels, _ in cells],
        "rows": [
            [
                *(int(numbers[place[at]]) for _, numbers in cells),
                *(_text(points[at].get(one)) for one in names),
                _short(values[at]),
            ]
            for at in shown
        ],
        "best": shown.index(best),
        "all": len(kept),
    }


def front(
    points: Sequence[Mapping[str, Any]], values: Floats, is_front: Sequence[bool], *, names: tuple[str, str]
) -> dict[str, Any]:
    """Return the first two objectives of each combination, shape (N, 2), those that nothing beats apart.

    A row is two numbers and what the combination is, as a text. Empty where no row has both.
    """
    kept = [at for at in range(len(points)) if np.isfinite(values[at]).all()]
    best = [at for at in kept if is_front[at]]
    if not best:
        return {}
    others = [at for at in kept if not is_front[at]]

    def rows(picked: list[int]) -> list[list[Any]]:
        return [[_short(values[at][0]), _short(values[at][1]), _words(points[at])] for at in picked]

    return {"names": list(names), "front": rows(best), "others": rows(_thinned(others, others[0]) if others else [])}


def fan(bands: Fan, unit: str) -> dict[str, Any]:
    """Return the bands of equity, in units of the capital at the start."""
    return {
        "unit": unit,
        "paths": bands.paths,
        "levels": list(bands.levels),
        "steps": bands.steps.tolist(),
        "bands": np.round(bands.equity, 5).tolist(),
        "real": np.round(bands.real_equity, 5).tolist(),
    }


def logits(found: Overfitting) -> dict[str, Any]:
    """Return a histogram of the logits; zero is the edge of two bins, and what is at or below it is overfitted."""
    reach = max(float(np.abs(found.logits).max()), 0.5)
    edges = np.linspace(-reach, reach, BINS + 1)
    counts = np.histogram(found.logits, edges)[0]
    return {
        "edges": np.round(edges, 4).tolist(),
        "counts": counts.tolist(),
        "probability": _short(found.probability),
        "halvings": len(found.logits),
    }


def _thinned(rows: list[int], best: int) -> list[int]:
    """Return at most `ROWS_MAX` rows, evenly, in order, the best one among them."""
    if len(rows) <= ROWS_MAX:
        return rows
    picked = {rows[at] for at in np.linspace(0, len(rows) - 1, ROWS_MAX).astype(int).tolist()}
    return sorted({*picked, best})


def _cells(values: Sequence[Any]) -> tuple[list[str], list[int]]:
    """Number the distinct values in order and name them; numbers that are too many share cells of equal width."""
    distinct = sorted(set(values), key=lambda one: (isinstance(one, str), one is None, one if one is not None else 0))
    is_number = all(isinstance(one, int | float) and not isinstance(one, bool) for one in distinct)
    if len(distinct) <= CELLS_MAX or not is_number:
        order = {value: at for at, value in enumerate(distinct)}
        return [_text(value) for value in distinct], [order[value] for value in values]
    low, high = float(distinct[0]), float(distinct[-1])
    width = (high - low) / CELLS_MAX
    labels = [f"{low + (at + 0.5) * width:.4g}" for at in range(CELLS_MAX)]
    return labels, [min(int((float(value) - low) / width), CELLS_MAX - 1) for value in values]


def _words(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_text(value)}" for name, value in point.items())


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else str(value)


def _short(value: float) -> float:
    return float(f"{value:.6g}")
