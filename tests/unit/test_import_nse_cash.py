"""NSE cash files: old, UDiFF and full, on samples written here and on the real files."""

import zipfile
from pathlib import Path

import pytest

from manjha.adapters.formats.registry import import_bytes
from manjha.domain.moments import format_day, parse_day
from manjha.ports.market_data import Imported

OLD = """SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,TOTALTRADES,ISIN,
20MICRONS,EQ,37.5,38.8,36.05,36.3,36.25,38.2,141885,5249684.6,01-SEP-2016,643,INE144J01027,
BANKX-RE,EQ,1,1,1,1,1,1,10,10,01-SEP-2016,1,INE000A20012,
BOND,N1,1000,1000,1000,1000,1000,1000,10,10000,01-SEP-2016,1,INE000A07012,
GOLDETF,EQ,2801.05,2810,2800,2805.5,2805,2800,77,215000,01-SEP-2016,9,INF204KB17I5,
"""
FULL = """SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE, AVG_PRICE, TTL_TRD_QNTY, TURNOVER_LACS, NO_OF_TRADES, DELIV_QTY, DELIV_PER
20MICRONS, EQ, 31-Jan-2025, 193.31, 196.20, 204.95, 190.55, 203.30, 203.79, 199.71, 177311, 354.11, 5303, 88132, 49.70
20MICRONS, BE, 31-Jan-2025, 193.31, 196.20, 204.95, 190.55, 203.30, 203.79, 199.71, 3, 354.11, 5303, -, -
"""  # noqa: E501 - as published


def rows(imported: Imported) -> dict[str, tuple[int, ...]]:
    (batch,) = imported.batches
    columns = (batch.open, batch.high, batch.low, batch.close, batch.volume)
    return {
        str(batch.instruments[place].id): tuple(column[row] for column in columns)
        for row, place in enumerate(batch.instrument)
    }


def test_old_file_is_named_by_isin_and_keeps_shares_only() -> None:
    imported = import_bytes(OLD.encode(), "anything.txt")
    assert (imported.format, imported.day) == ("nse-cash-old", parse_day("2016-09-01"))
    assert rows(imported) == {
        "NSE:INE144J01027": (375000, 388000, 360500, 363000, 141885),
        "NSE:INF204KB17I5": (28010500, 28100000, 28000000, 28055000, 77),
    }
    assert imported.notes == ("2 rows of series other than EQ, BE, BZ, SM, ST (or -RE) left out",)
    assert [str(one.kind) for one in imported.instruments] == ["equity", "etf"]


def test_full_file_is_named_by_symbol_and_takes_the_better_series() -> None:
    imported = import_bytes(FULL.encode(), "cm31012025bhav.csv")
    assert imported.format == "nse-cash-full"
    assert rows(imported) == {"NSE:20MICRONS": (1962000, 2049500, 1905500, 2037900, 177311)}
    assert "1 rows of shares that also have a row of a better series left out" in imported.notes


@pytest.mark.parametrize(
    ("path", "form", "count"),
    [
        ("bhavcopy/nse_cm_old/cm01SEP2016bhav.csv", "nse-cash-old", 1690),
        ("bhavcopy/nse_cm_old/cm01Jan2020bhav.csv", "nse-cash-old", 1910),
        ("bhavcopy/nse_cm_old/cm02SEP2016bhav.csv.zip", "nse-cash-old", 1667),
        ("bhavcopy/nse_sec_bhavdata_full/cm31012025bhav.csv", "nse-cash-full", 2770),
        ("bhavcopy/nse_sec_bhavdata_full/sec_bhavdata_full_08082022.csv", "nse-cash-full", 2255),
        ("daily/raw_day_files/2020-03-23.csv", "nse-cash-full", 1543),
        ("daily/raw_day_files/2020-11-14.csv", "nse-cash-full", 1604),
        ("daily/sec_bhavdata_2019-08_2022-12_60sym.parquet", "nse-cash-full", 48408),
    ],
)
def test_real_cash_files_are_read_whole(shared: Path, path: str, form: str, count: int) -> None:
    file = shared / "data" / path
    data = file.read_bytes()
    if file.suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            data = archive.read(archive.namelist()[0])
    imported = import_bytes(data, path)
    assert (imported.format, imported.rows, imported.bad_rows) == (form, count, 0)


def test_a_day_is_read_from_each_row(shared: Path) -> None:
    data = (shared / "data/daily/sec_bhavdata_2019-08_2022-12_60sym.parquet").read_bytes()
    imported = import_bytes(data, "d")
    assert imported.day is None
    (batch,) = imported.batches
    days = sorted({stamp // 86_400_000_000_000 for stamp in batch.ts_open_ns})
    assert (format_day(days[0]), format_day(days[-1])) == ("2019-08-23", "2022-12-30")
