"""What a metric is."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from manjha.research.metrics.sample import Sample


class Unit(StrEnum):
    """What a value counts. Percent values are fractions, money is in 1e-4 rupee, moments and durations in ns."""

    MONEY = "₹"
    PERCENT = "%"
    NUMBER = "number"
    COUNT = "count"
    DAYS = "calendar days"
    MOMENT = "moment (IST)"
    DURATION = "time held"
    BPS = "basis points"


class Metric(msgspec.Struct, frozen=True):
    """One metric. `name` is stable (JSON), `title` for people, `doc` gives formula, unit and NaN policy."""

    name: str
    title: str
    group: str
    unit: Unit
    doc: str
    of: Callable[[Sample], float]


Row = tuple[str, str, Unit, Callable[..., object] | str, Callable[[Sample], float]]
"""Name, title, unit, the function whose docstring says the formula (or the words themselves), and how to compute it."""
M, P, N, C, D, T, H, B = Unit
"""Short names of the units, for the tables."""


def in_group(group: str, rows: tuple[Row, ...]) -> tuple[Metric, ...]:
    """Make the metrics of a group from their rows."""
    return tuple(
        Metric(name, title, group, unit, source if isinstance(source, str) else _doc(source), of)
        for name, title, unit, source, of in rows
    )


def _doc(function: Callable[..., object]) -> str:
    return " ".join((function.__doc__ or "").split())
