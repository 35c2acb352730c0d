"""What the sources of history answer, in the shapes of the real ones, made up for any day that is asked for."""

import datetime
import io
import json
import re
import zipfile
from urllib.parse import parse_qs, unquote, urlsplit

from manjha.domain.moments import SECOND_NS, TradingDay, at, date_from_day, day_of, parse_clock, parse_day
from manjha.market.calendar import is_trading_day
from tests.fakes.history_servers import Answer, Asked
from tests.fakes.market_rules import shipped_rules

ABSENT = Answer(b"not here", status=404)
UDIFF = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,FininstrmActlXpryDt,StrkPric,OptnTp,"
    "FinInstrmNm,OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,UndrlygPric,SttlmPric,OpnIntrst,ChngInOpnIntrst,"
    "TtlTradgVol,TtlTrfVal,TtlNbOfTxsExctd,SsnId,NewBrdLotQty,Rmks,Rsvd1,Rsvd2,Rsvd3,Rsvd4\n"
)
OLD = "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,TOTALTRADES,ISIN,\n"
FULL = (
    "SYMBOL, SERIES, DATE1, PREV_CLOSE, OPEN_PRICE, HIGH_PRICE, LOW_PRICE, LAST_PRICE, CLOSE_PRICE, AVG_PRICE, "
    "TTL_TRD_QNTY, TURNOVER_LACS, NO_OF_TRADES, DELIV_QTY, DELIV_PER\n"
)
INDEX = (
    "Index Name,Index Date,Open Index Value,High Index Value,Low Index Value,Closing Index Value,Points Change,"
    "Change(%),Volume,Turnover (Rs. Cr.),P/E,P/B,Div Yield\n"
)
BSE_OLD = (
    "SC_CODE,SC_NAME,SC_GROUP,SC_TYPE,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,NO_TRADES,NO_OF_SHRS,NET_TURNOV,TDCLOINDI\n"
)
DUMP = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange\r\n"
    "256265,1001,NIFTY 50,NIFTY 50,0.0,,0.0,0.0,0,EQ,INDICES,NSE\r\n"
    "738561,2885,RELIANCE,RELIANCE INDUSTRIES,0.0,,0.0,0.1,1,EQ,NSE,NSE\r\n"
    "3813889,14898,CENTRALBK-BE,CENTRAL BANK OF INDIA,0.0,,0.0,0.05,1,EQ,NSE,NSE\r\n"
)
CONTRACTS = DUMP.splitlines()[0] + (
    "\r\n14866434,58072,NIFTY26AUGFUT,NIFTY,0.0,2026-08-25,0.0,0.1,65,FUT,NFO-FUT,NFO\r\n"
    "11546626,45104,NIFTY2681824350CE,NIFTY,0.0,2026-08-18,24350.0,0.05,65,CE,NFO-OPT,NFO\r\n"
)
ISIN = "INE002A01018"


def zipped(text: str) -> bytes:
    """Pack a file as the exchanges do."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        # A fixed date: the same text is the same bytes at any time of day.
        archive.writestr(zipfile.ZipInfo("file.csv"), text, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def cash_udiff(date: datetime.date, exchange: str = "NSE") -> str:
    """A day's cash file in the common format, with one share."""
    series = "EQ" if exchange == "NSE" else "A"
    return UDIFF + (
        f"{date},{date},CM,{exchange},STK,2885,{ISIN},RELIANCE,{series},,,,,RELIANCE INDUSTRIES LTD,2900.00,2930.00,"
        "2890.00,2920.55,2921.00,2895.00,,2920.55,,,1000,2920550.00,10,F1,1,,,,,\n"
    )


def fno_udiff(date: datetime.date, exchange: str = "NSE", underlying: str = "NIFTY") -> str:
    """A day's F&O file in the common format, with one index future of a lot of 25."""
    return UDIFF + (
        f"{date},{date},FO,{exchange},IDF,35001,,{underlying},,2024-08-29,2024-08-29,,,{underlying}24AUGFUT,25000.00,"
        "25100.00,24900.00,25050.00,25050.00,24950.00,24990.00,25050.00,1000,25,250,6262500.00,10,F1,25,,,,,\n"
    )


def nse(asked: Asked) -> Answer:
    """NSE's archive: old files to 2024-07-05, the common format since, for trading days only."""
    if found := re.search(r"/BhavCopy_NSE_(CM|FO)_0_0_0_(\d{8})_F_0000.csv.zip$", asked.path):
        date = _date(found[2], "%Y%m%d")
        text = cash_udiff(date) if found[1] == "CM" else fno_udiff(date)
        return _if_open(date, zipped(text))
    if found := re.search(r"/EQUITIES/\d{4}/[A-Z]{3}/cm(\w{9})bhav.csv.zip$", asked.path):
        date = _date(found[1], "%d%b%Y")
        row = f"RELIANCE,EQ,2900,2930,2890,2920.55,2921,2895,1000,2920550,{found[1][:2]}-{found[1][2:5]}-{date:%Y},10"
        return _if_open(date, zipped(OLD + f"{row},{ISIN},\n"))
    if found := re.search(r"/indices/ind_close_all_(\d{8}).csv$", asked.path):
        date = _date(found[1], "%d%m%Y")
        row = f"Nifty 50,{date:%d-%m-%Y},24950.1,25030.95,24890.9,25010.9,59.75,.24,385000000,32000.5,23.2,4.1,1.2\n"
        return _if_open(date, (INDEX + row).encode())
    return ABSENT


def full(asked: Asked) -> Answer:
    """NSE's archive where only the full bhavcopy is left."""
    if found := re.search(r"/sec_bhavdata_full_(\d{8}).csv$", asked.path):
        date = _date(found[1], "%d%m%Y")
        row = (
            f"RELIANCE, EQ, {date:%d-%b-%Y}, 2895.00, 2900.00, 2930.00, 2890.00, 2921.00, 2920.55, 2915.00, 1000, 29.2"
        )
        return _if_open(date, (FULL + f"{row}, 10, 500, 50.00\n").encode())
    return ABSENT


def bse(asked: Asked) -> Answer:
    """BSE's archive: zipped old files to July 2024, the common format since."""
    if found := re.search(r"/BhavCopy_BSE_(CM|FO)_0_0_0_(\d{8})_F_0000.CSV$", asked.path):
        date = _date(found[2], "%Y%m%d")
        text = cash_udiff(date, "BSE") if found[1] == "CM" else fno_udiff(date, "BSE", "SENSEX")
        return _if_open(date, text.encode())
    if found := re.search(r"/EQ(\d{6})_CSV.ZIP$", asked.path):
        row = "500325,RELIANCE    ,A ,Q,2900,2930,2890,2920.55,2921,2895,10,1000,2920550,\n"
        return _if_open(_date(found[1], "%d%m%y"), zipped(BSE_OLD + row))
    return ABSENT


def yahoo(asked: Asked) -> Answer:
    """Yahoo's chart of daily bars, stamped at 09:15; it knows RELIANCE.NS and ^NSEI."""
    place = urlsplit(asked.path)
    symbol = unquote(place.path.rpartition("/")[2])
    if symbol not in ("RELIANCE.NS", "^NSEI"):
        return Answer(yahoo_error("Not Found", "No data found, symbol may be delisted"), status=404)
    query = parse_qs(place.query)
    first, last = (day_of(int(query[name][0]) * SECOND_NS) for name in ("period1", "period2"))
    days = [day for day in range(first, last) if is_trading_day(shipped_rules(), TradingDay(day))]
    return Answer(yahoo_chart(symbol, [at(day, parse_clock("09:15")) // SECOND_NS for day in days]))


def yahoo_error(code: str, words: str) -> bytes:
    """A chart that says what is wrong."""
    return json.dumps({"chart": {"result": None, "error": {"code": code, "description": words}}}).encode()


def yahoo_chart(symbol: str, stamps: list[int]) -> bytes:
    """A chart with a bar a stamp; without any, as Yahoo answers for days without a trade."""
    columns = {"open": 2900.0, "high": 2930.0, "low": 2890.0, "close": 2920.55, "volume": 1000}
    quote = {name: [value] * len(stamps) for name, value in columns.items()} if stamps else {}
    result = {"meta": {"symbol": symbol, "currency": "INR"}, "indicators": {"quote": [quote]}}
    body = result | ({"timestamp": stamps} if stamps else {})
    return json.dumps({"chart": {"result": [body], "error": None}}).encode()


def kite(asked: Asked) -> Answer:
    """Kite's lists of instruments and daily candles; it wants a token, and says no more than 2,000 days."""
    if asked.path.startswith("/instruments/N") and "historical" not in asked.path:
        return Answer((DUMP if asked.path.endswith("NSE") else CONTRACTS).encode())
    if asked.headers.get("authorization") != "token key:hush":
        return kite_error(403, "TokenException", "Incorrect `api_key` or `access_token`.")
    query = parse_qs(urlsplit(asked.path).query)
    first, last = (parse_day(query[name][0][:10]) for name in ("from", "to"))
    if last - first >= 2000:
        return kite_error(400, "InputException", "interval exceeds max limit: 2000 days")
    return Answer(
        kite_candles([day for day in range(first, last + 1) if is_trading_day(shipped_rules(), TradingDay(day))])
    )


def kite_candles(days: list[int]) -> bytes:
    """Daily candles of these days."""
    rows = [[f"{date_from_day(TradingDay(day))}T00:00:00+0530", 2900, 2930, 2890, 2920.55, 1000, 0] for day in days]
    return json.dumps({"status": "success", "data": {"candles": rows}}).encode()


def kite_error(status: int, kind: str, words: str) -> Answer:
    """How Kite says no."""
    body = {"status": "error", "message": words, "data": None, "error_type": kind}
    return Answer(json.dumps(body).encode(), status, {"Content-Type": "application/json"})


def _date(text: str, pattern: str) -> datetime.date:
    return datetime.datetime.strptime(text.title(), pattern).replace(tzinfo=datetime.UTC).date()


def _if_open(date: datetime.date, body: bytes) -> Answer:
    return Answer(body) if is_trading_day(shipped_rules(), parse_day(date.isoformat())) else ABSENT
