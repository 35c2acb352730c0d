"""Recorded ticks as files, two a day: `2026-11-26.csv`, which everything that reads files of ticks reads, and a record.

The record is the commit: what stands in the file beyond what it states was never acknowledged, and is cut.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from manjha.adapters.files.durable import make_folder, sync_folder, write_whole
from manjha.domain.errors import DataError, InvariantBroken, UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs, format_day, ist_datetime
from manjha.domain.money import Px, Qty
from manjha.domain.tick_days import DayRecord, RecordedTick
from manjha.domain.ticks import Tick, TickColumns

HEADER = b"time,symbol,price,volume,id,ts_ns,seq\n"
"""`volume` is the day's total so far, as feeds have it; `id`, `ts_ns` and `seq` are ours."""
_ONE = 10_000


class TickDays:
    """Implements `ports.tick_log.TickLog` over a folder.

    Parameters
    ----------
    named
        Returns what people call an instrument.
    """

    def __init__(self, folder: Path, named: Callable[[InstrumentId], str]) -> None:
        self._folder, self._named = folder, named
        self._descriptor = -1
        self._hash = hashlib.sha256()
        self._rows = self._size = 0
        self._totals: dict[InstrumentId, int] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only recorder of this folder. Raises `UsageError` where another process is."""
        import fcntl

        make_folder(self._folder)
        descriptor = os.open(self._folder / "recorder.lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UsageError(
                f"another process records into {self._folder}", hint="One is enough; or set another MANJHA_HOME."
            ) from None
        try:
            yield
        finally:
            self._let_go()
            os.close(descriptor)

    def latest(self) -> DayRecord | None:
        """Return the record of the newest day."""
        days = sorted(path.stem for path in self._folder.glob("????-??-??.json")) if self._folder.is_dir() else []
        return self._record(self._folder / f"{days[-1]}.json") if days else None

    def begin(self, record: DayRecord) -> Iterator[RecordedTick]:
        """Get ready to write; see the port."""
        self._let_go()
        make_folder(self._folder)
        path = self._path(record.day)
        self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        kept = path.read_bytes()[: record.size]
        _require_whole(path, kept, record)
        os.ftruncate(self._descriptor, record.size)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        self._hash, self._rows, self._size = hashlib.sha256(kept), record.rows, record.size
        self._totals = {}
        if not record.size:
            self._write(HEADER)
            sync_folder(self._folder)
        if not record.rows:
            return iter(())
        frame = _frame(kept)
        last = frame.group_by("id").agg(pl.col("volume").last())
        self._totals = {InstrumentId(name): int(total) for name, total in last.iter_rows()}
        return _ticks(frame)

    def append(self, ticks: Iterable[RecordedTick]) -> None:
        """Write ticks; see the port."""
        lines = []
        for one in ticks:
            tick = one.tick
            total = self._totals[tick.instrument] = self._totals.get(tick.instrument, 0) + tick.volume
            when = ist_datetime(tick.ts_ns)
            px = f"{tick.px // _ONE}.{tick.px % _ONE:04d}"
            named = self._named(tick.instrument)
            lines.append(
                f"{when:%Y-%m-%d %H:%M:%S.%f}+05:30,{named},{px},{total},{tick.instrument},{tick.ts_ns},{one.seq}\n"
            )
        self._rows += len(lines)
        self._write("".join(lines).encode())

    def commit(self, record: DayRecord) -> DayRecord:
        """Make everything durable; see the port."""
        if self._descriptor < 0:
            raise InvariantBroken("a day of ticks was committed before it was begun")
        os.fsync(self._descriptor)
        stated = msgspec.structs.replace(record, rows=self._rows, size=self._size, hash=self._hash.hexdigest())
        write_whole(self._path(record.day).with_suffix(".json"), msgspec.json.format(msgspec.json.encode(stated)))
        return stated

    def read(self, day: TradingDay, instruments: Sequence[InstrumentId]) -> list[TickColumns] | None:
        """Return a day's ticks; see the port."""
        path = self._path(day)
        if not path.with_suffix(".json").exists():
            return None
        record = self._record(path.with_suffix(".json"))
        kept = path.read_bytes()[: record.size] if path.exists() else b""
        _require_whole(path, kept, record)
        return recorded_columns(kept, instruments)

    def _record(self, path: Path) -> DayRecord:
        try:
            return msgspec.json.decode(path.read_bytes(), type=DayRecord)
        except msgspec.MsgspecError as error:
            raise DataError(
                f"{path} cannot be read: {error}", hint="Put it back from a copy, or move it away."
            ) from None

    def _path(self, day: TradingDay) -> Path:
        return self._folder / f"{format_day(day)}.csv"

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._size += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def is_recorded(data: bytes) -> bool:
    """Tell whether a file is one that a recorder wrote."""
    return data.startswith(HEADER)


def recorded_columns(data: bytes, instruments: Sequence[InstrumentId]) -> list[TickColumns]:
    """Return the ticks of each instrument in a recorder's file, to the last nanosecond; what is torn at its end is not.

    Raises `DataError` where a row cannot be read.
    """
    frame = _frame(data)
    found = []
    for name in instruments:
        own = frame.filter(pl.col("id") == name)
        volume = own["volume"].diff().fill_null(own["volume"].first() or 0) if own.height else own["volume"]
        columns = (own["ts_ns"], own["px"], volume)
        found.append(TickColumns(name, *(_column(one) for one in columns)))
    return found


def _ticks(frame: pl.DataFrame) -> Iterator[RecordedTick]:
    totals: dict[str, int] = {}
    for name, ts_ns, px, total, seq in frame.select("id", "ts_ns", "px", "volume", "seq").iter_rows():
        traded = total - totals.get(name, 0)
        totals[name] = total
        yield RecordedTick(seq, Tick(InstrumentId(name), TsNs(ts_ns), Px(px), Qty(traded)))


def _frame(data: bytes) -> pl.DataFrame:
    whole = data[: data.rfind(b"\n") + 1]
    types = {"id": pl.String, "price": pl.String, "volume": pl.Int64, "ts_ns": pl.Int64, "seq": pl.Int64}
    try:
        frame = pl.read_csv(whole, schema_overrides=types, columns=list(types))
        return frame.with_columns(px=pl.col("price").str.replace(".", "", literal=True).cast(pl.Int64))
    except pl.exceptions.PolarsError as error:
        raise DataError(f"recorded ticks cannot be read: {error}", hint="The file was changed: put it back.") from None


def _column(values: pl.Series) -> memoryview:
    array = np.ascontiguousarray(values.to_numpy(), dtype=np.int64)
    return memoryview(array.tobytes()).cast("q")


def _require_whole(path: Path, kept: bytes, record: DayRecord) -> None:
    if len(kept) < record.size or (record.hash and hashlib.sha256(kept).hexdigest() != record.hash):
        what = f"has {len(kept)} bytes" if len(kept) < record.size else "is not what was written"
        raise DataError(
            f"{path} {what}, {record.rows:,} ticks in {record.size:,} bytes were recorded",
            hint="Put the file back from a copy; or move it away with its .json, and the day is as if never recorded.",
        )
