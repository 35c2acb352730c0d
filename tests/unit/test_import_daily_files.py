"""BSE, MCX, NSE UDiFF cash and histories: samples written here with exact bars, and the real files."""

import gzip
import zipfile
from pathlib import Path

import pytest

from manjha.adapters.formats.registry import import_bytes
from manjha.domain.errors import DataError
from manjha.domain.instrument import Asset, Kind
from manjha.domain.moments import format_ts, parse_day
from manjha.ports.market_data import Imported, ImportHints

UDIFF_HEADER = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,FininstrmActlXpryDt,StrkPric,OptnTp,"
    "FinInstrmNm,OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,UndrlygPric,SttlmPric,OpnIntrst,ChngInOpnIntrst,"
    "TtlTradgVol,TtlTrfVal,TtlNbOfTxsExctd,SsnId,NewBrdLotQty,Rmks,Rsvd1,Rsvd2,Rsvd3,Rsvd4\n"
)
BSE_CASH = UDIFF_HEADER + (
    "2024-07-12,2024-07-12,CM,BSE,STK,500002,INE117A01022,ABB,A,,,,,ABB INDIA LIMITED,8454.45,8469.45,8195.0,8207.45,"
    "8207.45,8454.45,,8209.2,,,12595,103936425.0,2390,F1,1,,,,,\n"
    "2024-07-12,2024-07-12,CM,BSE,STK,972893,INE763G07890,BOND,F,,,,,BOND,8454.45,8469.45,8195.0,8207.45,"
    "8207.45,8454.45,,8209.2,,,1,8454.45,1,F1,1,,,,,\n"
)
BSE_FO = UDIFF_HEADER + (
    "2024-07-12,2024-07-12,FO,BSE,IDO,1,,SENSEX,,2024-07-19,2024-07-19,80000.00,CE,SENSEX24JUL80000CE,700.00,900.05,"
    "650.00,800.00,800.00,700.00,80519.34,800.00,4000,100,3000,242400000.00,90,F1,10,,,,,\n"
)
BSE_OLD = """\
SC_CODE,SC_NAME,SC_GROUP,SC_TYPE,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,NO_TRADES,NO_OF_SHRS,NET_TURNOV,TDCLOINDI
500002,ABB LTD.    ,A ,Q,1394.00,1417.00,1382.00,1392.85,1400.85,1393.90,995,6964,9756144.00,
972893,915PTCIF27A ,F ,B,11403.00,11403.00,11262.10,11270.00,11270.00,11259.00,4,8,90410.00,
"""
BSE_FO_OLD = """Contract Type,Symbol,Expiry,Strike,Option Type,Open,High,Low,Close,L T Date,Wt. Avg. Price,Prem/Disc,Prem/Disc(%),Contracts Traded,Turnover(Rs Lakhs),Open Interest,Change in OI,% Change in OI,Cost of Carry % p.a.,Margin %,Margin Value,Is Traded
IO,BSX01C42600,30 Jan 2020,42600.0,CALL,113.95,121.5,80.0,109.0,03 Jan 2020,42710.1082,-,-,4817,51433.65,250,-375,-60.0,-,-,-,Y
IO,BSX01P40600,30 Jan 2020,40600.0,PUT,194.0,225.0,193.5,210.0,03 Jan 2020,40807.6896,-,-,4550,46418.75,650,450,225.0,-,-,-,Y
"""  # noqa: E501 - as published
MCX = """\ufeff"Date","Instrument Name","Symbol","Expiry Date","Option Type","Strike Price","Open","High","Low","Close","Previous Close","Volume(Lots)","Volume(In 000's)","Value(Lacs)","Open Interest(Lots)"
"16 Dec 2025","FUTCOM","ALUMINI      ","31DEC2025","-","0.00","280.85","281.70","279.00","280.45","280.40","1593","1593.000 KGS  ","4468.08","1015"
"16 Dec 2025","FUTCOM","ALUMINI      ","31MAR2026","-","0.00","","","","289.80","289.80","0","0.000 KGS  ","0.00","0"
"16 Dec 2025","FUTCOM","GOLD         ","05FEB2026","-","0.00","133,500.00","134500.00","133000.00","134100.00","133000.00","10","0.010 KGS  ","1338.00","12"
"""  # noqa: E501 - as published
SITE = """"Date ","series ","OPEN ","HIGH ","LOW ","PREV. CLOSE ","ltp ","close ","vwap ","52W H","52W L ","VOLUME ","VALUE ","No of trades "
"02-Jan-2015","EQ","1,650.90","1,655.90","1,642.45","1,654.20","1,646.75","1,644.40","1,648.43","785.00","316.05","10,23,715","66,38,09,363.55","20,920"
"01-Jan-2015","EQ","648.90","657.50","642.20","646.00","654.45","654.20","650.33","785.00","316.05","4,82,167","31,35,66,958.20","9,126"
"""  # noqa: E501 - as published


def rows(imported: Imported) -> list[tuple[object, ...]]:
    """Return id, session day, prices, volume and open interest of each bar."""
    (batch,) = imported.batches
    columns = (batch.open, batch.high, batch.low, batch.close, batch.volume, batch.oi)
    return [
        (str(batch.instruments[place].id), format_ts(batch.ts_open_ns[row])[:10], *(column[row] for column in columns))
        for row, place in enumerate(batch.instrument)
    ]


def test_bse_udiff_cash() -> None:
    imported = import_bytes(BSE_CASH.encode(), "x")
    assert imported.format == "bse-cash-udiff"
    assert rows(imported) == [("BSE:INE117A01022", "2024-07-12", 84544500, 84694500, 81950000, 82074500, 12595, 0)]
    assert imported.instruments[0].symbol == "ABB"


def test_bse_udiff_derivatives_in_units_stay_units() -> None:
    imported = import_bytes(BSE_FO.encode(), "x")
    assert imported.format == "bse-fo-udiff"
    assert rows(imported) == [
        ("BFO:SENSEX:2024-07-19:CE:80000", "2024-07-12", 7000000, 9000500, 6500000, 8000000, 3000, 4000)
    ]
    assert (imported.instruments[0].lot, imported.instruments[0].asset) == (10, Asset.INDEX)


def test_bse_old_takes_its_day_from_the_name_or_the_user() -> None:
    named = import_bytes(BSE_OLD.encode(), "archive.zip!EQ200421.CSV")
    hinted = import_bytes(BSE_OLD.encode(), "today.csv", ImportHints(day=parse_day("2021-04-20")))
    assert rows(named) == rows(hinted) == [
        ("BSE:500002", "2021-04-20", 13940000, 14170000, 13820000, 13928500, 6964, 0)
    ]  # fmt: skip
    assert "the day is taken from the file's name: EQ200421.CSV" in named.notes


def test_bse_old_without_a_day_asks_for_it() -> None:
    with pytest.raises(DataError) as refused:
        import_bytes(BSE_OLD.encode(), "download.csv")
    assert "--day" in refused.value.hint


def test_bse_old_derivatives_find_day_and_lot() -> None:
    imported = import_bytes(BSE_FO_OLD.encode(), "x")
    assert imported.format == "bse-fo-old"
    assert rows(imported)[0] == (
        "BFO:SENSEX:2020-01-30:CE:42600", "2020-01-03", 1139500, 1215000, 800000, 1090000, 4817 * 25, 250,
    )  # fmt: skip


def test_mcx_counts_units_of_the_quoted_price() -> None:
    imported = import_bytes(MCX.encode(), "x")
    assert imported.format == "mcx"
    assert rows(imported) == [
        ("MCX:ALUMINI:2025-12-31:FUT", "2025-12-16", 2808500, 2817000, 2790000, 2804500, 1593000, 1015000),
        ("MCX:GOLD:2026-02-05:FUT", "2025-12-16", 1335000000, 1345000000, 1330000000, 1341000000, 1000, 1200),
    ]
    gold = imported.instruments[-1]
    assert (gold.symbol, gold.lot, gold.multiplier, gold.asset) == ("GOLD26FEBFUT", 100, 100, Asset.COMMODITY)


def test_site_history_drops_thousands_separators_and_sorts() -> None:
    imported = import_bytes(SITE.encode(), "x", ImportHints(instrument="NSE:BPCL"))
    assert imported.format == "nse-history"
    assert rows(imported) == [
        ("NSE:BPCL", "2015-01-01", 6489000, 6575000, 6422000, 6542000, 482167, 0),
        ("NSE:BPCL", "2015-01-02", 16509000, 16559000, 16424500, 16444000, 1023715, 0),
    ]


def test_nse_udiff_cash() -> None:
    text = BSE_CASH.replace(",BSE,", ",NSE,").replace("ABB,A,", "ABB,EQ,").replace("BOND,F,", "BOND,GS,")
    imported = import_bytes(text.encode(), "x")
    assert imported.format == "nse-cash-udiff"
    assert [row[0] for row in rows(imported)] == ["NSE:INE117A01022"]


def test_real_bse_file(shared: Path) -> None:
    plain = (shared / "data/bhavcopy/bse_old/EQ200421.CSV").read_bytes()
    with zipfile.ZipFile(shared / "data/bhavcopy/bse_old/210421.zip") as archive:
        assert archive.read("EQ200421.CSV") == plain
    imported = import_bytes(plain, "EQ200421.CSV")
    assert (imported.rows, len(rows(imported)), imported.bad_rows) == (3322, 3062, 0)


def test_real_mcx_file_gives_the_known_multipliers(shared: Path) -> None:
    data = gzip.decompress((shared / "data/bhavcopy/mcx/BhavCopyDateWise_16122025.csv.gz").read_bytes())
    imported = import_bytes(data, "x")
    lots = {one.underlying: one.lot for one in imported.instruments if one.kind is Kind.FUTURE}
    known = {"GOLD": 100, "GOLDM": 10, "SILVER": 30, "SILVERM": 5, "CRUDEOIL": 100, "CRUDEOILM": 10, "NATURALGAS": 1250}
    known |= {
        "COPPER": 2500,
        "ZINC": 5000,
        "ALUMINIUM": 5000,
        "LEAD": 5000,
        "COTTON": 25,
        "GOLDPETAL": 1,
        "GOLDGUINEA": 1,
    }
    assert {name: lots[name] for name in known} == known
    assert (imported.rows, imported.bad_rows) == (30751, 0)


@pytest.mark.parametrize("name", ["INFY.csv", "AXISBANK.csv.gz"])
def test_real_nifty50_set_drops_its_repeated_days(shared: Path, name: str) -> None:
    data = (shared / "data/daily/nifty50_2000_2020_unadjusted" / name).read_bytes()
    data = gzip.decompress(data) if name.endswith(".gz") else data
    imported = import_bytes(data, name, ImportHints(instrument="NSE:SHARE"))
    assert (imported.format, imported.adjustment, imported.rows, len(rows(imported))) == (
        "nse-nifty50-set", "raw", 5059, 5056,
    )  # fmt: skip
    assert (rows(imported)[0][1], rows(imported)[-1][1]) == ("2000-01-03", "2020-04-30")
