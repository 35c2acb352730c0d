"""The parts of the store that the contract does not show: files, cache, manifest, damage, export."""

import errno
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import polars as pl
import pytest

from manjha.adapters.files import manifest
from manjha.adapters.files.actions import ActionFile, read_actions
from manjha.adapters.files.bar_store import ParquetBarStore
from manjha.adapters.files.durable import exclusive, write_whole
from manjha.adapters.files.export import export_bars
from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.bars import DAY, MINUTE
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import parse_day
from manjha.domain.money import Px
from tests.fakes.market_data import RAW, batch, daily_bar, listed, minute_bars, share

DEC, JAN = parse_day("2020-12-31"), parse_day("2021-01-01")
RELIANCE = share()
EVER = (0, 2**62)
SPLIT = CorporateAction(RELIANCE.id, JAN, ActionKind.SPLIT, new_shares=5, known_day=DEC, source="me")


def parquet_names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)).rpartition("-")[0] for path in folder.rglob("*.parquet"))


def test_minutes_lie_by_instrument_and_year(tmp_path: Path) -> None:
    bars = minute_bars(DEC, [1_0000]) + minute_bars(JAN, [1_0000])
    ParquetBarStore(tmp_path).write(batch({RELIANCE: bars}, MINUTE), RAW)
    assert parquet_names(tmp_path) == ["raw/1m/NSE/INE002A01018/2020", "raw/1m/NSE/INE002A01018/2021"]


def test_daily_bars_lie_by_exchange_and_year_contracts_by_month(tmp_path: Path) -> None:
    future = msgspec.structs.replace(RELIANCE, id=InstrumentId("NFO:NIFTY:2021-02-25:FUT"))
    bars = [daily_bar(DEC, 1_0000), daily_bar(JAN, 1_0000)]
    rows = {RELIANCE: bars, share("INFY", "INE009A01021"): bars, future: bars}
    ParquetBarStore(tmp_path).write(batch(rows, DAY), RAW)
    assert parquet_names(tmp_path) == ["raw/1d/NFO/2020-12", "raw/1d/NFO/2021-01", "raw/1d/NSE/2020", "raw/1d/NSE/2021"]


def test_files_hold_what_the_documentation_says(tmp_path: Path) -> None:
    ParquetBarStore(tmp_path).write(batch({RELIANCE: [daily_bar(JAN, 1_234_5000)]}, DAY), RAW)
    (path,) = tmp_path.rglob("*.parquet")
    frame = pl.read_parquet(path)
    stamp = pl.Datetime("us", "UTC")
    assert dict(frame.schema) == {
        "instrument": pl.String(), "ts_open": stamp, "ts_close": stamp, "open_e4": pl.Int64(), "high_e4": pl.Int64(),
        "low_e4": pl.Int64(), "close_e4": pl.Int64(), "volume": pl.Int64(), "oi": pl.Int64(),
    }  # fmt: skip
    assert frame["close_e4"].to_list() == [1_234_5000]


def test_a_changed_partition_is_never_read_from_an_old_cache(tmp_path: Path) -> None:
    store = ParquetBarStore(tmp_path)
    first = minute_bars(JAN, [1_0000])
    store.write(batch({RELIANCE: first}, MINUTE), RAW)
    store.read(RELIANCE.id, MINUTE, *EVER)
    both = minute_bars(JAN, [1_0000, 2_0000])
    store.write(batch({RELIANCE: both}, MINUTE), RAW)
    assert listed(store.read(RELIANCE.id, MINUTE, *EVER)) == both


def test_writing_into_a_view_changes_no_file(tmp_path: Path) -> None:
    store = ParquetBarStore(tmp_path)
    store.write(batch({RELIANCE: minute_bars(JAN, [1_0000])}, MINUTE), RAW)
    for _ in range(2):
        columns = store.read(RELIANCE.id, MINUTE, *EVER)
        assert columns.close[0] == 1_0000
        columns.close[0] = 7


def test_a_cut_cache_file_is_passed_over(tmp_path: Path) -> None:
    store = ParquetBarStore(tmp_path)
    store.write(batch({RELIANCE: minute_bars(JAN, [1_0000])}, MINUTE), RAW)
    store.read(RELIANCE.id, MINUTE, *EVER)
    (cached,) = (tmp_path / "cache").iterdir()
    cached.write_bytes(cached.read_bytes()[:-8])
    assert store.read(RELIANCE.id, MINUTE, *EVER).close.tolist() == [1_0000]


def test_a_cache_file_of_an_earlier_boot_is_passed_over(tmp_path: Path) -> None:
    store = ParquetBarStore(tmp_path)
    store.write(batch({RELIANCE: minute_bars(JAN, [1_0000])}, MINUTE), RAW)
    store.read(RELIANCE.id, MINUTE, *EVER)
    (cached,) = (tmp_path / "cache").iterdir()
    content = bytearray(cached.read_bytes())
    content[16:52], content[-8:] = b"x" * 36, b"\0" * 8
    cached.write_bytes(content)
    store.read(RELIANCE.id, MINUTE, *EVER)
    assert cached.read_bytes()[16:52] != b"x" * 36


def test_the_cache_stays_within_its_bound(tmp_path: Path) -> None:
    store = ParquetBarStore(tmp_path, cache_bytes=5_000)
    shares = [share(f"S{i}", f"INE00{i}A01010") for i in range(8)]
    store.write(batch({one: minute_bars(JAN, [1_0000] * 20) for one in shares}, MINUTE), RAW)
    for one in shares:
        assert len(store.read(one.id, MINUTE, *EVER)) == 20
    sizes = [path.stat().st_size for path in (tmp_path / "cache").iterdir()]
    assert 0 < sum(sizes) <= 5_000


@pytest.mark.parametrize("made", range(3))
def test_a_manifest_whose_making_was_cut_off_is_an_empty_one(tmp_path: Path, made: int) -> None:
    with closing(sqlite3.connect(tmp_path / "manifest.sqlite")) as database:
        database.executescript(";".join(manifest._SCHEMA.split(";")[:made]))
    store = ParquetBarStore(tmp_path)
    assert (store.series(), store.partitions()) == ([], [])
    store.write(batch({RELIANCE: minute_bars(DEC, [1_0000])}, MINUTE), RAW)
    assert len(store.read(RELIANCE.id, MINUTE, *EVER)) == 1


def test_the_manifest_remembers_who_gave_what(tmp_path: Path) -> None:
    store = ParquetBarStore(tmp_path)
    store.write(batch({RELIANCE: [daily_bar(JAN, 1_0000)]}, DAY), RAW)
    other = msgspec.structs.replace(RAW, source="bse", sha256="f" * 64)
    store.write(batch({RELIANCE: [daily_bar(JAN, 2_0000)]}, DAY), other, replace=True)
    (entry,) = store.partitions()
    gave = [(o.source, o.sha256[0], o.added, o.replaced) for o in store.origins(entry.partition)]
    assert gave == [("nse", "0", 1, 0), ("bse", "f", 0, 1)]


def test_verify_names_damaged_and_absent_files(tmp_path: Path) -> None:
    store = ParquetBarStore(tmp_path)
    store.write(batch({RELIANCE: [daily_bar(DEC, 1_0000), daily_bar(JAN, 1_0000)]}, MINUTE), RAW)
    old, new = sorted(tmp_path.rglob("*.parquet"))
    old.write_bytes(old.read_bytes()[:-1] + b"?")
    new.unlink()
    problems = store.verify()
    assert len(problems) == 2
    assert "SHA-256" in problems[0]
    assert "cannot be opened" in problems[1]
    with pytest.raises(DataError, match="damaged or missing"):
        store.read(RELIANCE.id, MINUTE, *EVER)
    old.unlink()
    with pytest.raises(DataError, match="not there"):
        store.read(RELIANCE.id, MINUTE, *EVER)


def test_rows_that_the_files_cannot_hold_are_refused(tmp_path: Path) -> None:
    store, bar = ParquetBarStore(tmp_path), daily_bar(JAN, 1_0000)
    fine = msgspec.structs.replace(bar, ts_open_ns=bar.ts_open_ns + 1)
    backwards = msgspec.structs.replace(bar, ts_close_ns=bar.ts_open_ns)
    for wrong, what in ((fine, "microsecond"), (backwards, "closes at or before")):
        with pytest.raises(DataError, match=what):
            store.write(batch({RELIANCE: [wrong]}, DAY), RAW)
    with pytest.raises(DataError, match="adjustment"):
        store.write(batch({RELIANCE: [bar]}, DAY), msgspec.structs.replace(RAW, adjustment="half"))
    assert not any(tmp_path.rglob("*.parquet"))


def test_ids_of_two_exchanges_are_never_joined(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="different exchanges"):
        ParquetBarStore(tmp_path).join({InstrumentId("NSE:A"): InstrumentId("BSE:A")}, RAW)


def test_a_second_writer_waits_for_the_first(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from manjha.adapters.files.durable import exclusive\n"
        "with exclusive(Path(sys.argv[1])): print('in')"
    )
    with exclusive(tmp_path / "lock"):
        other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "lock")], stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=0.5)
    assert other.communicate(timeout=30)[0] == b"in\n"


def test_actions_are_kept_and_corrected(tmp_path: Path) -> None:
    kept = ActionFile(tmp_path / "actions.csv")
    assert kept.put([SPLIT]) == 1
    assert kept.put([SPLIT]) == 0
    corrected = msgspec.structs.replace(SPLIT, new_shares=10, cash=Px(12_3456))
    assert kept.put([corrected]) == 0
    assert ActionFile(tmp_path / "actions.csv").actions(RELIANCE.id) == [corrected]
    assert kept.actions(InstrumentId("NSE:NONE")) == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("instrument,kind\nA,split\n", "ex_day"),
        ("instrument,ex_day,kind\nA,2021-13-01,split\n", "row 1: expected a date"),
        ("instrument,ex_day,kind\nA,2021-01-01,magic\n", "magic"),
        ("instrument,ex_day,kind,new_shares\nA,2021-01-01,split,0\n", "0 for 1"),
    ],
)
def test_an_action_that_cannot_be_is_refused(text: str, what: str) -> None:
    with pytest.raises(DataError) as caught:
        list(read_actions(text, "a.csv", InstrumentId))
    assert what in str(caught.value)


def test_export_is_in_rupees_and_indian_time(tmp_path: Path) -> None:
    store = ParquetBarStore(tmp_path / "s")
    store.write(batch({RELIANCE: minute_bars(JAN, [1_234_5500])}, MINUTE), RAW)
    bars = store.read(RELIANCE.id, MINUTE, *EVER)
    export_bars(tmp_path / "a.csv", bars)
    export_bars(tmp_path / "a.parquet", bars)
    assert (tmp_path / "a.csv").read_text() == (
        "time,open,high,low,close,volume,oi\n2021-01-01T09:15:00+05:30,1234.55,1234.6,1234.5,1234.55,0,0\n"
    )
    frame = pl.read_parquet(tmp_path / "a.parquet")
    assert frame["close"].to_list() == [1234.55]
    assert str(frame["time"][0]) == "2021-01-01 09:15:00+05:30"
    with pytest.raises(UsageError, match="xlsx"):
        export_bars(tmp_path / "a.xlsx", bars)


def full_disk(_descriptor: int, _data: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_file_and_nothing_of_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shelf.parquet"
    write_whole(path, b"old")
    monkeypatch.setattr(os, "write", full_disk)
    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(path, b"new")
    assert caught.value.filename == str(path)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"shelf.parquet": b"old"}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (sqlite3.SQLITE_FULL, "free some space"),
        (sqlite3.SQLITE_READONLY, "rights"),
        (sqlite3.SQLITE_CANTOPEN, "rights"),
        (sqlite3.SQLITE_BUSY, "Another program"),
        (sqlite3.SQLITE_CORRUPT, "move the store away"),
    ],
)
def test_a_manifest_is_called_damaged_only_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    def refused(*_: object, **__: object) -> None:
        error = sqlite3.OperationalError("refused")
        error.sqlite_errorcode = code
        raise error

    ParquetBarStore(tmp_path).write(batch({RELIANCE: [daily_bar(JAN, 1_0000)]}, DAY), RAW)
    monkeypatch.setattr(sqlite3, "connect", refused)
    with pytest.raises(DataError) as caught:
        ParquetBarStore(tmp_path).partitions()
    assert said in caught.value.hint
