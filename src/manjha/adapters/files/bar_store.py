"""The bar store: Parquet partitions, a manifest that says which are current, and mapped columns for repeated reads."""

import hashlib
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from manjha.adapters.files.column_cache import MAX_BYTES, ColumnCache
from manjha.adapters.files.durable import exclusive, write_whole
from manjha.adapters.files.integrity import MEND, SetAside, damaged, problems_of
from manjha.adapters.files.manifest import Change, Entry, Manifest, Origin
from manjha.adapters.files.partitions import (
    ADJUSTMENTS,
    Partition,
    decode,
    encode,
    period_name,
    period_numbers,
    periods_by_month,
    place_of,
    summarise,
)
from manjha.adapters.files.rows import FIELDS, Int64s, Merge, Rows, merge, no_rows
from manjha.domain.bars import DAY, BarColumns, Interval
from manjha.domain.errors import DataError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.ports.market_data import BarBatch, Conflict, Provenance, SeriesInfo, WriteReport

MAX_CONFLICTS = 1_000
"""Conflicts that a report names; all are counted. A file in the wrong unit would name millions."""

_READ_ATTEMPTS = 8
_BATCH = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
_EMPTY = np.empty(0, np.int64)

Columns = dict[str, Int64s]


class ParquetBarStore:
    """Implements the `BarStore` port under one folder."""

    def __init__(self, folder: Path, cache_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._manifest = Manifest(folder / "manifest.sqlite")
        self._cache = ColumnCache(folder / "cache", cache_bytes)

    # ------------------------------------------------------------------------------------------ write

    def write(self, batch: BarBatch, provenance: Provenance, *, replace: bool = False) -> WriteReport:
        """Add rows atomically; see the port."""
        _check_adjustment(provenance.adjustment)
        rows = _rows_of(batch)
        with exclusive(self._folder / "lock"):
            merges: list[tuple[int, Merge]] = []
            changes: list[Change] = []
            touched: list[Partition] = []
            for partition, offered in _split(rows, batch.interval, provenance.adjustment):
                entry = self._manifest.entry(partition)
                stored = self._stored(entry) if entry else no_rows()
                merged = merge(stored, offered, replace=replace, limit=MAX_CONFLICTS)
                merges.append((batch.interval, merged))
                touched.append(partition)
                if merged.added or merged.replaced:
                    changes.append(self._put(partition, merged))
            self._commit(changes, touched, provenance)
        return _report(merges)

    def join(self, renames: Mapping[InstrumentId, InstrumentId], provenance: Provenance) -> WriteReport:
        """Give the bars of ids to other ids of the same exchange, as when a symbol's ISIN becomes known.

        The old ids hold nothing afterwards. Bars that contradict those of the new id are reported and dropped.
        """
        for old, new in renames.items():
            if place_of(old, DAY) != place_of(new, DAY):
                raise DataError(f"{old} and {new} are of different exchanges and cannot be one instrument")
        with exclusive(self._folder / "lock"):
            merges: list[tuple[int, Merge]] = []
            changes: list[Change] = []
            for entry in self._manifest.entries():
                moved = self._renamed(entry, renames)
                if not len(moved):
                    continue
                partition = entry.partition
                if partition.is_shared:
                    target, stored = partition, self._stored(entry).without(renames)
                else:
                    target = msgspec.structs.replace(partition, place=renames[InstrumentId(partition.place)])
                    current = self._manifest.entry(target)
                    stored = self._stored(current) if current else no_rows()
                    changes.append(Change(partition, None))
                merged = merge(stored, moved, replace=False, limit=MAX_CONFLICTS)
                merges.append((partition.interval, merged))
                changes.append(self._put(target, merged))
            self._commit(changes, [change.partition for change in changes], provenance)
        return _report(merges)

    def _renamed(self, entry: Entry, renames: Mapping[InstrumentId, InstrumentId]) -> Rows:
        if entry.partition.is_shared:
            return self._stored(entry, tuple(renames)).renamed(renames)
        return self._stored(entry).renamed(renames) if entry.partition.place in renames else no_rows()

    def _put(self, partition: Partition, merged: Merge) -> Change:
        data = encode(merged.rows, shared=partition.is_shared)
        sha256 = hashlib.sha256(data).hexdigest()
        file = partition.folder / f"{partition.period}-{sha256[:16]}.parquet"
        write_whole(self._folder / file, data)
        opened = merged.rows.columns["ts_open"]
        first, last = int(opened.min()), int(opened.max())
        entry = Entry(partition, str(file), sha256, len(data), len(merged.rows), first, last)
        return Change(partition, entry, merged.added, merged.replaced)

    def _commit(self, changes: list[Change], touched: list[Partition], provenance: Provenance) -> None:
        if changes:
            self._manifest.commit(changes, provenance)
        for partition in touched:
            self._sweep(partition)

    def _sweep(self, partition: Partition) -> None:
        """Delete files of a partition that are not current: outdated, or left by a writer that died."""
        entry = self._manifest.entry(partition)
        current = Path(entry.file).name if entry else ""
        dashes = partition.period.count("-") + 1
        for path in (self._folder / partition.folder).glob(f"{partition.period}-*"):
            if path.name != current and path.name.count("-") == dashes:
                path.unlink(missing_ok=True)

    # ------------------------------------------------------------------------------------------ read

    def read(
        self, instrument: InstrumentId, interval: Interval, start_ns: int, end_ns: int, *, adjustment: str = ""
    ) -> BarColumns:
        """Return bars with `start_ns <= ts_open_ns < end_ns`; see the port.

        Where a series is stored in several states of adjustment and none is asked for, the bars are all of one state:
        raw if any raw bar lies in the span, else "split", else "total". `adjustment` tells which.
        """
        return self.read_many((instrument,), interval, start_ns, end_ns, adjustment=adjustment)[0]

    def read_many(
        self,
        instruments: Sequence[InstrumentId],
        interval: Interval,
        start_ns: int,
        end_ns: int,
        *,
        adjustment: str = "",
    ) -> list[BarColumns]:
        """Read several instruments, opening a partition that they share only once."""
        found = self._read(instruments, interval, (start_ns, end_ns), adjustment)
        return [_columns(instrument, interval, found[instrument][1]) for instrument in instruments]

    def adjustment(self, instrument: InstrumentId, interval: Interval, start_ns: int, end_ns: int) -> str:
        """Return the state of adjustment that `read` gives for this span; empty where there are no bars."""
        return self._read((instrument,), interval, (start_ns, end_ns), "")[instrument][0]

    def _read(
        self, instruments: Sequence[InstrumentId], interval: Interval, span: tuple[int, int], adjustment: str
    ) -> dict[InstrumentId, tuple[str, list[Columns]]]:
        if adjustment:
            _check_adjustment(adjustment)
        states = (adjustment,) if adjustment else ADJUSTMENTS
        for _ in range(_READ_ATTEMPTS):
            try:
                return self._gather(tuple(instruments), interval, span, states)
            except FileNotFoundError as error:
                missing = error  # A writer put a new file in its place since the manifest was read; or it is gone.
        raise DataError(f"a file that the manifest of {self._folder} names is not there: {missing}", hint=MEND)

    def _gather(
        self, instruments: tuple[InstrumentId, ...], interval: Interval, span: tuple[int, int], states: tuple[str, ...]
    ) -> dict[InstrumentId, tuple[str, list[Columns]]]:
        found: dict[InstrumentId, tuple[str, list[Columns]]] = {name: ("", []) for name in instruments}
        for place in {place_of(name, interval): None for name in found}:
            entries = self._manifest.entries(interval, place)
            for state in states:
                wanted = tuple(n for n in found if place_of(n, interval) == place and not found[n][1])
                if not wanted:
                    break
                for entry in entries:
                    if entry.partition.adjustment != state or entry.last_ns < span[0] or entry.first_ns >= span[1]:
                        continue
                    for name, columns in self._load(entry, wanted).items():
                        piece = _within(columns, span)
                        if len(piece["ts_open"]):
                            found[name] = (state, [*found[name][1], piece])
        return found

    def _load(self, entry: Entry, instruments: tuple[InstrumentId, ...]) -> dict[InstrumentId, Columns]:
        """Return columns of each instrument; those of its own partition come from the cache."""
        if entry.partition.is_shared:
            rows = self._decode(entry, instruments)
            bounds = np.searchsorted(rows.code, np.arange(len(rows.ids) + 1)).tolist()
            parts = {InstrumentId(name): rows.take(slice(*bounds[i : i + 2])) for i, name in enumerate(rows.ids)}
            return {name: part.columns for name, part in parts.items()}
        columns = self._cache.load(entry.sha256)
        if columns is None:
            decoded = self._decode(entry).columns
            self._cache.store(entry.sha256, decoded)
            # Mapped at once, which saves a writable copy.
            columns = self._cache.load(entry.sha256) or decoded
        return dict.fromkeys(instruments, columns)

    def _decode(self, entry: Entry, only: tuple[str, ...] = ()) -> Rows:
        try:
            return decode(self._folder / entry.file, entry.partition, only)
        except pl.exceptions.PolarsError as error:
            raise damaged(self._folder / entry.file, error) from error

    def _stored(self, entry: Entry, only: tuple[str, ...] = ()) -> Rows:
        """Read a current file where nobody can have replaced it: a file that is not there is damage."""
        try:
            return self._decode(entry, only)
        except FileNotFoundError as error:
            raise damaged(self._folder / entry.file, error) from error

    # ------------------------------------------------------------------------------------------ describe

    def series(self, instrument: InstrumentId | None = None) -> list[SeriesInfo]:
        """Return what is stored; see the port. `sources` and `sha256` of daily series are those of their partitions."""
        entries = self._manifest.entries()
        if instrument is None:
            return self._describe(entries)
        mine = [entry for entry in entries if entry.partition.place == place_of(instrument, entry.partition.interval)]
        return [info for info in self._describe(mine) if info.instrument == instrument]

    def partitions(self) -> list[Entry]:
        """Return the current partition files."""
        return self._manifest.entries()

    def origins(self, partition: Partition) -> list[Origin]:
        """Return the imports that gave rows to a partition, oldest first."""
        return self._manifest.origins(partition)

    def verify(self) -> list[str]:
        """Return what is wrong with the stored files; see the port."""
        return [problem for entry in self._manifest.entries() for problem in problems_of(self._folder, entry)]

    def set_aside(self) -> list[SetAside]:
        """Take every damaged or missing file out of the store, so that importing its sources again restores it.

        Files are moved to `damaged/` below the store, not deleted.
        """
        aside: list[SetAside] = []
        with exclusive(self._folder / "lock"):
            for entry in self._manifest.entries():
                problems = problems_of(self._folder, entry)
                if not problems:
                    continue
                sources = tuple(dict.fromkeys(origin.file for origin in self._manifest.origins(entry.partition)))
                path = self._folder / entry.file
                kept = self._folder / "damaged" / entry.file.replace("/", "~")
                if path.exists():
                    kept.parent.mkdir(exist_ok=True)
                    path.replace(kept)
                self._manifest.commit([Change(entry.partition, None)])
                aside.append(SetAside(problems[0], str(kept) if kept.exists() else "", entry.rows, sources))
        return aside

    def _describe(self, entries: list[Entry]) -> list[SeriesInfo]:
        parts: dict[tuple[str, int, str], list[tuple[Entry, int, int, int]]] = defaultdict(list)
        for entry in entries:
            partition = entry.partition
            counted = [(partition.place, entry.rows, entry.first_ns, entry.last_ns)]
            if partition.is_shared:
                try:
                    counted = summarise(self._folder / entry.file)
                except (pl.exceptions.PolarsError, OSError) as error:
                    raise damaged(self._folder / entry.file, error) from error
            for name, rows, first, last in counted:
                parts[name, partition.interval, partition.adjustment].append((entry, rows, first, last))
        origins = {entry.file: self._manifest.origins(entry.partition) for entry in entries}
        return [_series(key, found, origins) for key, found in sorted(parts.items())]


def _series(
    key: tuple[str, int, str], found: list[tuple[Entry, int, int, int]], origins: dict[str, list[Origin]]
) -> SeriesInfo:
    name, interval, adjustment = key
    hashes = [entry.sha256 for entry, *_ in found]
    return SeriesInfo(
        InstrumentId(name),
        Interval(interval),
        sum(rows for _, rows, _, _ in found),
        TsNs(min(first for *_, first, _ in found)),
        TsNs(max(last for *_, last in found)),
        tuple(sorted({origin.source for entry, *_ in found for origin in origins[entry.file]})),
        adjustment,
        hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest(),
    )


def _rows_of(batch: BarBatch) -> Rows:
    """Take a batch's columns as arrays, ids sorted, and refuse what the files could not hold exactly."""
    columns = {
        field: np.asarray(getattr(batch, name), dtype=np.int64) for field, name in zip(FIELDS, _BATCH, strict=True)
    }
    code = np.asarray(batch.instrument, dtype=np.int64)
    lengths = {len(code), *(len(values) for values in columns.values())}
    if len(lengths) > 1:
        raise DataError(f"a batch's columns differ in length: {sorted(lengths)}")
    if len(code) and not 0 <= int(code.min()) <= int(code.max()) < len(batch.instruments):
        raise DataError(f"a batch names instrument {int(code.max())} of {len(batch.instruments)}")
    for field in ("ts_open", "ts_close"):
        if np.any(columns[field] % 1_000):
            raise DataError(f"{field} is finer than a microsecond, which the store cannot keep")
    if np.any(columns["ts_close"] <= columns["ts_open"]):
        row = int(np.argmax(columns["ts_close"] <= columns["ts_open"]))
        raise DataError(f"row {row + 1} of a batch closes at or before its open")
    names = [str(instrument.id) for instrument in batch.instruments]
    return Rows(tuple(names), code, columns).renamed({})


def _split(rows: Rows, interval: int, adjustment: str) -> Iterator[tuple[Partition, Rows]]:
    """Yield rows by partition."""
    if not len(rows):
        return
    places = [(place_of(name, interval), periods_by_month(name, interval)) for name in rows.ids]
    kinds = sorted(set(places))
    of_id = np.array([kinds.index(place) for place in places], np.int64)
    of_row = of_id[rows.code]
    for number, (place, by_month) in enumerate(kinds):
        mine = rows if len(kinds) == 1 else rows.take(of_row == number)
        if not len(mine):
            continue
        periods = period_numbers(mine.columns["ts_open"], by_month=by_month)
        # Most often one instrument in order of time: its years are slices, which cost nothing.
        in_order = bool(np.all(periods[1:] >= periods[:-1]))
        for period in range(int(periods.min()), int(periods.max()) + 1):
            part = mine.take(slice(*np.searchsorted(periods, (period, period + 1))) if in_order else periods == period)
            if len(part):
                yield Partition(adjustment, interval, place, period_name(period, by_month=by_month)), part.compact()


def _within(columns: Columns, span: tuple[int, int]) -> Columns:
    first, last = np.searchsorted(columns["ts_open"], span).tolist()
    return {field: values[first:last] for field, values in columns.items()}


def _columns(instrument: InstrumentId, interval: Interval, pieces: list[Columns]) -> BarColumns:
    if len(pieces) == 1:
        joined = pieces[0]
    else:
        joined = {f: np.concatenate([piece[f] for piece in pieces]) if pieces else _EMPTY for f in FIELDS}
    return BarColumns(instrument, interval, *(_view(joined[field]) for field in FIELDS))


def _view(values: Int64s) -> memoryview:
    # An empty array's view cannot be cast, and numpy calls int64 "l" where the port says "q". Writable always, mapped
    # or not: numba would compile everything once more for read-only arrays.
    if not len(values):
        return memoryview(array("q"))
    return np.require(values, requirements=["C", "W"]).data.cast("B").cast("q")


def _report(merges: Sequence[tuple[int, Merge]]) -> WriteReport:
    conflicts = [
        Conflict(
            InstrumentId(clash.instrument),
            Interval(interval),
            TsNs(clash.ts_open_ns),
            clash.field,
            clash.stored,
            clash.offered,
        )
        for interval, merged in merges
        for clash in merged.clashes
    ]
    return WriteReport(
        added=sum(merged.added for _, merged in merges),
        unchanged=sum(merged.unchanged for _, merged in merges),
        conflicts=tuple(conflicts[:MAX_CONFLICTS]),
        conflicting=sum(merged.conflicting for _, merged in merges),
        replaced=sum(merged.replaced for _, merged in merges),
    )


def _check_adjustment(adjustment: str) -> None:
    if adjustment not in ADJUSTMENTS:
        raise DataError(f"expected an adjustment of {', '.join(ADJUSTMENTS)}, was {adjustment!r}")
