"""Bars as other programs like them: rupees, and times of the Indian clock."""

import io
from pathlib import Path

import numpy as np
import polars as pl

from manjha.adapters.files.durable import write_whole
from manjha.domain.bars import BarColumns
from manjha.domain.errors import UsageError
from manjha.domain.money import RUPEE

KINDS = (".csv", ".parquet")


def export_bars(path: Path, bars: BarColumns) -> None:
    """Write bars to a CSV or Parquet file, by the end of its name, in place of what was there.

    Columns: `time` (the bar's open), `open`, `high`, `low`, `close` in rupees, `volume` and `oi` in units.
    """
    if path.suffix.lower() not in KINDS:
        raise UsageError(f"expected a file ending in {' or '.join(KINDS)}, was {path.name}", hint="Name it bars.csv.")
    if not path.parent.is_dir():
        raise UsageError(f"no such folder: {path.parent}", hint="Make it first, or choose another.")
    rupees = {name: np.asarray(getattr(bars, name)) / RUPEE for name in ("open", "high", "low", "close")}
    counts = {name: np.asarray(getattr(bars, name)) for name in ("volume", "oi")}
    stamp = pl.col("time").cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone("Asia/Kolkata").dt.cast_time_unit("us")
    frame = pl.DataFrame({"time": np.asarray(bars.ts_open_ns), **rupees, **counts}).with_columns(stamp)
    sink = io.BytesIO()
    if path.suffix.lower() == ".csv":
        frame.with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%S%:z")).write_csv(sink)
    else:
        frame.write_parquet(sink)
    write_whole(path, sink.getvalue())
