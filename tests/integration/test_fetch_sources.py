"""Downloads over a real socket: what is asked for, what is waited for, what is said when it fails."""

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from manjha.adapters.exchanges.history import bse_path, nse_path
from manjha.adapters.kite.history import KiteHistory
from manjha.adapters.system.downloads import TRIES, HttpDownloads
from manjha.adapters.yahoo.history import YahooHistory, yahoo_symbol
from manjha.domain.bars import DAY, MINUTE, Interval
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.moments import SECOND_NS, TradingDay, parse_day
from manjha.ports.market_data import FetchRequest
from tests.fakes.history_servers import Answer, serving
from tests.fakes.market_data import JumpingClock, share
from tests.fakes.market_rules import future, index

DAY_ONE = parse_day("2024-08-01")
CODE = "import sys; from manjha.app.cli import main; main(sys.argv[1:])"


def ok(body: bytes) -> Answer:
    return 200, body, {}


def test_a_passing_failure_is_tried_again_after_the_wait_asked_for() -> None:
    clock = JumpingClock(0)
    replies = [(500, b"", {}), (429, b"", {"Retry-After": "7"}), ok(b"rows")]
    with serving(lambda _path, _headers, before: replies[before]) as (base, asked):
        assert HttpDownloads(clock).get(f"{base}/a", {}).body == b"rows"
    assert len(asked) == 3
    assert clock.now == (1 + 7) * SECOND_NS


def test_tries_are_bounded_and_the_message_names_path_and_status() -> None:
    with serving(lambda *_: (503, b"", {})) as (base, asked), pytest.raises(SourceError, match=r"/a .*status 503"):
        HttpDownloads(JumpingClock(0)).get(f"{base}/a?secret=1", {"Authorization": "token key:hush"})
    assert len(asked) == TRIES


def test_a_refusal_is_not_tried_again_and_no_secret_is_said() -> None:
    with serving(lambda *_: (403, b"", {})) as (base, asked), pytest.raises(SourceError) as caught:
        HttpDownloads(JumpingClock(0)).get(f"{base}/a?token=hush", {"Authorization": "token key:hush"})
    assert len(asked) == 1
    assert "hush" not in str(caught.value)
    assert "access token" in caught.value.hint


def test_a_truncated_body_is_tried_again() -> None:
    replies = [(200, b"half", {"Content-Length": "8"}), ok(b"complete")]
    with serving(lambda _path, _headers, before: replies[before]) as (base, _):
        assert HttpDownloads(JumpingClock(0)).get(f"{base}/a", {}).body == b"complete"


def test_cookies_are_kept_and_gzip_is_unpacked() -> None:
    def answers(path: str, headers: dict[str, str], before: int) -> Answer:  # type: ignore[type-arg, unused-ignore]
        del before
        if path == "/home":
            return 200, b"", {"Set-Cookie": "visit=1"}
        return 200, gzip.compress(headers.get("Cookie", "none").encode()), {"Content-Encoding": "gzip"}

    with serving(answers) as (base, _):  # type: ignore[arg-type]
        downloads = HttpDownloads(JumpingClock(0))
        downloads.get(f"{base}/home", {})
        assert downloads.get(f"{base}/file", {}).body == b"visit=1"


def test_nothing_listening_is_a_source_error() -> None:
    with pytest.raises(SourceError, match="ConnectError"):
        HttpDownloads(JumpingClock(0)).get("http://127.0.0.1:9/a", {})


@pytest.mark.parametrize(
    ("day", "derivative", "path"),
    [
        ("2024-07-05", False, "content/historical/EQUITIES/2024/JUL/cm05JUL2024bhav.csv.zip"),
        ("2024-07-08", False, "content/cm/BhavCopy_NSE_CM_0_0_0_20240708_F_0000.csv.zip"),
        ("2024-07-05", True, "content/historical/DERIVATIVES/2024/JUL/fo05JUL2024bhav.csv.zip"),
        ("2024-07-08", True, "content/fo/BhavCopy_NSE_FO_0_0_0_20240708_F_0000.csv.zip"),
    ],
)
def test_nse_files_by_date(day: str, *, derivative: bool, path: str) -> None:
    assert nse_path(future() if derivative else share(), parse_day(day)) == path


def test_bse_files_by_date() -> None:
    assert bse_path(share(), parse_day("2021-04-20")).endswith("Equity/EQ200421_CSV.ZIP")
    assert bse_path(share(), parse_day("2024-08-01")).endswith("BhavCopy_BSE_CM_0_0_0_20240801_F_0000.CSV")


def test_yahoo_asks_in_pieces_it_can_give() -> None:
    with serving(lambda *_: ok(b"{}")) as (base, asked):
        source = YahooHistory(base, HttpDownloads(JumpingClock(0)))
        request = FetchRequest(share(), MINUTE, DAY_ONE, TradingDay(DAY_ONE + 9))
        spans = [(DAY_ONE, TradingDay(DAY_ONE + 9))]
        assert source.plan(request, spans) == len(list(source.fetch(request, spans))) == 2
    assert all("interval=1m" in path and yahoo_symbol(share()) in path for path in asked)
    with pytest.raises(UsageError, match="does not list"):
        yahoo_symbol(future())
    assert yahoo_symbol(index()).startswith("^")


def test_kite_finds_the_token_of_the_day_and_keeps_the_key_to_a_header() -> None:
    seen: list[str] = []

    def answers(path: str, headers: dict[str, str], before: int) -> Answer:  # type: ignore[type-arg, unused-ignore]
        del before
        seen.append(headers["Authorization"])
        if path == "/instruments/NSE":
            return ok(f"instrument_token,tradingsymbol\n4242,{share().symbol}\n".encode())
        return ok(b'{"status":"success","data":{"candles":[]}}')

    with serving(answers) as (base, asked):  # type: ignore[arg-type]
        source = KiteHistory(base, "key", "hush", HttpDownloads(JumpingClock(0)))
        request = FetchRequest(share(), DAY, DAY_ONE, DAY_ONE)
        assert len(list(source.fetch(request, [(DAY_ONE, DAY_ONE)]))) == 1
        with pytest.raises(UsageError, match="no candles of 7m"):
            source.plan(FetchRequest(share(), Interval(420), DAY_ONE, DAY_ONE), [(DAY_ONE, DAY_ONE)])
    assert set(seen) == {"token key:hush"}
    assert "/instruments/historical/4242/day?from=2024-08-01" in asked[1]
    assert not any("hush" in path for path in asked)


def test_kite_without_credentials_says_which() -> None:
    with pytest.raises(UsageError) as caught:
        KiteHistory("http://x", "", "", HttpDownloads(JumpingClock(0)))
    assert "MANJHA_KITE_ACCESS_TOKEN" in caught.value.hint


HEADER = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,FininstrmActlXpryDt,StrkPric,OptnTp,"
    "FinInstrmNm,OpnPric,HghPric,LwPric,ClsPric,LastPric,PrvsClsgPric,UndrlygPric,SttlmPric,OpnIntrst,ChngInOpnIntrst,"
    "TtlTradgVol,TtlTrfVal,TtlNbOfTxsExctd,SsnId,NewBrdLotQty,Rmks,Rsvd1,Rsvd2,Rsvd3,Rsvd4\n"
)


def udiff(date: str) -> bytes:
    """Return a day's cash file with one share, zipped as NSE does."""
    row = (
        f"{date},{date},CM,NSE,STK,101,INE000A01011,ALPHA,EQ,,,,,ALPHA LTD,100.00,102.00,99.00,101.00,101.00,100.00,,"
        "101.00,,,1000,101000.00,10,F1,1,,,,,\n"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("file.csv", HEADER + row)
    return packed.getvalue()


def manjha(home: Path, base: str, *args: str) -> subprocess.CompletedProcess[str]:
    variables = {"MANJHA_HOME": str(home), "MANJHA_FETCH_NSE_URL": base, "MANJHA_FETCH_BURST": "50"}
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, "-c", CODE, *args], env=environment, capture_output=True, text=True, check=False
    )


def test_fetch_stores_what_is_missing_and_the_second_time_asks_for_nothing(tmp_path: Path) -> None:
    def answers(path: str, _headers: object, _before: int) -> Answer:
        date = path.rsplit("_", 3)[-3]
        if date == "20240802":
            return 404, b"", {}
        return ok(udiff(f"{date[:4]}-{date[4:6]}-{date[6:]}"))

    seed = tmp_path / "seed.zip"
    seed.write_bytes(udiff("2024-07-31"))
    wanted = ("data", "fetch", "--source", "nse", "--instrument", "ALPHA", "--from", "2024-08-01", "--to", "2024-08-06")
    with serving(answers) as (base, asked):
        assert manjha(tmp_path, base, "data", "import", str(seed)).returncode == 0
        first = manjha(tmp_path, base, *wanted, "--json")
        assert first.returncode == 0, first.stderr
        assert len(asked) == 4
        manjha(tmp_path, base, *wanted, "--json")
    assert asked[4:] == [path for path in asked[:4] if "20240802" in path]
    listed = json.loads(manjha(tmp_path, "http://127.0.0.1:9", "data", "list", "--json").stdout)
    assert "4" in json.dumps(listed)


def test_a_source_that_fails_ends_with_three_and_loses_nothing(tmp_path: Path) -> None:
    seed = tmp_path / "seed.zip"
    seed.write_bytes(udiff("2024-07-31"))
    with serving(lambda *_: (403, b"", {})) as (base, _):
        assert manjha(tmp_path, base, "data", "import", str(seed)).returncode == 0
        wanted = ("--source", "nse", "--instrument", "ALPHA", "--from", "2024-08-01", "--to", "2024-08-02")
        done = manjha(tmp_path, base, "data", "fetch", *wanted)
    assert done.returncode == 3
    assert "403" in done.stderr
    assert "Traceback" not in done.stderr
    assert manjha(tmp_path, base, "data", "verify").returncode == 0
