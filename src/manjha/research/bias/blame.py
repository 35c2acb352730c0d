"""From a difference to its cause: bar, series and column, found by halving what was changed."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
import numpy as np

from manjha.domain.moments import TsNs
from manjha.research.bias.compare import ORDERS, Difference, differences
from manjha.research.bias.findings import Cause
from manjha.research.bias.subjects import Broken, Subject, Trace, attempted, interval_words
from manjha.research.bias.tape import TIMES, Cells, Change, Kind, Tape, changed, cut, merged_closes, mixed

T = TypeVar("T")

TRIED_ALONE_MAX = 64
"""How many runs one cause may cost beyond the halving."""


class Evidence(msgspec.Struct, frozen=True):
    """A difference, the point that it was seen at and the change that showed it."""

    difference: Difference
    point: int
    change: Change


class Blamer:
    """Finds causes for one subject. `count` is told each run."""

    def __init__(self, subject: Subject, whole: Trace, count: Callable[[], None]) -> None:
        self.subject = subject
        self.whole = whole
        self.count = count

    def cause(self, evidence: Evidence) -> Cause:
        """Return the smallest part of the change that was found to move the item."""
        after_ns = int(self.whole.closes[evidence.point])
        if evidence.change.kind is Kind.MISSING:
            return self._missing(evidence, after_ns)
        other = changed(self.subject.tape, after_ns, evidence.change)
        moments = merged_closes(self.subject.tape)
        moments = moments[np.searchsorted(moments, after_ns, side="right") :]

        def moves(cells: Cells) -> bool:
            return self._moves(evidence, mixed(self.subject.tape, other, cells))

        last = _first_true(len(moments), lambda n: moves(Cells(after_ns, int(moments[n - 1]))))
        until_ns = int(moments[last - 1])
        before_ns = int(moments[last - 2]) if last > 1 else after_ns
        if last > 1 and not moves(Cells(before_ns, until_ns)):
            # That bar alone does not do it: the shortest run of bars that ends with it.
            far = _first_true(last, lambda n: moves(Cells(_before(moments, last - n, after_ns), until_ns)))
            before_ns = _before(moments, last - far, after_ns)
        span = Cells(before_ns, until_ns)
        tracks = self._alone(self._tracks(span), lambda one: moves(_narrowed(span, tracks=frozenset([one]))))
        span = _narrowed(span, tracks=frozenset(tracks))
        names = [name for name in ("close", "open", "high", "low", "volume", "oi") if self._has(tracks, name)]
        names += [name for i in tracks for name in self.subject.tape[i].columns if name not in (*names, *TIMES)]
        columns = self._alone(names, lambda one: moves(_narrowed(span, columns=frozenset([one]))))
        first_ns = min([self._closes(i, before_ns) for i in tracks])
        return self._named(tracks, columns, first_ns, until_ns)

    def _missing(self, evidence: Evidence, after_ns: int) -> Cause:
        moments = merged_closes(self.subject.tape)
        rest = moments[np.searchsorted(moments, after_ns, side="right") :]
        # The more bars are kept, the less is missing; the first bar whose coming back mends it is the one.
        kept = _first_true(
            len(rest), lambda n: n == len(rest) or not self._moves(evidence, cut(self.subject.tape, int(rest[n - 1])))
        )
        ts_ns = int(rest[kept - 1])
        tracks = self._tracks(Cells(int(rest[kept - 2]) if kept > 1 else after_ns, ts_ns))
        return msgspec.structs.replace(self._named(tracks, [], ts_ns, ts_ns), is_missing=True)

    def _moves(self, evidence: Evidence, tape: Tape) -> bool:
        """Tell whether the item is another than in the whole run, at its moment or before."""
        self.count()
        is_cut = len(tape[0].close_ns) < len(self.subject.tape[0].close_ns)
        trace = attempted(self.subject, tape, evidence.point)
        if isinstance(trace, Broken):
            return False
        found = differences(self.whole, trace, evidence.point, self.subject.display, cut=is_cut, upto=evidence.point)
        wanted = evidence.difference
        for one in found:
            if one.item == wanted.item and (one.item == ORDERS or one.row >= wanted.row):
                return one.item != ORDERS or one.ts_ns <= wanted.ts_ns
        return False

    def _tracks(self, cells: Cells) -> list[int]:
        """Return the series that have a bar among the cells."""
        tape = self.subject.tape
        return [i for i, track in enumerate(tape) if track.known(cells.until_ns) > track.known(cells.after_ns)]

    def _alone(self, parts: list[T], moves: Callable[[T], bool]) -> list[T]:
        """Return the first part that does it alone; all parts where none does."""
        if len(parts) == 1:
            return parts
        found = next((part for part in parts[:TRIED_ALONE_MAX] if moves(part)), None)
        return parts if found is None else [found]

    def _has(self, tracks: list[int], name: str) -> bool:
        return any(name in self.subject.tape[i].columns for i in tracks)

    def _closes(self, track: int, after_ns: int) -> int:
        one = self.subject.tape[track]
        return int(one.close_ns[min(one.known(after_ns), len(one.close_ns) - 1)])

    def _named(self, tracks: list[int], columns: list[str], first_ns: int, last_ns: int) -> Cause:
        tape = self.subject.tape
        labels = tuple(dict.fromkeys(tape[i].label for i in tracks))
        interval = interval_words(tape[tracks[0]]) if tracks else ""
        return Cause(labels, interval, tuple(columns), TsNs(first_ns), TsNs(last_ns))


def _first_true(count: int, holds: Callable[[int], bool]) -> int:
    """Return an `n` of 1 … `count` at which `holds` and at `n` − 1 it does not; it holds at `count`, not at 0."""
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def _before(moments: np.ndarray[tuple[int], np.dtype[np.int64]], index: int, after_ns: int) -> int:
    return int(moments[index - 1]) if index > 0 else after_ns


def _narrowed(cells: Cells, *, tracks: frozenset[int] | None = None, columns: frozenset[str] | None = None) -> Cells:
    return Cells(
        cells.after_ns,
        cells.until_ns,
        tracks if tracks is not None else cells.tracks,
        columns if columns is not None else cells.columns,
    )
