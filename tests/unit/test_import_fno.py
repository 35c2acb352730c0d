"""NSE derivative files: UDiFF, old and report set, on samples written here and on the real files."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from manjha.adapters.formats.registry import import_bytes
from manjha.domain.instrument import Kind
from manjha.domain.moments import format_ts, parse_day
from manjha.ports.market_data import Imported

UDIFF_HEADER = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,FininstrmActlXpryDt,StrkPric,OptnTp,"
    "FinInstrmNm,OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,UndrlygPric,SttlmPric,OpnIntrst,ChngInOpnIntrst,"
    "TtlTradgVol,TtlTrfVal,TtlNbOfTxsExctd,SsnId,NewBrdLotQty,Rmks,Rsvd1,Rsvd2,Rsvd3,Rsvd4"
)
UDIFF = "\n".join(
    [
        UDIFF_HEADER,
        "2025-02-03,2025-02-03,FO,NSE,IDF,1,,NIFTY,,2025-02-27,2025-02-27,,,NIFTY25FEBFUT,23500.00,23600.50,23400.00,"
        "23550.05,23550.05,23500.00,23361.05,23550.05,150000,750,100,176625375.00,90,F1,75,,,,,",
        "2025-02-03,2025-02-03,FO,NSE,STO,2,,ABB,,2025-02-27,2025-02-27,5287.50,PE,ABB25FEB5287.5PE,0.00,0.00,0.00,11.65,"
        "0.00,11.65,172.45,6.95,0,0,0,0.00,0,F1,125,,,,,",
        "2025-02-03,2025-02-03,FO,NSE,STO,3,,ABB,,2025-02-27,2025-02-27,5300.00,CE,ABB25FEB5300CE,10.00,9.00,8.00,8.50,"
        "8.50,11.65,172.45,6.95,250,0,2,1327125.00,1,F1,125,,,,,",
        "2025-02-03,2025-02-03,FO,NSE,STO,4,,ABB,,2025-02-27,2025-02-27,5400.00,CE,ABB25FEB5400CE,8.00,9.00,7.05,8.50,"
        "8.50,11.65,172.45,6.95,250,0,2,1352125.00,1,F1,125,,,,,",
    ]
)


def bars(imported: Imported) -> dict[str, tuple[int, ...]]:
    """Return open, high, low, close, volume, oi of the only batch by instrument id."""
    (batch,) = imported.batches
    columns = (batch.open, batch.high, batch.low, batch.close, batch.volume, batch.oi)
    return {
        str(batch.instruments[place].id): tuple(column[row] for column in columns)
        for row, place in enumerate(batch.instrument)
    }


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_udiff_gives_exact_bars_of_traded_contracts_in_units() -> None:
    imported = import_bytes(UDIFF.encode(), "day.csv")
    assert imported.format == "nse-fo-udiff"
    assert bars(imported) == {
        "NFO:NIFTY:2025-02-27:FUT": (235000000, 236005000, 234000000, 235500500, 7500, 150000),
        "NFO:ABB:2025-02-27:CE:5400": (80000, 90000, 70500, 85000, 250, 250),
    }


def test_udiff_bar_spans_the_session() -> None:
    (batch,) = import_bytes(UDIFF.encode(), "day.csv").batches
    assert format_ts(batch.ts_open_ns[0]) == "2025-02-03T09:15:00+05:30"
    assert format_ts(batch.ts_close_ns[0]) == "2025-02-03T15:30:00+05:30"


def test_udiff_instruments_carry_expiry_strike_and_lot() -> None:
    imported = import_bytes(UDIFF.encode(), "day.csv")
    put = next(one for one in imported.instruments if one.symbol == "ABB25FEB5287.5PE")
    assert (put.id, put.kind, put.lot, put.strike, put.right) == (
        "NFO:ABB:2025-02-27:PE:5287.5", Kind.OPTION, 125, 52875000, "PE",
    )  # fmt: skip
    assert (imported.day, put.expiry) == (parse_day("2025-02-03"), parse_day("2025-02-27"))


def test_udiff_says_what_it_left_out_and_why() -> None:
    imported = import_bytes(UDIFF.encode(), "day.csv")
    assert "1 rows of contracts without a trade left out" in imported.notes
    (bad,) = imported.quarantined
    assert (bad.row, bad.reason) == (3, "open is outside low to high")
    assert bad.text.startswith("2025-02-03,2025-02-03,FO,NSE,STO,3")


@pytest.mark.parametrize(
    ("day", "rows", "traded", "bad"), [("20250203", 34304, 12728, 2), ("20250204", 35100, 13021, 0)]
)
def test_real_udiff_days_come_in_whole(shared: Path, day: str, rows: int, traded: int, bad: int) -> None:
    archive = shared / f"data/bhavcopy/nse_fo_udiff/BhavCopy_NSE_FO_0_0_0_{day}_F_0000.csv.zip"
    ((name, data),) = members(archive).items()
    imported = import_bytes(data, name)
    (batch,) = imported.batches
    assert (imported.rows, len(imported.instruments), len(batch.close) + bad) == (rows, rows, traded)
    assert imported.bad_rows == bad
    lots = {one.underlying: one.lot for one in imported.instruments if one.kind is Kind.FUTURE}
    assert (lots["NIFTY"], lots["BANKNIFTY"], lots["RELIANCE"]) == (75, 30, 500)
    first = next(one for one in imported.instruments if one.symbol == "ABCAPITAL25FEB210CE")
    assert (first.lot, first.expiry, first.strike) == (2700, parse_day("2025-02-27"), 2100000)
    assert np.all(np.asarray(batch.high) >= np.asarray(batch.low))


def test_real_old_file_finds_the_lots_that_it_does_not_print(shared: Path) -> None:
    ((name, data),) = members(shared / "data/bhavcopy/nse_fo_old/fo01Jan2020bhav.csv.zip").items()
    imported = import_bytes(data, name)
    lots: dict[str, set[int]] = {}
    for one in imported.instruments:
        lots.setdefault(one.underlying, set()).add(one.lot)
    known = {"NIFTY": 75, "BANKNIFTY": 20, "RELIANCE": 500, "SBIN": 3000, "TCS": 250, "INFY": 1200, "HDFCBANK": 500}
    assert {name: lots[name] for name in known} == {name: {lot} for name, lot in known.items()}
    assert bars(imported)["NFO:BANKNIFTY:2020-01-30:FUT"] == (
        324173000,
        324957500,
        322250000,
        322852000,
        1919980,
        1299680,
    )


def test_real_report_set_gives_futures_and_options(shared: Path) -> None:
    found = members(shared / "data/bhavcopy/nse_fo_reports/fo14112025.zip")
    futures = import_bytes(found["fo14112025.csv"], "fo14112025.csv")
    options = import_bytes(found["op14112025.csv"], "op14112025.csv")
    assert futures.day == options.day == parse_day("2025-11-14")
    assert bars(futures)["NFO:BANKNIFTY:2025-11-25:FUT"] == (
        583840000,
        586900000,
        583002000,
        586444000,
        946715,
        1713110,
    )
    assert bars(options)["NFO:BANKNIFTY:2025-11-25:PE:46500"] == (39500, 52000, 33000, 35000, 13965, 74795)
    lots = {one.expiry: one.lot for one in options.instruments if one.underlying == "NIFTY"}
    # January 2026 was introduced with the new lot of 65; the long-dated contracts were changed later.
    assert {expiry for expiry, lot in lots.items() if lot != 75} == {parse_day("2026-01-27")}
    assert lots[parse_day("2026-01-27")] == 65
