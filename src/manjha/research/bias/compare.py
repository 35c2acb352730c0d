"""Where two traces of one subject part, up to a bar."""

from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from manjha.domain.instrument import InstrumentId
from manjha.research.bias.subjects import Trace, Values
from manjha.research.bias.watch import Decision, describe, known_at, moment_of, moment_text, within
from manjha.strategy.asked import CancelRequest

TOLERANCE = 1e-9
"""Largest difference of two numbers that counts as none, as a share of the largest number compared: the order of
additions may differ with the length of an array. A price that moves by a fifth moves what looks at it by far more."""
TARGET = "target of "
"""Beginning of the names of a strategy's targets among its lines."""
ENTRY = "entry's "
"""The same for the columns of its entries."""
EXIT_MOMENT = f"{ENTRY}exit_ns"
"""The one among these whose numbers are moments."""
ORDERS = "orders"
"""Item of the decisions of a strategy that acts on events."""


class Difference(msgspec.Struct, frozen=True):
    """One item that is not the same: a line by name, or the decisions.

    `position` is the last bar that could be known; `row` is the row of a line, or the number of a decision.
    """

    item: str
    position: int
    ts_ns: int
    row: int
    before: str
    after: str


def differences(
    whole: Trace, other: Trace, position: int, names: Callable[[InstrumentId], str], *, cut: bool, upto: int
) -> Iterator[Difference]:
    """Yield what differs up to and including a position.

    `cut` tells that the other run ends there, `upto` is the last position whose decisions count then.
    """
    ts_ns = int(whole.closes[position])
    for name, values in whole.lines.items():
        row = last_change(values, other.lines.get(name), ts_ns, is_target=is_stated(name))
        if row is not None:
            found = other.lines[name].numbers
            said = moments if name.startswith(EXIT_MOMENT) else number
            yield Difference(name, position, int(values.ts_ns[row]), row, said(values.numbers, row), said(found, row))
    one = within(whole.decisions, upto, is_cut=cut)
    two = within(other.decisions, upto, is_cut=cut)
    first = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    if first < max(len(one), len(two)):
        yield _decisions(whole, one, two, first, names, other.stopped)


def is_stated(name: str) -> bool:
    """Tell whether a line is what the strategy states, and so a decision, by its name."""
    return name.startswith((TARGET, ENTRY))


def last_change(whole: Values, other: Values | None, ts_ns: int, *, is_target: bool = False) -> int | None:
    """Return the last row known by a moment in which two columns differ; None where they do not.

    A line that the other run did not make is no difference: what depends on it is seen in what is decided.
    """
    if other is None or whole.numbers.shape[1:] != other.numbers.shape[1:]:
        return None
    count = min(int(np.searchsorted(whole.ts_ns, ts_ns, side="right")), len(other.numbers))
    a, b = whole.numbers[:count], other.numbers[:count]
    with np.errstate(invalid="ignore"):
        sizes = np.abs(np.concatenate([a, b]))
        # A target is rounded to 1e-9 of its unit before it is carried out.
        scale = max(float(np.max(sizes, where=np.isfinite(sizes), initial=0.0)), 1.0 if is_target else 0.0)
        same = (a == b) | (np.abs(a - b) <= TOLERANCE * scale) | (np.isnan(a) & np.isnan(b))
    rows = np.flatnonzero(~same.all(axis=1))
    return int(rows[-1]) if len(rows) else None


def number(numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]], row: int) -> str:
    """Return a row's numbers as text; NaN is "none"."""
    if row >= len(numbers):
        return "none"
    return ", ".join("none" if np.isnan(value) else f"{value:.6g}" for value in np.atleast_1d(numbers[row])[:4])


def moments(numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]], row: int) -> str:
    """Return a row's moments as text; 0 and NaN, which ask for no exit, are "none"."""
    if row >= len(numbers):
        return "none"
    return ", ".join(moment_text(int(ns)) if ns > 0 else "none" for ns in np.atleast_1d(numbers[row])[:4])


def _decisions(
    whole: Trace, one: list[Decision], two: list[Decision], first: int, names: Callable[[InstrumentId], str], why: str
) -> Difference:
    a, b = (each[first] if first < len(each) else None for each in (one, two))
    # What is not there belongs to the moment of the one that is; of two, to the earlier.
    known = min((each for each in (a, b) if each is not None), key=moment)
    before, after = (_asked_then(each, moment(known), names) for each in (one, two))
    if after == NOTHING and why:
        after = f"an error ({why})"
    return Difference(ORDERS, known_at(known), int(moment_of(known, whole.closes)), first, before, after)


NOTHING = "nothing"


def _asked_then(decisions: list[Decision], when: tuple[int, int], names: Callable[[InstrumentId], str]) -> str:
    """Return all that was asked for at one moment, in words; cancels only where there is nothing else."""
    asked = [one.asked for one in decisions if moment(one) == when]
    telling = [one for one in asked if not isinstance(one, CancelRequest)] or asked
    return " and ".join(describe(one, names) for one in telling) or NOTHING


def moment(decision: Decision) -> tuple[int, int]:
    """Return what orders decisions in time."""
    return decision.position, decision.place
