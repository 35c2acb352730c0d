"""Which rows lie in which Parquet file, and how such a file is written and read.

Intraday bars: one partition an instrument and year. Daily bars: one partition an exchange and year (derivatives: and
month), because a bhavcopy names thousands of instruments a day (docs/adr/0003-daily-bars-share-partitions.md).
"""

import io
from pathlib import Path
from urllib.parse import quote

import msgspec
import numpy as np
import polars as pl

from manjha.adapters.files.rows import FIELDS, Int64s, Rows
from manjha.domain.bars import DAY, format_interval
from manjha.domain.moments import IST_OFFSET_NS

ADJUSTMENTS = ("raw", "split", "total")
"""States that rows are stored under, in the order in which reading prefers them."""

ROW_GROUP = 16_384
"""Rows of a group in a shared partition. Measured: one instrument of 750,000 rows in 1.5 ms, 2.7 ms at 65,536."""

_PARQUET = dict(
    zip(FIELDS, ("ts_open", "ts_close", "open_e4", "high_e4", "low_e4", "close_e4", "volume", "oi"), strict=True)
)
_US = 1_000


class Partition(msgspec.Struct, frozen=True, order=True):
    """Names a partition. `place` is an instrument id for intraday bars, an exchange for daily ones.

    `period` is a year ("2021") or a month ("2021-04") of the Indian calendar.
    """

    adjustment: str
    interval: int
    place: str
    period: str

    @property
    def is_shared(self) -> bool:
        """Whether several instruments lie in it."""
        return self.interval == DAY

    @property
    def folder(self) -> Path:
        """Where its files lie, relative to the store."""
        exchange, _, rest = self.place.partition(":")
        parts = [self.adjustment, format_interval(self.interval), exchange]
        if rest:
            parts.append(quote(rest.replace(":", "~"), safe="~ &+,"))
        return Path(*parts)


def place_of(instrument: str, interval: int) -> str:
    """Return the place that an instrument's bars lie at."""
    return instrument.partition(":")[0] if interval == DAY else instrument


def periods_by_month(instrument: str, interval: int) -> bool:
    """Tell whether a partition spans a month rather than a year: daily derivatives do, 35,000 contracts a day."""
    return interval == DAY and instrument.count(":") > 1


def period_numbers(ts_open_ns: Int64s, *, by_month: bool) -> Int64s:
    """Return for each row a number that grows with its period: the year, or 12 × year + month − 1."""
    moments = (ts_open_ns + IST_OFFSET_NS).view("datetime64[ns]")
    count = moments.astype("datetime64[M]" if by_month else "datetime64[Y]").astype(np.int64)
    return count + (1970 * 12 if by_month else 1970)


def period_name(number: int, *, by_month: bool) -> str:
    """Write a period number as it stands in file names."""
    return f"{number // 12}-{number % 12 + 1:02d}" if by_month else str(number)


def encode(rows: Rows, *, shared: bool) -> bytes:
    """Write rows, which are in order, as a Parquet file."""
    columns = {
        _PARQUET[field]: (values // _US if field in ("ts_open", "ts_close") else values)
        for field, values in rows.columns.items()
    }
    frame = pl.DataFrame(columns).with_columns(pl.col("ts_open", "ts_close").cast(pl.Datetime("us", "UTC")))
    if shared:
        names = pl.Series("instrument", rows.ids, dtype=pl.String)
        frame = frame.insert_column(0, names.gather(rows.code))
    sink = io.BytesIO()
    frame.write_parquet(
        sink,
        compression="zstd",
        compression_level=3,
        row_group_size=ROW_GROUP if shared else None,
        metadata={} if shared else {"instrument": rows.ids[0]},
    )
    return sink.getvalue()


def decode(path: Path, partition: Partition, only: tuple[str, ...] = ()) -> Rows:
    """Read a Parquet file, of a shared one perhaps only some instruments."""
    if not partition.is_shared:
        frame = pl.read_parquet(path, columns=list(_PARQUET.values()))
        return Rows((partition.place,), np.zeros(len(frame), np.int64), _columns(frame))
    if only:
        wanted = pl.col("instrument") == only[0] if len(only) == 1 else pl.col("instrument").is_in(only)
        frame = pl.scan_parquet(path).filter(wanted).collect()
    else:
        frame = pl.read_parquet(path)
    # The file is sorted by instrument, so runs of equal names are whole instruments.
    runs = frame["instrument"].rle().struct.unnest()
    code = np.repeat(np.arange(len(runs), dtype=np.int64), runs["len"].to_numpy())
    return Rows(tuple(runs["value"].to_list()), code, _columns(frame))


def summarise(path: Path) -> list[tuple[str, int, int, int]]:
    """Return (instrument, rows, first, last open in ns) of a shared partition by instrument."""
    stamp = pl.col("ts_open").cast(pl.Int64)
    counted = (
        pl.scan_parquet(path)
        .group_by("instrument")
        .agg(pl.len(), stamp.min().alias("first"), stamp.max().alias("last"))
    )
    return [(name, rows, first * _US, last * _US) for name, rows, first, last in counted.collect().rows()]


def _columns(frame: pl.DataFrame) -> dict[str, Int64s]:
    return {
        field: (frame[name].to_physical().to_numpy() * _US if name.startswith("ts_") else frame[name].to_numpy())
        for field, name in _PARQUET.items()
    }
