"""Ranges of rows, and what is left of them when the neighbourhood of the tests is cut out."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from manjha.domain.errors import UsageError

Int64s = NDArray[np.int64]


class Range(msgspec.Struct, frozen=True, order=True):
    """Rows `first` up to, not including, `end`."""

    first: int
    end: int

    def __len__(self) -> int:
        return max(self.end - self.first, 0)


class Split(msgspec.Struct, frozen=True):
    """Rows to learn from and rows to judge on. Each tuple is in the order of time, without overlap or empty range."""

    train: tuple[Range, ...]
    test: tuple[Range, ...]

    @property
    def train_rows(self) -> Int64s:
        """Row numbers of training, ascending, int64."""
        return rows_of(self.train)

    @property
    def test_rows(self) -> Int64s:
        """Row numbers of the test, ascending, int64."""
        return rows_of(self.test)


def rows_of(ranges: Sequence[Range]) -> Int64s:
    """Return the rows of ranges one after another, shape (Σ lengths,), int64."""
    return np.concatenate([np.empty(0, np.int64), *(np.arange(one.first, one.end) for one in ranges)])


def equal_groups(count: int, groups: int) -> tuple[Range, ...]:
    """Cut rows 0 … count − 1 into consecutive groups; lengths differ by at most one, longer ones first.

    Raises
    ------
    UsageError
        There are fewer rows than groups.
    """
    if count < groups:
        raise UsageError(
            f"{groups} groups need at least {groups} bars, there are {count}",
            hint="Take fewer groups or a longer period.",
        )
    size, longer = divmod(count, groups)
    edges = [number * size + min(number, longer) for number in range(groups + 1)]
    return tuple(Range(first, end) for first, end in pairwise(edges))


def purged(count: int, test: Iterable[Range], *, horizon: int, embargo: int) -> tuple[Range, ...]:
    """Return the rows of 0 … count − 1 that share no bar with the tests, as ranges.

    Row i looks at bars i … i + horizon. Dropped are the tests, the `horizon` rows before each, whose outcome reaches
    into it, the `horizon` rows after each, into which its outcomes reach, and `embargo` further rows after that.
    """
    left, start = [], 0
    for one in sorted(test):
        left.append(Range(start, one.first - horizon))
        start = max(start, one.end + horizon + embargo)
    left.append(Range(start, count))
    return tuple(one for one in left if len(one))


def at_least(name: str, value: int, least: int) -> None:
    """Raise `UsageError` where a length or number of a split is too small."""
    if value < least:
        raise UsageError(f"{name} must be at least {least}, got {value}")
