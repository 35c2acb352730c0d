"""Kite, Yahoo, UDF and generic tables: times, units, labels, adjustments."""

import gzip
import io
import json
from pathlib import Path

import polars as pl
import pytest

from manjha.adapters.formats.registry import import_bytes
from manjha.domain.actions import ActionKind
from manjha.domain.bars import DAY, Interval
from manjha.domain.errors import DataError, UsageError
from manjha.domain.moments import format_ts, parse_day
from manjha.ports.market_data import Imported, ImportHints

INFY = ImportHints(instrument="NSE:INFY")
KITE = """date,open,high,low,close,volume,oi
2021-04-27 09:15:00+05:30,100.05,101.0,99.95,100.5,10,0
2021-04-27 09:30:00+05:30,100.5,101.0,100.0,100.75,20,0
2021-04-27 15:15:00+05:30,100.5,101.0,100.0,100.75,30,0
"""


def rows(imported: Imported) -> list[tuple[object, ...]]:
    """Return open and close time, prices and volume of each bar."""
    (batch,) = imported.batches
    columns = (batch.open, batch.high, batch.low, batch.close, batch.volume)
    return [
        (format_ts(batch.ts_open_ns[row])[:16], format_ts(batch.ts_close_ns[row])[11:16], *(c[row] for c in columns))
        for row in range(len(batch.close))
    ]


def times(imported: Imported) -> list[object]:
    return [row[0] for row in rows(imported)]


def test_kite_csv_is_split_adjusted_and_labels_the_open() -> None:
    imported = import_bytes(KITE.encode(), "x", INFY)
    assert (imported.format, imported.adjustment, imported.batches[0].interval) == ("kite-csv", "split", 900)
    assert rows(imported) == [
        ("2021-04-27T09:15", "09:30", 1000500, 1010000, 999500, 1005000, 10),
        ("2021-04-27T09:30", "09:45", 1005000, 1010000, 1000000, 1007500, 20),
        ("2021-04-27T15:15", "15:30", 1005000, 1010000, 1000000, 1007500, 30),
    ]


def test_a_file_without_a_name_asks_for_the_instrument() -> None:
    with pytest.raises(DataError) as refused:
        import_bytes(KITE.encode(), "INFY.csv")
    assert "--instrument" in refused.value.hint


def test_the_last_hourly_bar_ends_with_the_session() -> None:
    text = KITE.replace("09:30", "10:15")
    assert [row[1] for row in rows(import_bytes(text.encode(), "x", INFY))] == ["10:15", "11:15", "15:30"]


@pytest.mark.parametrize("wrap", [True, False])
def test_kite_json_with_open_interest(wrap: bool) -> None:
    candles = [["2019-12-04T09:15:00+0530", 12009.9, 12019.35, 12001.25, 12001.5, 163275, 13667775],
               ["2019-12-04T09:16:00+0530", 12001, 12003, 11998.25, 12001, 105750, 13667775]]  # fmt: skip
    text = json.dumps({"status": "success", "data": {"candles": candles}} if wrap else candles)
    imported = import_bytes(text.encode(), "x", ImportHints(instrument="NFO:NIFTY:2019-12-26:FUT"))
    assert (imported.format, list(imported.batches[0].oi)) == ("kite-json", [13667775, 13667775])
    assert rows(imported)[0] == ("2019-12-04T09:15", "09:16", 120099000, 120193500, 120012500, 120015000, 163275)


def test_kite_json_that_failed_says_so() -> None:
    with pytest.raises(DataError, match="Incorrect `api_key`"):
        import_bytes(b'{"status":"error","message":"Incorrect `api_key`","data":{"candles":[]}}', "x", INFY)


def test_the_official_kite_mocks(shared: Path) -> None:
    minute = import_bytes((shared / "kite/mocks/historical_minute.json").read_bytes(), "x", INFY)
    assert rows(minute)[0] == ("2017-12-15T09:15", "09:16", 17045000, 17050000, 16992500, 17028000, 2499)
    held = import_bytes((shared / "kite/mocks/historical_oi.json").read_bytes(), "x", INFY)
    assert list(held.batches[0].oi)[:3] == [13667775, 13667775, 13758000]


def test_yahoo_classic_recovers_paise_from_float32() -> None:
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n2017-01-02,505.549988,506.475006,499.674988,500.549988,439.5,2335222\n2017-01-03,null,null,null,null,null,null\n"  # noqa: E501
    imported = import_bytes(text.encode(), "x", INFY)
    assert (imported.format, imported.adjustment, imported.bad_rows) == ("yahoo-csv", "split", 1)
    assert rows(imported) == [("2017-01-02T09:15", "15:30", 5055500, 5064750, 4996750, 5005500, 2335222)]


HISTORY = """Date,Open,High,Low,Close,Volume,Dividends,Stock Splits
2021-01-01 00:00:00+05:30,10.123456789,11.0,10.0,10.5,100,2.0,0.0
2021-01-04 00:00:00+05:30,10.5,11.0,10.0,10.75,100,0.0,5.0
2021-01-05 00:00:00+05:30,10.5,11.0,10.0,10.75,100,1.5,0.0
"""


def test_yfinance_history_is_total_and_gives_actions_as_paid_then() -> None:
    imported = import_bytes(HISTORY.encode(), "x", INFY)
    assert (imported.format, imported.adjustment) == ("yfinance-history", "total")
    assert rows(imported)[0] == ("2021-01-01T09:15", "15:30", 101235, 110000, 100000, 105000, 100)
    said = [(one.ex_day, one.kind, one.cash, one.new_shares, one.old_shares) for one in imported.actions]
    assert said == [
        (parse_day("2021-01-01"), ActionKind.DIVIDEND, 100000, 1, 1),
        (parse_day("2021-01-04"), ActionKind.SPLIT, 0, 5, 1),
        (parse_day("2021-01-05"), ActionKind.DIVIDEND, 15000, 1, 1),
    ]


def test_yfinance_download_of_two_tickers() -> None:
    text = """Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume
Ticker,SBIN.NS,TCS.NS,SBIN.NS,TCS.NS,SBIN.NS,TCS.NS,SBIN.NS,TCS.NS,SBIN.NS,TCS.NS
Datetime,,,,,,,,,,
2026-05-20 03:45:00+00:00,940.0,2340.5,941.0,2341.0,939.0,2339.0,940.0,2340.0,0,5
2026-05-20 03:50:00+00:00,940.5,,941.0,,939.0,,940.0,,7,
"""
    imported = import_bytes(text.encode(), "x")
    (batch,) = imported.batches
    assert imported.format == "yfinance-download"
    assert [one.id for one in batch.instruments] == ["NSE:SBIN", "NSE:TCS"]
    assert [(batch.instrument[i], batch.close[i]) for i in range(3)] == [(0, 9400000), (0, 9405000), (1, 23405000)]
    assert imported.bad_rows == 0


def test_yahoo_chart_reply() -> None:
    quote = {"open": [10.5, None], "high": [11, None], "low": [10, None], "close": [10.75, None], "volume": [5, None]}
    result = {"meta": {"symbol": "INFY.NS"}, "timestamp": [1609472700, 1609731900], "indicators": {"quote": [quote]},
              "events": {"splits": {"1": {"date": 1609731900, "numerator": 2, "denominator": 1}}}}  # fmt: skip
    reply = json.dumps({"chart": {"result": [result], "error": None}}).encode()
    imported = import_bytes(reply, "x", ImportHints(interval=DAY))
    assert (imported.format, imported.adjustment, imported.bad_rows) == ("yahoo-chart", "split", 1)
    assert rows(imported) == [("2021-01-01T09:15", "15:30", 105000, 110000, 100000, 107500, 5)]
    assert [(one.kind, one.new_shares) for one in imported.actions] == [(ActionKind.SPLIT, 2)]


def test_udf_reply() -> None:
    reply = b'{"t":[1277942400,1278028800],"o":[487.44,483.84],"h":[488.5,487.42],"l":[479.57,479.03],"c":[483.95,480.67],"v":[3042649,2502708],"s":"ok"}'  # noqa: E501
    imported = import_bytes(reply, "x", INFY)
    assert imported.format == "tradingview-udf"
    assert rows(imported)[1] == ("2010-07-02T09:15", "15:30", 4838400, 4874200, 4790300, 4806700, 2502708)


def table(stamps: list[str], header: str = "time") -> bytes:
    lines = [f"{stamp},10.05,11,10,10.5,7" for stamp in stamps]
    return "\n".join([f"{header},open,high,low,close,volume", *lines]).encode()


OPENS = ["09:15", "09:16", "15:29"]
CLOSES = ["09:16", "09:17", "15:30"]


@pytest.mark.parametrize(
    "stamps",
    [
        [f"2021-02-01 {clock}:00" for clock in OPENS],
        [f"2021-02-01T{clock}:00+05:30" for clock in OPENS],
        [f"2021-02-01 {clock}" for clock in OPENS],
        [f"01-02-2021 {clock}:00" for clock in OPENS],
        ["2021-02-01T03:45:00Z", "2021-02-01T03:46:00Z", "2021-02-01T09:59:00Z"],
        ["2021-02-01 03:45:00", "2021-02-01 03:46:00", "2021-02-01 09:59:00"],
        ["1612151100", "1612151160", "1612173540"],
        ["1612151100000", "1612151160000", "1612173540000"],
        ["1612151100000000", "1612151160000000", "1612173540000000"],
        ["1612151100000000000", "1612151160000000000", "1612173540000000000"],
        ["202102010915", "202102010916", "202102011529"],
        [f"2021-02-01 {clock}:00" for clock in CLOSES],
    ],
    ids=["naive", "zoned", "short", "day first", "Z", "naive UTC", "s", "ms", "us", "ns", "digits", "close label"],
)
def test_every_way_to_write_a_time_gives_the_same_bars(stamps: list[str]) -> None:
    found = times(import_bytes(table(stamps), "x", INFY))
    assert found == ["2021-02-01T09:15", "2021-02-01T09:16", "2021-02-01T15:29"]


@pytest.mark.parametrize(
    ("date", "clocks"),
    [
        ("20210201", ["33300", "33360", "55740"]),
        ("2021-02-01", ["09:15", "09:16", "15:29"]),
        ("01-FEB-2021", ["09:15:00", "09:16:00", "15:29:00"]),
        ("20210201", ["915", "916", "1529"]),
        ("20210201", ["91500", "91600", "152900"]),
    ],
)
def test_a_date_and_a_clock_in_two_columns(date: str, clocks: list[str]) -> None:
    data = table([f"{date},{clock}" for clock in clocks], header="date,time")
    assert times(import_bytes(data, "x", INFY)) == ["2021-02-01T09:15", "2021-02-01T09:16", "2021-02-01T15:29"]


def test_headerless_rows_label_the_close_and_lose_the_preopen() -> None:
    clocks = ("09:08", "09:16", "09:17", "15:30", "15:31")
    text = "\n".join(f"NIFTY,20210201,{clock},13758.60,13758.60,13758.60,13758.60,0,0" for clock in clocks)
    imported = import_bytes(text.encode(), "x")
    assert (imported.format, imported.batches[0].instruments[0].id) == ("ohlcv-headerless", "NSE:#NIFTY 50")
    assert times(imported) == ["2021-02-01T09:15", "2021-02-01T09:16", "2021-02-01T15:29"]
    assert "2 rows before the open or after the close of the session left out" in imported.notes


def whole(stamps: list[str]) -> bytes:
    return table(stamps).replace(b"10.05", b"10").replace(b"10.5", b"10")


@pytest.mark.parametrize(
    ("data", "flag"),
    [
        (whole([f"2021-02-01 {clock}:00" for clock in OPENS]), "--unit"),
        (table(["2021-02-01 10:00:00", "2021-02-01 10:01:00"]), "--stamps"),
        (table(["2021-02-01 02:00:00", "2021-02-01 14:01:00", "2021-02-01 14:02:00"]), "--zone"),
        (table(["1612170900", "1612170960", "1612193340"]), "--zone"),
        (table(["2021-02-01 10:00:00"]), "--interval"),
    ],
    ids=["unit", "stamps", "zone", "epoch of wall clock", "interval"],
)
def test_what_cannot_be_known_is_asked_by_flag(data: bytes, flag: str) -> None:
    with pytest.raises(DataError) as refused:
        import_bytes(data, "x", INFY)
    assert flag in refused.value.hint


def test_paise_are_taken_when_said() -> None:
    data = whole([f"2021-02-01 {clock}:00" for clock in OPENS])
    imported = import_bytes(data, "x", ImportHints(instrument="NSE:INFY", unit="paise"))
    assert rows(imported)[0][2:6] == (1000, 1100, 1000, 1000)


def test_a_close_label_that_is_said_moves_the_short_last_hour() -> None:
    data = table(["2021-02-01 11:15:00", "2021-02-01 12:15:00", "2021-02-01 15:30:00"])
    hints = ImportHints(instrument="NSE:INFY", stamps="close", interval=Interval(3600))
    assert [row[:2] for row in rows(import_bytes(data, "x", hints))] == [
        ("2021-02-01T10:15", "11:15"), ("2021-02-01T11:15", "12:15"), ("2021-02-01T15:15", "15:30"),
    ]  # fmt: skip


def test_an_interval_longer_than_the_steps_is_refused() -> None:
    data = table([f"2021-02-01 {clock}:00" for clock in OPENS])
    with pytest.raises(DataError, match="60 s apart, --interval says 5m"):
        import_bytes(data, "x", ImportHints(instrument="NSE:INFY", interval=Interval(300)))


def test_one_row_at_midnight_is_a_day() -> None:
    imported = import_bytes(table(["2021-02-01 00:00:00+05:30"]), "x", INFY)
    assert rows(imported)[0][:2] == ("2021-02-01T09:15", "15:30")


def test_a_decimal_comma_is_no_thousands_separator() -> None:
    lines = ["time;open;high;low;close;volume", *[f"2021-02-0{day};10,55;11;10;10,5;7" for day in (1, 2)]]
    with pytest.raises(DataError, match="a price is missing or no number"):
        import_bytes("\n".join(lines).encode(), "x", INFY)


def test_blank_lines_before_and_between_do_not_matter() -> None:
    text = "\n\r\n" + KITE.replace("\n", "\n\n")
    assert rows(import_bytes(text.encode(), "x", INFY)) == rows(import_bytes(KITE.encode(), "x", INFY))


def test_weekly_bars_are_refused() -> None:
    data = table(["2021-02-01", "2021-02-08", "2021-02-15", "2021-02-22"], header="date")
    with pytest.raises(DataError, match="7 days"):
        import_bytes(data, "x", INFY)


def test_missing_columns_are_named() -> None:
    hints = ImportHints(format="nse-fo-udiff")
    with pytest.raises(DataError, match="xprydt"):
        import_bytes(KITE.encode(), "x", hints)


@pytest.mark.parametrize(
    ("header", "said", "hint"),
    [
        ("date,open,high,low,volume", "without close; it has columns date, open", "Call the missing column close;"),
        ("date,opne,high,low,clos", "without open, close;", "open and close (is it opne and clos?)"),
        ("when,open,high,low,close", "without time;", "Call the missing column time;"),
    ],
)
def test_a_table_of_bars_that_lacks_columns_is_told_which(header: str, said: str, hint: str) -> None:
    with pytest.raises(DataError) as refused:
        import_bytes(f"{header}\n2021-02-01,10.05,11,10,10.5\n".encode(), "x", INFY)
    assert said in refused.value.message
    assert hint in refused.value.hint


def test_a_forced_format_that_does_not_fit_names_the_column_and_blames_no_download() -> None:
    with pytest.raises(DataError, match="no nse-cash-old: the column timestamp is missing") as refused:
        import_bytes(b"date,close\n2021-02-01,10.05\n", "x", ImportHints(format="nse-cash-old"))
    assert "Leave --format out" in refused.value.hint


def test_text_of_two_bytes_a_character_is_read() -> None:
    assert rows(import_bytes(KITE.encode("utf-16"), "x", INFY)) == rows(import_bytes(KITE.encode(), "x", INFY))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!doctype html><p>Access denied, and a comma", "a web page"),
        ('{"status":"success","data":{"candles":[]}}', "no rows, an empty list"),
        ('{"status":"error","message":"Token is invalid","error_type":"TokenException"}', "Token is invalid"),
    ],
)
def test_a_reply_without_bars_is_told_as_what_it_is(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        import_bytes(text.encode(), "x", INFY)


def test_bars_after_a_contracts_expiry_are_quarantined() -> None:
    minutes = [f"{day}T09:{minute}:00+05:30" for day in ("2021-02-25", "2021-02-26") for minute in (15, 16, 17)]
    hints = ImportHints(instrument="NFO:NIFTY:2021-02-25:FUT", interval=Interval(60))
    imported = import_bytes(table(minutes), "x", hints)
    assert {one.reason for one in imported.quarantined} == {"the contract had expired on that day"}
    assert (imported.bad_rows, len(imported.batches[0].close)) == (3, 3)
    late = ImportHints(instrument="NFO:NIFTY:2021-01-28:FUT", interval=Interval(60))
    with pytest.raises(DataError, match="6 times: the contract had expired"):
        import_bytes(table(minutes), "x", late)


@pytest.mark.parametrize("name", ["BOMBAY:X", "NFO:NIFTY24JANFUT", "NFO:NIFTY:2024-13-01:FUT", "NSE:"])
def test_an_instrument_that_names_nothing_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError):
        import_bytes(KITE.encode(), "x", ImportHints(instrument=name))


@pytest.mark.parametrize("hints", [{"unit": "lakhs"}, {"stamps": "end"}, {"zone": "EST"}])
def test_a_word_that_is_none_is_a_usage_error(hints: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=next(iter(hints.values()))):
        import_bytes(KITE.encode(), "x", ImportHints(instrument="NSE:INFY", **hints))  # type: ignore[arg-type]  # strings


def test_an_unknown_format_lists_all() -> None:
    with pytest.raises(UsageError) as refused:
        import_bytes(KITE.encode(), "x", ImportHints(format="nse-udiff"))
    assert "Did you mean nse-fo-udiff or nse-cash-udiff" in refused.value.hint
    assert "ohlcv" in refused.value.hint


def test_float32_parquet_is_put_onto_paise() -> None:
    frame = pl.DataFrame({"ts": [1612151100, 1612151160], "open": [21849.8, 21834.35], "high": [21849.8, 21834.35],
                          "low": [21849.8, 21834.35], "close": [21849.8, 21834.35]})  # fmt: skip
    store = io.BytesIO()
    frame.cast(dict.fromkeys(("open", "high", "low", "close"), pl.Float32)).write_parquet(store)
    imported = import_bytes(store.getvalue(), "x", INFY)
    assert [row[5] for row in rows(imported)] == [218498000, 218343500]
    assert any("float32" in note for note in imported.notes)


def test_option_minutes_name_their_contracts(shared: Path) -> None:
    data = (shared / "data/options/nifty_options_1m_raw_parquet/nifty_call_20240104.parquet").read_bytes()
    imported = import_bytes(data, "x")
    assert (imported.rows, len(imported.batches[0].close), imported.bad_rows) == (48882, 48882, 0)
    ids = {one.id for one in imported.instruments}
    assert {"NFO:NIFTY:2024-02-29:CE:23000", "NFO:NIFTY:2024-01-04:CE:22950"} <= ids


def test_an_index_name_with_open_interest_asks_for_the_contract(shared: Path) -> None:
    folder = shared / "data/minute/nifty_2024-01_raw_parquet"
    with pytest.raises(DataError) as refused:
        import_bytes((folder / "nifty_future_20240101.parquet").read_bytes(), "x")
    assert "--instrument NFO:NIFTY" in refused.value.hint
    spot = import_bytes((folder / "nifty_cash_20240101.parquet").read_bytes(), "x")
    assert spot.instruments[0].id == "NSE:#NIFTY 50"


def test_instrument_dump_gives_contracts_by_expiry_and_strike(shared: Path) -> None:
    data = gzip.decompress((shared / "data/kite/instruments_nfo_bfo_2026-08.csv.gz").read_bytes())
    imported = import_bytes(data, "x")
    assert (imported.format, len(imported.instruments), imported.batches) == ("kite-instruments", 39941, ())
    future = next(one for one in imported.instruments if one.symbol == "NIFTY26AUGFUT")
    assert (future.id, future.lot, future.tick) == ("NFO:NIFTY:2026-08-25:FUT", 65, 1000)


def test_instrument_dump_keeps_shares_and_indices_only(shared: Path) -> None:
    imported = import_bytes((shared / "data/kite/instruments_nse_full.csv").read_bytes(), "x")
    ids = {one.id for one in imported.instruments}
    assert {"NSE:#NIFTY 50", "NSE:RELIANCE", "NSE:BAJAJ-AUTO"} <= ids
    assert "3,113 rows of bonds, rights and other series left out" in imported.notes


def test_instrument_dump_counts_currency_in_units_and_leaves_out_what_it_cannot() -> None:
    text = """instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,segment,exchange
1,1,USDINR26AUGFUT,USDINR,0,2026-08-27,0,0.0025,1,FUT,CDS-FUT,CDS
2,2,GOLD26OCTFUT,GOLD,0,2026-10-05,0,1,1,FUT,MCX-FUT,MCX
3,3,719GS206026AUGFUT,719GS2060,0,2026-08-27,0,0.0025,1,FUT,CDS-FUT,CDS
4,4,SENSEX,SENSEX,0,,0,0,0,EQ,INDICES,BSE
5,5,CDSL-BE,CENTRAL DEPO,0,,0,0.05,1,EQ,NSE,NSE
6,6,BAD26AUGFUT,BAD,0,,0,0.05,1,FUT,NFO-FUT,NFO
"""  # noqa: E501 - as published
    imported = import_bytes(text.encode(), "x", ImportHints(day=parse_day("2026-08-03")))
    said = {one.id: (one.tick, one.lot, one.multiplier, one.series) for one in imported.instruments}
    assert said == {
        "CDS:USDINR:2026-08-27:FUT": (25, 1000, 1000, ""),
        "BSE:#SENSEX": (500, 1, 1, ""),
        "NSE:CDSL": (500, 1, 1, "BE"),
    }
    assert [one.reason for one in imported.quarantined] == ["a contract without an expiry"]
    assert imported.notes[0].startswith("2 contracts of commodities and interest rates")
    assert imported.day == parse_day("2026-08-03")
