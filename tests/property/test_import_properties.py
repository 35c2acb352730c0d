"""Reading files: exact whatever the decimals, the same whatever the layout, never a traceback whatever the bytes."""

import json
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.adapters.formats import naming
from manjha.adapters.formats.assembly import exact, exact_from_single
from manjha.adapters.formats.lots import lots_from_value
from manjha.adapters.formats.quarantine import Findings
from manjha.adapters.formats.registry import detect, import_bytes
from manjha.adapters.formats.tabular import read_table
from manjha.domain.errors import ManjhaError
from manjha.domain.instrument import Exchange, Right, format_strike, future_id, option_id
from manjha.domain.moments import TradingDay
from manjha.domain.money import parse_px
from manjha.ports.market_data import BarBatch, ImportHints

SAMPLES = {
    "nse-cash-old": "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,TOTALTRADES,ISIN,\n"
    "20MICRONS,EQ,37.5,38.8,36.05,36.3,36.25,38.2,141885,5249684.6,01-SEP-2016,643,INE144J01027,",
    "nse-cash-full": "SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE, "
    "AVG_PRICE, TTL_TRD_QNTY\n"
    "20MICRONS, EQ, 31-Jan-2025, 193.31, 196.20, 204.95, 190.55, 203.30, 203.79, 199.71, 177311",
    "nse-fo-old": "INSTRUMENT,SYMBOL,EXPIRY_DT,STRIKE_PR,OPTION_TYP,OPEN,HIGH,LOW,CLOSE,SETTLE_PR,CONTRACTS,VAL_INLAKH,"
    "OPEN_INT,CHG_IN_OI,TIMESTAMP,\nFUTIDX,BANKNIFTY,30-Jan-2020,0,XX,32417.3,32495.75,32225,32285.2,32285.2,95999,"
    "620595.55,1299680,-5300,01-JAN-2020,",
    "nse-fo-udiff": "TradDt,Sgmt,Src,FinInstrmTp,TckrSymb,XpryDt,StrkPric,OptnTp,FinInstrmNm,OpnPric,HghPric,LwPric,"
    "ClsPric,OpnIntrst,TtlTradgVol,TtlTrfVal,NewBrdLotQty\n"
    "2025-02-03,FO,NSE,STO,ABB,2025-02-27,5400.00,CE,ABB25FEB5400CE,8.00,9.00,7.05,8.50,250,2,1352125.00,125",
    "bse-cash-old": "SC_CODE,SC_NAME,SC_GROUP,SC_TYPE,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,NO_TRADES,NO_OF_SHRS\n"
    "500002,ABB LTD.,A,Q,1394.00,1417.00,1382.00,1392.85,1400.85,1393.90,995,6964",
    "mcx": "Date,Instrument Name,Symbol,Expiry Date,Option Type,Strike Price,Open,High,Low,Close,Volume(Lots),"
    "Volume(In 000's),Value(Lacs),Open Interest(Lots)\n16 Dec 2025,FUTCOM,ALUMINI,31DEC2025,-,0.00,280.85,281.70,"
    "279.00,280.45,1593,1593.000 KGS,4468.08,1015",
    "kite-csv": "date,open,high,low,close,volume\n2021-04-27 00:00:00+05:30,100.05,101.0,99.95,100.5,10\n"
    "2021-04-28 00:00:00+05:30,100.05,101.0,99.95,100.5,10",
    "yahoo-csv": "Date,Open,High,Low,Close,Adj Close,Volume\n"
    "2017-01-02,505.549988,506.475006,499.674988,500.549988,439.5,23",
    "yfinance-history": "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits\n"
    "2019-10-14 00:00:00+05:30,122.5198,145.5755,122.3241,142.4342,226353035,0.0,0.0\n"
    "2019-10-15 00:00:00+05:30,122.5198,145.5755,122.3241,142.4342,226353035,1.0,0.0",
    "ohlcv": "Symbol,Date,Open,High,Low,Close,Volume\nINFY,2016-08-16,1041.55,1041.55,1028.05,1031.35,527702",
    "ticks": "timestamp,ltp,volume\n2021-04-16 09:15:01,100.05,150\n2021-04-16 09:15:03,100.10,151",
}  # fmt: skip
HINTS = ImportHints(instrument="NSE:SHARE", day=TradingDay(18000))
CANDLES = json.dumps({"status": "success", "data": {"candles": [
    ["2017-12-15T09:15:00+0530", 1704.5, 1705, 1699.25, 1702.8, 2499],
    ["2017-12-15T09:16:00+0530", 1702, 1702, 1698.15, 1698.15, 1271]]}})  # fmt: skip
QUOTE = {name: [10.5, 11.5] for name in ("open", "high", "low", "close", "volume")}
CHART = json.dumps({"chart": {"result": [{"meta": {"symbol": "INFY.NS"}, "timestamp": [1609472700, 1609559100],
    "indicators": {"quote": [QUOTE]}}]}})  # fmt: skip
UDF = '{"t":[1277942400,1278028800],"o":[4.4,3.8],"h":[8.5,7.4],"l":[4.4,3.1],"c":[4.9,4.6],"v":[3,2],"s":"ok"}'
ALL = {**SAMPLES, "kite-json": CANDLES, "yahoo-chart": CHART, "tradingview-udf": UDF}
HINTED = {"nse-cash-old": "", "nse-cash-full": "", "ohlcv": ""}


def bars(data: bytes, name: str) -> list[list[int]]:
    hints = ImportHints(day=HINTS.day) if name in HINTED else HINTS
    (batch,) = import_bytes(data, "x", hints).batches
    return [list(column) for column in (batch.ts_open_ns, batch.open, batch.high, batch.low, batch.close, batch.volume)]


@given(st.decimals(min_value=Decimal("-99999999.9999"), max_value=Decimal("99999999.9999"), places=4))
def test_prices_below_ten_crore_are_read_exactly(price: Decimal) -> None:
    text = pl.DataFrame({"open": [str(price)]}).select(pl.col("open").cast(pl.Float64))
    assert text.select(exact("open")).item() == parse_px(str(price))


@given(st.integers(1, 13_107_199))
def test_paise_survive_float32_below_131072(paise: int) -> None:
    frame = pl.DataFrame({"open": [float(np.float32(paise / 100))]})
    assert frame.select(exact_from_single("open")).item() == paise * 100


NAMES = st.sampled_from(["NIFTY", "M&M", "BAJAJ-AUTO"])
RIGHTS = st.sampled_from(["CE", "PE", ""])


@given(st.lists(st.tuples(NAMES, st.integers(15_000, 25_000), RIGHTS, st.integers(1, 10**9)), min_size=1))
def test_vectorised_contract_ids_are_the_domains(rows: list[tuple[str, int, str, int]]) -> None:
    frame = pl.DataFrame(rows, schema=["underlying", "expiry", "right", "strike_px"], orient="row")
    frame = frame.with_columns(pl.col("expiry").cast(pl.Int32))
    made = frame.select(naming.contract_id(Exchange.NFO)).to_series().to_list()
    assert made == [
        option_id("NFO", name, TradingDay(day), Right(right), px) if right else future_id("NFO", name, TradingDay(day))
        for name, day, right, px in rows
    ]
    assert frame.select(naming.strike_text()).to_series().to_list() == [format_strike(row[3]) for row in rows]


@settings(max_examples=30)
@given(st.integers(1, 5000), st.lists(st.tuples(st.integers(1, 500), st.integers(100_00, 200_00)), min_size=3))
def test_a_lot_that_is_found_is_the_lot(lot: int, trades: list[tuple[int, int]]) -> None:
    rows = [
        ("X", 20_000, "", 0.0, px / 100 - 1, px / 100 + 1, float(n), n * lot * px / 100, float(n * lot), 0.0)
        for n, px in trades
    ]
    names = ["underlying", "expiry", "right", "strike", "low", "high", "volume", "value", "oi", "oi_change"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    findings = Findings(read_table(b"a\n1", "x"), "x")
    found = lots_from_value(frame, findings, value_step=1000.0)["lot"].unique().to_list()
    assert found in ([lot], [None])


@pytest.mark.parametrize("name", ALL)
def test_each_sample_is_its_format(name: str) -> None:
    assert detect(ALL[name].encode()).name == name
    assert len(bars(ALL[name].encode(), name)[0]) > 0


@settings(max_examples=25)
@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
def test_layout_changes_nothing(name: str, data: st.DataObject) -> None:
    lines = [line.split(",") for line in SAMPLES[name].split("\n")]
    order = data.draw(st.permutations(range(len(lines[0]))))
    pad = data.draw(st.sampled_from(["", " ", "  "]))
    newline = data.draw(st.sampled_from(["\n", "\r\n"]))
    bom = data.draw(st.sampled_from(["", "\ufeff"]))
    extra = data.draw(st.sampled_from(["", ",Remarks"]))
    text = newline.join(",".join(pad + line[place].strip() for place in order) + extra for line in lines)
    changed = (bom + text + data.draw(st.sampled_from(["", newline]))).encode()
    assert detect(changed).name == name
    assert bars(changed, name) == bars(SAMPLES[name].encode(), name)


@settings(max_examples=60)
@pytest.mark.parametrize("name", ALL)
@given(data=st.data())
def test_damaged_bytes_give_an_answer_or_an_error_of_ours(name: str, data: st.DataObject) -> None:
    damaged = bytearray(ALL[name].encode())
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        patch = data.draw(st.binary(max_size=3) | st.sampled_from([b",", b'"', b"\n", b"-", b"\xff", b"\0", b"1e999"]))
        damaged[place : place + data.draw(st.integers(0, 3))] = patch
        damaged = damaged or bytearray(b"x")
    for batch in answer(bytes(damaged)):
        assert all(low <= high for low, high in zip(batch.low, batch.high, strict=True))
        assert min(batch.low) > 0


def answer(data: bytes) -> Sequence[BarBatch]:
    """Return the batches, none where it is refused; another error than ours goes through and fails the test."""
    try:
        return import_bytes(data, "x", HINTS).batches
    except ManjhaError:
        return ()


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(ManjhaError):
        import_bytes(noise, "x", HINTS)
