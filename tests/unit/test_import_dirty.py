"""Dirty input: bad rows are quarantined with a reason, good ones come in, and what is mostly bad is refused."""

import gzip
from pathlib import Path

import pytest

from manjha.adapters.formats import quarantine
from manjha.adapters.formats.registry import import_bytes
from manjha.domain.errors import DataError
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, format_day, format_ts
from manjha.ports.market_data import Imported, ImportHints

SHARE = ImportHints(instrument="NSE:SHARE")
GOOD = "\n".join(f"2021-02-0{day},10.05,11,10,10.5,7" for day in range(1, 6))


def daily(*lines: str) -> bytes:
    return "\n".join(["date,open,high,low,close,volume", GOOD, *lines]).encode()


def shared_bytes(shared: Path, path: str) -> bytes:
    data = (shared / "data" / path).read_bytes()
    return gzip.decompress(data) if path.endswith(".gz") else data


def reasons(imported: Imported) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in imported.quarantined:
        found[one.reason] = found.get(one.reason, 0) + 1
    return found


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2021-02-08,,11,10,10.5,7", "a price is missing or no number"),
        ("2021-02-08,NaN,11,10,10.5,7", "a price is missing or no number"),
        ("2021-02-08,inf,11,10,10.5,7", "a price is missing or no number"),
        ("2021-02-08,0,11,10,10.5,7", "a price is zero or negative"),
        ("2021-02-08,10.5,11,-10,10.5,7", "a price is zero or negative"),
        ("2021-02-08,10.5,10,11,10.5,7", "high is below low"),
        ("2021-02-08,9.5,11,10,10.5,7", "open is outside low to high"),
        ("2021-02-08,10.5,11,10,11.5,7", "close is outside low to high"),
        ("2021-02-08,200000000,200000000,10,10.5,7", "a price is beyond ₹10 crore"),
        ("2021-02-08,10.5,11,10,10.5,-7", "volume is negative or beyond 2^53"),
        ("1970-01-01,10.5,11,10,10.5,7", "the time is zero (1970-01-01)"),
        ("1985-01-01,10.5,11,10,10.5,7", "the date is out of range"),
        ("2021-02-31,10.5,11,10,10.5,7", "the date or time cannot be read"),
        (",10.5,11,10,10.5,7", "the date or time cannot be read"),
        ("2021-02-08", "a price is missing or no number"),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason(line: str, reason: str) -> None:
    imported = import_bytes(daily(line), "x", SHARE)
    (bad,) = imported.quarantined
    assert (bad.row, bad.reason, bad.text.split(",")[0]) == (6, reason, line.split(",", maxsplit=1)[0])
    assert (len(imported.batches[0].close), imported.rows, imported.bad_rows) == (5, 6, 1)


def test_an_identical_duplicate_is_dropped_with_a_note() -> None:
    imported = import_bytes(daily("2021-02-03,10.05,11,10,10.5,7"), "x", SHARE)
    assert (imported.bad_rows, len(imported.batches[0].close)) == (0, 5)
    assert "1 rows that repeat another exactly left out" in imported.notes


def test_contradicting_duplicates_are_both_quarantined() -> None:
    imported = import_bytes(daily("2021-02-03,10.05,11,10,10.6,7"), "x", SHARE)
    assert [one.row for one in imported.quarantined] == [3, 6]
    assert reasons(imported) == {"contradicts another row of the same time": 2}


def test_rows_newest_first_are_sorted() -> None:
    lines = daily().decode().split("\n")
    turned = "\n".join([lines[0], *reversed(lines[1:])]).encode()
    assert (
        import_bytes(turned, "x", SHARE).batches[0].ts_open_ns
        == import_bytes(daily(), "x", SHARE).batches[0].ts_open_ns
    )


def test_a_closed_day_is_quarantined_where_the_calendar_is_known() -> None:
    def clock(instrument: object, day: int) -> tuple[int, int] | None:
        start = day * DAY_NS - IST_OFFSET_NS
        return None if format_day(day) == "2021-02-03" else (start + 1, start + 2)

    imported = import_bytes(daily(), "x", SHARE, clock=clock)
    assert reasons(imported) == {"the exchange was closed on that day": 1}
    assert len(imported.batches[0].close) == 4


def test_the_list_is_bounded_but_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "LISTED_MAX", 2)
    imported = import_bytes(daily(*["2021-02-08,,11,10,10.5,7"] * 4), "x", SHARE)
    assert (len(imported.quarantined), imported.bad_rows) == (2, 4)
    assert "4 rows quarantined; the first 2 are listed" in imported.notes


def test_mostly_bad_rows_refuse_the_file() -> None:
    bad = [f"2021-03-{day:02d},10.5,10,11,10.5,7" for day in range(1, 8)]
    with pytest.raises(DataError, match="7 of 12 rows are bad; 7 times: high is below low"):
        import_bytes(daily(*bad), "x", SHARE)


@pytest.mark.parametrize("text", ["Code,Date,Open,High,Low,Close,Volume", "Date,Open,High,Low,Close\n\n"])
def test_a_header_without_rows_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="no rows, only a header"):
        import_bytes(text.encode(), "x", SHARE)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("NIFTYJUNIOR_headeronly.csv", "no rows, only a header"),
        ("jaimarvel_futures_data_float32.parquet", "8,250 of 8,250 rows are bad"),
        ("jaimarvel_data_with_nan.parquet", "have open interest"),
        ("NIFTY_OptionChain_2025-10-13_09-38-51_UTC.csv.gz", "format is not known"),
        ("RELCAPITAL_no_code.csv.gz", "does not say of what instrument"),
        ("ZEEL_5m_mislabelled_zero_prices.csv.gz", "does not say of what instrument"),
        ("ticks/16-April-2021/SBIN_16_April.csv.gz", "does not say of what instrument"),
        ("._nifty_cash_20240131.parquet", "format is not known"),
    ],
)
def test_dirty_files_are_refused_or_asked_about(shared: Path, path: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        import_bytes(shared_bytes(shared, f"dirty/{path}"), path)


def test_scaled_prices_ask_for_the_unit_and_are_right_when_told(shared: Path) -> None:
    data = shared_bytes(shared, "dirty/jaimarvel_data_with_nan.parquet")
    contract = "NFO:NIFTY:2024-01-25:FUT"
    with pytest.raises(DataError) as refused:
        import_bytes(data, "x", ImportHints(instrument=contract))
    assert "--unit" in refused.value.hint
    imported = import_bytes(data, "x", ImportHints(instrument=contract, unit="paise"))
    assert (imported.batches[0].open[0], imported.batches[0].oi[0]) == (218498000, 12790350)


def test_mislabelled_file_loses_its_zero_rows(shared: Path) -> None:
    imported = import_bytes(shared_bytes(shared, "dirty/ZEEL_5m_mislabelled_zero_prices.csv.gz"), "x", SHARE)
    assert (imported.rows, imported.bad_rows, len(imported.batches[0].close)) == (22391, 379, 22012)
    assert reasons(imported) == {"a price is zero or negative": 379}


def test_a_share_in_several_series_keeps_one_row_a_day(shared: Path) -> None:
    imported = import_bytes(shared_bytes(shared, "dirty/JUBLFOOD_multi_series_unsorted.csv.gz"), "x")
    (batch,) = imported.batches
    assert [one.id for one in batch.instruments] == ["NSE:INE797F01020"]
    assert (imported.rows, imported.bad_rows, len(batch.close)) == (2328, 0, 2319)
    assert len(set(batch.ts_open_ns)) == 2319
    assert (format_ts(batch.ts_open_ns[0])[:10], format_ts(batch.ts_open_ns[-1])[:10]) == ("2014-08-25", "2024-03-28")


def test_broken_index_rows_are_counted(shared: Path) -> None:
    data = shared_bytes(shared, "minute/index/BANKNIFTY_15m_2018-01_2023-08_epoch.csv.gz")
    imported = import_bytes(data, "x", ImportHints(instrument="NSE:NIFTY BANK"))
    assert (imported.rows, imported.bad_rows, len(imported.batches[0].close)) == (34300, 696, 33604)
