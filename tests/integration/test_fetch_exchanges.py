"""NSE's and BSE's daily files: where they are, what is done where one is missing, and real ones read to the end."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from manjha.adapters.exchanges import bse, nse
from manjha.adapters.exchanges.daily_files import PAGES_MAX, DailyFiles
from manjha.adapters.formats.registry import import_bytes
from manjha.domain.bars import DAY, MINUTE, Interval
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import Exchange, Instrument
from manjha.domain.moments import TradingDay, at, parse_day
from manjha.market.calendar import is_trading_day
from manjha.ports.market_data import Fetched, FetchRequest
from tests.fakes import history_replies
from tests.fakes.history_servers import Answer, Answers, Asked, downloads, in_order, serving
from tests.fakes.market_data import JumpingClock, share
from tests.fakes.market_rules import future, index, shipped_rules

DAY_ONE = parse_day("2024-08-01")
LATER = parse_day("2024-09-02")
PAGE = Answer(b"\r\n<!DOCTYPE html><html>Resource not found</html>")


def trading(day: TradingDay) -> bool:
    return is_trading_day(shipped_rules(), day)


def nse_at(base: str, today: TradingDay = LATER) -> DailyFiles:
    clock = JumpingClock(at(today, 0))
    return DailyFiles(nse.nse_archive(base, f"{base}/home"), downloads(clock), trading, clock)


def bse_at(base: str) -> DailyFiles:
    clock = JumpingClock(at(LATER, 0))
    return DailyFiles(bse.bse_archive(base), downloads(clock), trading, clock)


def wanted(instrument: Instrument, first: int = DAY_ONE, last: int = DAY_ONE, interval: Interval = DAY) -> FetchRequest:
    return FetchRequest(instrument, interval, TradingDay(first), TradingDay(last))


def got(source: DailyFiles, request: FetchRequest) -> list[Fetched]:
    return list(source.fetch(request, [(request.start, request.end)]))


def formats(pieces: Sequence[Fetched]) -> list[str]:
    return [import_bytes(piece.data, piece.file, piece.hints).format for piece in pieces]


@pytest.mark.parametrize(
    ("day", "paths", "path"),
    [
        ("2024-07-05", nse.cash, "content/historical/EQUITIES/2024/JUL/cm05JUL2024bhav.csv.zip"),
        ("2024-07-08", nse.cash, "content/cm/BhavCopy_NSE_CM_0_0_0_20240708_F_0000.csv.zip"),
        ("2024-07-05", nse.derivatives, "content/historical/DERIVATIVES/2024/JUL/fo05JUL2024bhav.csv.zip"),
        ("2024-07-08", nse.derivatives, "content/fo/BhavCopy_NSE_FO_0_0_0_20240708_F_0000.csv.zip"),
        ("2024-07-08", nse.indices, "content/indices/ind_close_all_08072024.csv"),
        ("2021-04-20", bse.cash, "download/BhavCopy/Equity/EQ200421_CSV.ZIP"),
        ("2024-08-01", bse.cash, "download/BhavCopy/Equity/BhavCopy_BSE_CM_0_0_0_20240801_F_0000.CSV"),
        ("2024-08-01", bse.derivatives, "download/Bhavcopy/Derivative/BhavCopy_BSE_FO_0_0_0_20240801_F_0000.CSV"),
    ],
)
def test_files_by_date(day: str, paths: "object", path: str) -> None:
    assert callable(paths)
    assert paths(parse_day(day))[0] == path


@pytest.mark.parametrize(
    ("first", "instrument", "format_"),
    [
        ("2024-07-05", share(), "nse-cash-old"),
        ("2024-08-01", share(), "nse-cash-udiff"),
        ("2024-08-01", index(), "nse-indices"),
        ("2024-08-01", future(expiry="2024-08-29"), "nse-fo-udiff"),
    ],
)
def test_nse_files_are_read_as_what_they_are(first: str, instrument: Instrument, format_: str) -> None:
    day = parse_day(first)
    with serving(history_replies.nse) as (base, _):
        assert formats(got(nse_at(base), wanted(instrument, day, day))) == [format_]


@pytest.mark.parametrize(
    ("first", "instrument", "format_"),
    [
        ("2021-04-20", share("500325", "", Exchange.BSE), "bse-cash-old"),
        ("2024-08-01", share("RELIANCE", exchange=Exchange.BSE), "bse-cash-udiff"),
        ("2024-08-01", future("SENSEX", "2024-08-29", exchange=Exchange.BFO), "bse-fo-udiff"),
    ],
)
def test_bse_files_are_read_as_what_they_are(first: str, instrument: Instrument, format_: str) -> None:
    day = parse_day(first)
    with serving(history_replies.bse) as (base, _):
        assert formats(got(bse_at(base), wanted(instrument, day, day))) == [format_]


def test_where_the_bhavcopy_is_gone_the_full_one_is_taken() -> None:
    with serving(history_replies.full) as (base, asked):
        pieces = got(nse_at(base), wanted(share()))
    assert formats(pieces) == ["nse-cash-full"]
    assert len(asked) == 2


def test_a_past_trading_day_without_a_file_is_noted_and_the_next_is_had() -> None:
    def answers(asked: Asked) -> Answer:
        return history_replies.ABSENT if "20240801" in asked.path else history_replies.nse(asked)

    with serving(answers) as (base, _):
        absent, there = got(nse_at(base), wanted(share(), DAY_ONE, DAY_ONE + 1))
    assert (absent.data, "no file of 2024-08-01" in absent.note) == (b"", True)
    assert there.data


def test_todays_file_is_not_published_yet() -> None:
    with serving(in_order(history_replies.ABSENT)) as (base, _):
        (piece,) = got(nse_at(base, DAY_ONE), wanted(share()))
    assert "not published yet" in piece.note


def test_a_closed_day_is_not_asked_for() -> None:
    with serving(history_replies.nse) as (base, asked):
        pieces = got(nse_at(base), wanted(share(), parse_day("2024-08-15"), parse_day("2024-08-18")))
    assert len(pieces) == len(asked) == 1


def test_a_file_is_asked_for_once_however_many_want_it() -> None:
    with serving(history_replies.nse) as (base, asked):
        source = nse_at(base)
        assert len(got(source, wanted(share()))) == 1
        infosys = wanted(share("INFY", "INE009A01021"))
        assert source.plan(infosys, [(DAY_ONE, DAY_ONE)]) == len(got(source, infosys)) == 0
        assert len(got(source, wanted(index()))) == 1
    assert len(asked) == 2


def guarded(refusal: Answer) -> Answers:
    """Answer only those who have been at home; send a browser's name on."""

    def answers(asked: Asked) -> Answer:
        if asked.path == "/home":
            return Answer(b"<html>", headers={"Set-Cookie": "nsit=abc"})
        known = "nsit=abc" in asked.headers.get("cookie", "") and "Mozilla" in asked.headers["user-agent"]
        return history_replies.nse(asked) if known else refusal

    return answers


@pytest.mark.parametrize("refusal", [Answer(status=403), Answer(status=401), PAGE])
def test_who_is_turned_away_gets_cookies_at_home_once(refusal: Answer) -> None:
    with serving(guarded(refusal)) as (base, asked):
        pieces = got(nse_at(base), wanted(share(), DAY_ONE, DAY_ONE + 1))
    assert all(piece.data for piece in pieces)
    assert asked.count("/home") == 1


def test_who_is_turned_away_for_good_is_told_what_to_do() -> None:
    with serving(in_order(Answer(status=403))) as (base, asked), pytest.raises(SourceError, match="403") as caught:
        got(nse_at(base), wanted(share(), DAY_ONE, DAY_ONE + 1))
    assert "manjha data import" in caught.value.hint
    assert len(asked) == 3


def test_web_pages_in_place_of_files_end_the_job_after_some() -> None:
    with serving(in_order(PAGE)) as (base, asked), pytest.raises(SourceError, match="web page"):
        got(bse_at(base), wanted(share("RELIANCE", exchange=Exchange.BSE), DAY_ONE, DAY_ONE + 30))
    assert len(asked) == PAGES_MAX


@pytest.mark.parametrize(
    "body", [b"PK\x03\x04 cut off", history_replies.zipped("a" * 5_000)[:-60]], ids=["its head", "all but its end"]
)
def test_a_damaged_archive_is_a_source_error(body: bytes) -> None:
    with serving(in_order(Answer(body))) as (base, _), pytest.raises(SourceError, match="damaged archive"):
        got(nse_at(base), wanted(share()))


def test_an_empty_file_is_a_source_error() -> None:
    with serving(in_order(Answer(b""))) as (base, _), pytest.raises(SourceError, match="an empty file"):
        got(nse_at(base), wanted(share()))


@pytest.mark.parametrize(
    ("instrument", "interval", "words"),
    [
        (share(), MINUTE, "daily bars, not 1m"),
        (share("RELIANCE", exchange=Exchange.BSE), DAY, "no files with BSE:RELIANCE"),
        (future("GOLD", exchange=Exchange.MCX), DAY, "no files with MCX"),
    ],
)
def test_what_nse_does_not_publish_is_refused_before_anything_is_asked(
    instrument: Instrument, interval: Interval, words: str
) -> None:
    with serving(history_replies.nse) as (base, asked), pytest.raises(UsageError, match=words):
        nse_at(base).plan(wanted(instrument, interval=interval), [(DAY_ONE, DAY_ONE)])
    assert asked == []


REAL = [
    ("2016-08-12", share(), "bhavcopy/nse_cm_old/cm12AUG2016bhav.csv.zip", "nse-cash-old"),
    ("2025-02-03", future(), "bhavcopy/nse_fo_udiff/BhavCopy_NSE_FO_0_0_0_20250203_F_0000.csv.zip", "nse-fo-udiff"),
    ("2020-01-01", future(), "bhavcopy/nse_fo_old/fo01Jan2020bhav.csv.zip", "nse-fo-old"),
    ("2025-07-31", share(), "bhavcopy/nse_sec_bhavdata_full/sec_bhavdata_full_31072025.csv", "nse-cash-full"),
]


@pytest.mark.parametrize(("first", "instrument", "file", "format_"), REAL)
def test_real_files_of_nse_come_through(
    first: str, instrument: Instrument, file: str, format_: str, shared: Path
) -> None:
    day = parse_day(first)
    with serving(in_order(Answer((shared / "data" / file).read_bytes()))) as (base, _):
        (piece,) = got(nse_at(base, parse_day("2026-01-05")), wanted(instrument, day, day))
    read = import_bytes(piece.data, piece.file, piece.hints)
    assert (read.format, read.day) == (format_, day)
    assert read.rows > 1_000


@pytest.mark.parametrize("file", ["EQ200421.CSV", "210421.zip"])
def test_real_files_of_bse_come_through(file: str, shared: Path) -> None:
    day = parse_day("2021-04-20")
    body = (shared / "data/bhavcopy/bse_old" / file).read_bytes()
    with serving(in_order(Answer(body))) as (base, _):
        (piece,) = got(bse_at(base), wanted(share("500325", "", Exchange.BSE), day, day))
    assert import_bytes(piece.data, piece.file, piece.hints).rows > 1_000
