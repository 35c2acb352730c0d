"""The data that a check changes: columns of series in time, cut short, disturbed after a moment, or mixed."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from manjha.domain.bars import BarColumns
from manjha.engine.bars import column

Ints = NDArray[np.int64]
Column = NDArray[Any]
Columns = dict[str, Column]

PRICES = ("open", "high", "low", "close")
AMOUNTS = ("volume", "oi")
TIMES = ("ts", "day")
"""Columns that say when, and are never disturbed."""


class Track(msgspec.Struct, frozen=True, eq=False):
    """One series: `label` for people ("NSE:INFY", or empty for the only one), its interval in seconds (0: none), and
    columns of equal length; row `i` is known at `close_ns[i]`, which increases."""

    label: str
    interval: int
    open_ns: Ints
    close_ns: Ints
    columns: Columns

    def known(self, ts_ns: int) -> int:
        """Return how many rows are known at a moment."""
        return int(np.searchsorted(self.close_ns, ts_ns, side="right"))


Tape = tuple[Track, ...]


class Kind(StrEnum):
    """How the bars after a moment are changed."""

    MISSING = "missing"
    LEVEL = "another level"
    INVERTED = "moves turned round"
    SHUFFLED = "in another order"
    COLUMN = "one column changed"


class Change(msgspec.Struct, frozen=True):
    """What is done to the bars after a moment. `column` is for one column; the seed decides the rest."""

    kind: Kind
    seed: int = 0
    column: str = ""


class Cells(msgspec.Struct, frozen=True):
    """Cells of a tape: rows that close after `after_ns` and by `until_ns`, in some tracks and columns (None: all)."""

    after_ns: int
    until_ns: int
    tracks: frozenset[int] | None = None
    columns: frozenset[str] | None = None


def track_of(bars: BarColumns, label: str) -> Track:
    """Return the track of stored bars, without copying."""
    columns = {name: np.asarray(getattr(bars, name)) for name in (*PRICES, *AMOUNTS)}
    return Track(label, bars.interval, np.asarray(bars.ts_open_ns), np.asarray(bars.ts_close_ns), columns)


def bars_of(track: Track, like: BarColumns) -> BarColumns:
    """Return a track as bars of an instrument again."""
    given = {name: column(values) for name, values in track.columns.items()}
    return BarColumns(like.instrument, like.interval, column(track.open_ns), column(track.close_ns), **given)


def cut(tape: Tape, until_ns: int) -> Tape:
    """Return what is known at a moment."""
    return tuple(_rows(track, slice(0, track.known(until_ns))) for track in tape)


def begun_later(tape: Tape, from_ns: int) -> Tape:
    """Return the rows that open at a moment or later."""
    return tuple(_rows(track, slice(int(np.searchsorted(track.open_ns, from_ns)), None)) for track in tape)


def changed(tape: Tape, after_ns: int, change: Change) -> Tape:
    """Return the tape with everything that is not known at a moment changed; what is known stays as it is."""
    if change.kind is Kind.MISSING:
        return cut(tape, after_ns)
    out = []
    for index, track in enumerate(tape):
        first = track.known(after_ns)
        rng = np.random.default_rng([change.seed, index])
        future = {name: values[first:] for name, values in track.columns.items()}
        before = {name: values[max(first - 1, 0)] for name, values in track.columns.items() if len(values)}
        made = _KINDS[change.kind](future, before, rng, change.column) if first < len(track.close_ns) else {}
        out.append(_replaced(track, {name: _joined(track.columns[name], first, made[name]) for name in made}))
    return tuple(out)


def mixed(original: Tape, other: Tape, cells: Cells) -> Tape:
    """Return the original with some cells from another tape of the same shape."""
    out = []
    for index, (track, source) in enumerate(zip(original, other, strict=True)):
        if cells.tracks is not None and index not in cells.tracks:
            out.append(track)
            continue
        first, last = track.known(cells.after_ns), track.known(cells.until_ns)
        names = [name for name in track.columns if cells.columns is None or name in cells.columns]
        fresh = {name: track.columns[name].copy() for name in names}
        for name, values in fresh.items():
            values[first:last] = source.columns[name][first:last]
        out.append(_replaced(track, fresh))
    return tuple(out)


def differs(one: Tape, other: Tape) -> bool:
    """Tell whether any cell or the number of rows differs."""
    return any(
        len(a.close_ns) != len(b.close_ns)
        or any(not np.array_equal(a.columns[name], b.columns[name], equal_nan=_has_nan(a, name)) for name in a.columns)
        for a, b in zip(one, other, strict=True)
    )


def changeable(tape: Tape) -> list[str]:
    """Return the columns that can be changed alone: those that hold more than one value, times left out."""
    names = dict.fromkeys(name for track in tape for name in track.columns if name not in TIMES)
    return [name for name in names if any(_varies(track.columns.get(name)) for track in tape)]


def _varies(values: Column | None) -> bool:
    return values is not None and len(values) > 1 and bool((values != values[0]).any())


def _has_nan(track: Track, name: str) -> bool:
    return bool(track.columns[name].dtype.kind == "f")


def _rows(track: Track, which: slice) -> Track:
    columns = {name: values[which] for name, values in track.columns.items()}
    return Track(track.label, track.interval, track.open_ns[which], track.close_ns[which], columns)


def _replaced(track: Track, fresh: Mapping[str, Column]) -> Track:
    return Track(track.label, track.interval, track.open_ns, track.close_ns, {**track.columns, **fresh})


def _joined(values: Column, first: int, future: NDArray[np.float64]) -> Column:
    out = values.copy()
    out[first:] = np.rint(future) if values.dtype.kind in "iu" else future
    return out


# ---- the kinds: each gets the columns to come, the last known row, a generator, and the name of one column

Future = Mapping[str, Column]
Made = dict[str, NDArray[np.float64]]


def _level(future: Future, before: Mapping[str, Any], rng: np.random.Generator, _name: str) -> Made:
    """Everything a good deal higher or lower, with a little noise; prices of a bar keep their order."""
    count = len(next(iter(future.values())))
    factor = rng.uniform(1.25, 1.5) ** rng.choice([-1, 1]) * rng.uniform(0.98, 1.02, count)
    amount = rng.uniform(2.0, 5.0) ** rng.choice([-1, 1], count)
    made: Made = {}
    for name, values in future.items():
        if name in PRICES:
            made[name] = _positive(values, values * factor)
        elif name in AMOUNTS:
            made[name] = values * amount
        elif name not in TIMES:
            made[name] = values * factor + _spread(values) * rng.choice([-3.0, 3.0])
    del before
    return made


def _inverted(future: Future, before: Mapping[str, Any], _rng: np.random.Generator, _name: str) -> Made:
    """What rose falls by the same share, from the last known close on; highs and lows change places."""
    anchor = float(before.get("close", before.get("open", 0.0)) or 1.0)
    swap = {"high": "low", "low": "high"} if {"high", "low"} <= future.keys() else {}
    made: Made = {}
    for name, values in future.items():
        if name in PRICES:
            source = future[swap.get(name, name)].astype(np.float64)
            made[name] = _positive(
                values, np.where(source > 0, anchor * anchor / np.where(source > 0, source, 1), source)
            )
        elif name not in AMOUNTS and name not in TIMES:
            made[name] = 2.0 * float(before[name]) - values
    return made


def _shuffled(future: Future, before: Mapping[str, Any], rng: np.random.Generator, _name: str) -> Made:
    """The same bars in another order."""
    del before
    order = rng.permutation(len(next(iter(future.values()))))
    return {name: values[order].astype(np.float64) for name, values in future.items() if name not in TIMES}


def _one_column(future: Future, before: Mapping[str, Any], rng: np.random.Generator, name: str) -> Made:
    """One column changed, so that a bar's low still is its lowest and its high its highest price."""
    del before
    if name not in future:
        return {}
    values = future[name].astype(np.float64)
    if name in ("open", "close") and {"high", "low"} <= future.keys():
        return {name: future["high"] + future["low"] - values}
    if name in PRICES:
        step = 1.1 if name == "high" else 0.9 if name == "low" else 1.2
        return {name: _positive(future[name], values * step)}
    if name in AMOUNTS:
        return {name: values * rng.uniform(2.0, 5.0) ** rng.choice([-1, 1], len(values)) + 1.0}
    return {name: values + _spread(values) * rng.choice([-3.0, 3.0])}


def _positive(like: Column, values: Any) -> NDArray[np.float64]:
    return np.asarray(np.maximum(values, 1.0) if like.dtype.kind in "iu" else values, dtype=np.float64)


def _spread(values: Column) -> float:
    known = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return float(np.std(known)) or 1.0 if len(known) else 1.0


_KINDS: Mapping[Kind, Callable[[Future, Mapping[str, Any], np.random.Generator, str], Made]] = {
    Kind.LEVEL: _level,
    Kind.INVERTED: _inverted,
    Kind.SHUFFLED: _shuffled,
    Kind.COLUMN: _one_column,
}


def merged_closes(tracks: Sequence[Track]) -> Ints:
    """Return every moment at which a row of any track becomes known, ascending."""
    if len(tracks) == 1:
        return tracks[0].close_ns
    return np.unique(np.concatenate([track.close_ns for track in tracks]))
