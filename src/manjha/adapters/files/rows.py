"""Bars in memory on their way into the store, and how new ones are merged with what is there."""

from collections.abc import Collection, Mapping

import msgspec
import numpy as np
import numpy.typing as npt

from manjha.domain.instrument import InstrumentId

Int64s = npt.NDArray[np.int64]

FIELDS = ("ts_open", "ts_close", "open", "high", "low", "close", "volume", "oi")
"""Columns in the order of `domain.bars.BarColumns`; times in ns."""


class Rows(msgspec.Struct, frozen=True):
    """Rows of one or several instruments. `code[i]` indexes `ids`, which is sorted and has no equals.

    Stored rows are in order of (code, ts_open), each key once.
    """

    ids: tuple[str, ...]
    code: Int64s
    columns: dict[str, Int64s]

    def __len__(self) -> int:
        return len(self.code)

    def take(self, index: "Int64s | npt.NDArray[np.bool_] | slice") -> "Rows":
        """Return chosen rows."""
        return Rows(self.ids, self.code[index], {field: values[index] for field, values in self.columns.items()})

    def renamed(self, names: Mapping[InstrumentId, InstrumentId]) -> "Rows":
        """Return rows under other names, ids sorted; equal names become one. Rows keep their order."""
        given = [str(names.get(InstrumentId(name), InstrumentId(name))) for name in self.ids]
        ids = tuple(sorted(set(given)))
        position = {name: index for index, name in enumerate(ids)}
        mapping = np.array([position[name] for name in given], np.int64)
        return Rows(ids, mapping[self.code] if len(mapping) else self.code, self.columns)

    def compact(self) -> "Rows":
        """Return the rows without names that no row has."""
        used = np.flatnonzero(np.bincount(self.code, minlength=len(self.ids)))
        if len(used) == len(self.ids):
            return self
        ids = tuple(self.ids[index] for index in used.tolist())
        return Rows(ids, np.searchsorted(used, self.code).astype(np.int64), self.columns)

    def without(self, names: Collection[InstrumentId]) -> "Rows":
        """Return the rows of other instruments."""
        gone = [index for index, name in enumerate(self.ids) if name in names]
        return self.take(~np.isin(self.code, gone)).compact()


class Clash(msgspec.Struct, frozen=True):
    """One field in which an offered row contradicts one that is there. Times in ns."""

    instrument: str
    ts_open_ns: int
    field: str
    stored: int
    offered: int


class Merge(msgspec.Struct, frozen=True):
    """What came of a merge. `added + unchanged + replaced + conflicting` rows were offered.

    `clashes` names at most `limit` fields, however many rows conflict.
    """

    rows: Rows
    added: int
    unchanged: int
    replaced: int
    conflicting: int
    clashes: tuple[Clash, ...]


def no_rows() -> Rows:
    """Return none at all."""
    empty = np.empty(0, np.int64)
    return Rows((), empty, dict.fromkeys(FIELDS, empty))


def is_ordered(rows: Rows) -> bool:
    """Tell whether rows are in order of (code, ts_open), each key once, and no bar reaches into the next."""
    return _follows(no_rows(), rows)


def merge(stored: Rows, offered: Rows, *, replace: bool, limit: int) -> Merge:
    """Add offered rows to stored ones.

    An equal row changes nothing. One with the same key and other values conflicts: the stored one is kept, or taken out
    where `replace` is set. One that overlaps another bar of its series in time conflicts in `ts_open` and is left out.
    Of equal keys within the offer the first counts.
    """
    ids = tuple(sorted({*stored.ids, *offered.ids}))
    stored, offered = _recode(stored, ids), _recode(offered, ids)
    if _follows(stored, offered):
        return Merge(_join(stored, offered), len(offered), 0, 0, 0, ())
    # A stable sort keeps the first part first among equal keys: the head of each run of equals is the row that stays.
    both = _join(offered, stored) if replace else _join(stored, offered)
    order = np.lexsort((both.columns["ts_open"], both.code))
    both, origin = both.take(order), order - (0 if replace else len(stored))
    is_offered = (origin >= 0) & (origin < len(offered))
    head = _heads(both)
    reaching = _reaching(both.take(head), is_offered[head])
    if len(reaching):
        lost = origin[head][reaching[:, 1]]
        found = _overlaps(both.take(head), reaching)
        return _without(stored, offered, lost, found, replace=replace, limit=limit)
    twin = np.flatnonzero(~head)
    kept = np.flatnonzero(head)[np.cumsum(head) - 1][twin]
    differs = np.zeros(len(twin), np.bool_)
    for values in both.columns.values():
        differs |= values[twin] != values[kept]
    from_offer = is_offered[twin]
    # Where offered rows win, a stored row that is someone's twin means that the head of its run is not new.
    added = int(np.count_nonzero(head & is_offered)) - int(np.count_nonzero(~from_offer))
    replaced, refused = int(np.count_nonzero(differs & ~from_offer)), differs & from_offer
    conflicting = int(np.count_nonzero(refused))
    unchanged = len(offered) - added - replaced - conflicting
    clashes = _clashes(both, kept[refused], twin[refused], limit)
    return Merge(both.take(head), added, unchanged, replaced, conflicting, clashes)


def _recode(rows: Rows, ids: tuple[str, ...]) -> Rows:
    if rows.ids == ids:
        return rows
    position = {name: index for index, name in enumerate(ids)}
    mapping = np.array([position[name] for name in rows.ids], np.int64)
    return Rows(ids, mapping[rows.code] if len(mapping) else rows.code, rows.columns)


def _follows(stored: Rows, offered: Rows) -> bool:
    """Tell whether stored then offered is already in order with nothing equal or overlapping, as appending is."""
    joint = [rows for rows in (stored, offered) if len(rows)]
    previous: tuple[int, int] | None = None
    for rows in joint:
        opened, closed = rows.columns["ts_open"], rows.columns["ts_close"]
        step = rows.code[1:] - rows.code[:-1]
        if not np.all((step > 0) | ((step == 0) & (opened[1:] > opened[:-1]) & (closed[:-1] <= opened[1:]))):
            return False
        first = (int(rows.code[0]), int(opened[0]))
        if previous is not None and first < previous:
            return False
        previous = (int(rows.code[-1]), max(int(closed[-1]), int(opened[-1]) + 1))
    return True


def _join(first: Rows, second: Rows) -> Rows:
    if not len(first):
        return second
    columns = {field: np.concatenate((first.columns[field], second.columns[field])) for field in FIELDS}
    return Rows(first.ids, np.concatenate((first.code, second.code)), columns)


def _heads(rows: Rows) -> npt.NDArray[np.bool_]:
    opened = rows.columns["ts_open"]
    head = np.ones(len(rows), np.bool_)
    head[1:] = (rows.code[1:] != rows.code[:-1]) | (opened[1:] != opened[:-1])
    return head


def _clashes(rows: Rows, kept: Int64s, refused: Int64s, limit: int) -> tuple[Clash, ...]:
    found: list[Clash] = []
    for here, there in zip(kept[:limit].tolist(), refused[:limit].tolist(), strict=True):
        name, ts = rows.ids[rows.code[there]], int(rows.columns["ts_open"][there])
        for field, values in rows.columns.items():
            if values[here] != values[there]:
                found.append(Clash(name, ts, field, int(values[here]), int(values[there])))
    return tuple(found[:limit])


def _reaching(rows: Rows, is_offered: npt.NDArray[np.bool_]) -> Int64s:
    """Return (kept, lost) of each pair of bars that reach into each other: of two offered ones the later is lost."""
    opened, closed = rows.columns["ts_open"], rows.columns["ts_close"]
    first = np.flatnonzero((rows.code[1:] == rows.code[:-1]) & (closed[:-1] > opened[1:]))
    later = is_offered[first + 1]
    return np.column_stack((np.where(later, first, first + 1), np.where(later, first + 1, first)))


def _overlaps(rows: Rows, pairs: Int64s) -> list[Clash]:
    opened = rows.columns["ts_open"]
    return [
        Clash(rows.ids[rows.code[lost]], int(opened[lost]), "ts_open", int(opened[kept]), int(opened[lost]))
        for kept, lost in pairs.tolist()
    ]


def _without(stored: Rows, offered: Rows, lost: Int64s, found: list[Clash], *, replace: bool, limit: int) -> Merge:
    """Merge what is left of an offer when rows that reach into others are taken out and reported."""
    keep = np.ones(len(offered), np.bool_)
    keep[lost] = False
    rest = merge(stored, offered.take(keep), replace=replace, limit=limit)
    dropped = len(offered) - int(np.count_nonzero(keep))
    clashes = (*found, *rest.clashes)[:limit]
    return msgspec.structs.replace(rest, conflicting=rest.conflicting + dropped, clashes=clashes)
