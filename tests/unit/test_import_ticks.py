"""Ticks to bars, on ticks written here and on the real ones against bars computed elsewhere."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from manjha.adapters.formats.registry import import_bytes
from manjha.adapters.formats.ticks import read_ticks
from manjha.domain.bars import Interval
from manjha.domain.errors import DataError
from manjha.domain.moments import format_ts
from manjha.engine.bars import bars_from_ticks
from manjha.ports.market_data import Imported, ImportHints

SBIN = ImportHints(instrument="NSE:SBIN")
TICKS = """timestamp,ltp,volume
1970-01-01 05:30:00,1.05,9
2021-04-16 09:07:21,99.05,100
2021-04-16 09:15:01,100.05,150
2021-04-16 09:15:30,101.0,170
2021-04-16 09:15:30,100.5,160
2021-04-16 09:15:59,99.5,180
2021-04-16 09:17:00,100.0,190
2021-04-16 09:17:01,100.0,185
2021-04-16 15:29:59,102.0,200
2021-04-16 15:30:00,103.0,210
2021-04-19 09:15:09,500.0,10
"""


def bars(imported: Imported) -> list[tuple[object, ...]]:
    (batch,) = imported.batches
    columns = (batch.open, batch.high, batch.low, batch.close, batch.volume)
    return [(format_ts(batch.ts_open_ns[row])[11:16], *(c[row] for c in columns)) for row in range(len(batch.close))]


def test_ticks_become_minute_bars_without_filling_gaps() -> None:
    assert bars(import_bytes(TICKS.encode(), "x", SBIN)) == [
        ("09:15", 1000500, 1010000, 995000, 995000, 180),
        ("09:17", 1000000, 1000000, 1000000, 1000000, 10),
        ("15:29", 1020000, 1020000, 1020000, 1020000, 10),
    ]


def test_bad_ticks_are_quarantined_with_their_reason() -> None:
    imported = import_bytes(TICKS.encode(), "x", SBIN)
    assert [(one.row, one.reason) for one in imported.quarantined] == [
        (1, "the time is zero (1970-01-01)"),
        (8, "the day's volume so far falls"),
        (11, "of another day than the file's 2021-04-16"),
    ]
    assert "2 rows before the open or after the close of the session left out" in imported.notes


def test_longer_bars_on_request() -> None:
    hints = ImportHints(instrument="NSE:SBIN", interval=Interval(300))
    assert bars(import_bytes(TICKS.encode(), "x", hints))[0] == ("09:15", 1000500, 1010000, 995000, 1000000, 190)


def test_ticks_of_a_derivative_without_expiry_are_refused(shared: Path) -> None:
    data = (shared / "data/depth/futures_depth5_2025-11-17_part1.csv").read_bytes()
    with pytest.raises(DataError, match="no expiry is told"):
        import_bytes(data, "x")


@pytest.mark.parametrize(
    ("path", "symbol", "day", "bad"),
    [
        ("ticks/26-April-2021/HDFCBANK_26_April.csv.gz", "HDFCBANK", "2021-04-26", 0),
        ("ticks/26-April-2021/INFY_26_April.csv.gz", "INFY", "2021-04-26", 0),
        ("dirty/ticks/16-April-2021/SBIN_16_April.csv.gz", "SBIN", "2021-04-16", 3677),
        ("dirty/ticks/30-April-2021/RELIANCE_30_April.csv.gz", "RELIANCE", "2021-04-30", 2628),
        ("dirty/ticks/30-April-2021/TCS_30_April.csv.gz", "TCS", "2021-04-30", 2564),
        ("ticks/raw/RELIANCE_2021-05-11_.csv", "RELIANCE", "2021-05-11", 0),
    ],
)
def test_real_ticks_give_the_bars_computed_elsewhere(shared: Path, path: str, symbol: str, day: str, bad: int) -> None:
    data = (shared / "data" / path).read_bytes()
    data = gzip.decompress(data) if path.endswith(".gz") else data
    imported = import_bytes(data, path, ImportHints(instrument=f"NSE:{symbol}"))
    assert imported.bad_rows == bad
    known = pl.read_parquet(shared / "data/minute/stocks_2021_from_ticks/equities_1m_2021-03-30_2021-05-21.parquet")
    known = known.filter((pl.col("symbol") == symbol) & (pl.col("ts").dt.date().cast(pl.String) == day))
    columns = ("open", "high", "low", "close")
    expected = [
        (ts.strftime("%H:%M"), *(round(value * 10_000) for value in prices), volume)
        for ts, *prices, volume in known.select("ts", *columns, "volume").iter_rows()
    ]
    found = bars(imported)
    assert len(found) == len(expected) > 300
    assert [row[0] for row in found] == [row[0] for row in expected]
    # The other computation takes ticks of one second as they are stored, ours by the day's volume: opens and closes
    # of a few minutes differ, highs and lows do not.
    assert [row[2:4] for row in found] == [row[2:4] for row in expected]
    assert sum(mine != theirs for mine, theirs in zip(found, expected, strict=True)) <= len(found) // 20
    assert sum(row[5] for row in found) == sum(row[5] for row in expected)  # type: ignore[misc]  # ints


def test_ticks_of_a_file_are_those_that_its_bars_are_made_of() -> None:
    (ticks,) = read_ticks(TICKS.encode(), "x", SBIN)
    assert ticks.instrument == "NSE:SBIN"
    made = bars_from_ticks(ticks, Interval(60))
    (batch,) = import_bytes(TICKS.encode(), "x", SBIN).batches
    for name in ("ts_open_ns", "open", "high", "low", "close", "volume"):
        assert list(getattr(made, name)) == list(getattr(batch, name))


def test_a_file_of_bars_is_no_file_of_ticks() -> None:
    with pytest.raises(DataError, match="no file of ticks"):
        read_ticks(b"date,open,high,low,close,volume\n2021-04-16,1,2,1,2,9\n", "x", SBIN)
