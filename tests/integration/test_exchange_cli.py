"""`manjha exchange serve`, and the markets that it can be asked for."""

import hashlib
import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from manjha.app.bootstrap import bar_store, instrument_book, market_rules
from manjha.app.cli import main
from manjha.app.exchange import ExchangeWords, exchange_app
from manjha.app.settings import load_settings
from manjha.domain.errors import UsageError
from manjha.domain.moments import MINUTE_NS, TradingDay, TsNs, at, parse_clock, parse_day
from manjha.services.synthetic_market import seed_store

CALL = "from manjha.app.cli import main; main()"
TODAY = at(parse_day("2026-11-29"), parse_clock("11:12:13"))


@pytest.fixture
def root() -> Iterator[str]:
    words = [sys.executable, "-c", CALL, "exchange", "serve", "--port", "0", "--auto-login", "--paused", "--day"]
    process = subprocess.Popen([*words, "2026-11-26"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process:
        told = process.stderr.readline()
        found = re.search(r"http://\S+?(?=;)", told)
        assert found is not None, told + process.stderr.read()
        yield found[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130)


def answered(request: urllib.request.Request) -> dict[str, object]:
    with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - this machine's own server
        found: dict[str, object] = json.loads(reply.read())["data"]
        return found


@pytest.mark.slow
def test_served_exchange_is_logged_in_to_with_what_it_says(root: str) -> None:
    with urllib.request.urlopen(f"{root}/connect/login?v=3&api_key=simulated", timeout=10) as landed:  # noqa: S310
        token = landed.url.partition("request_token=")[2].partition("&")[0]
    checksum = hashlib.sha256(f"simulated{token}simulated-secret".encode()).hexdigest()
    form = urlencode({"api_key": "simulated", "request_token": token, "checksum": checksum}).encode()
    session = answered(urllib.request.Request(f"{root}/session/token", form))  # noqa: S310
    header = {"Authorization": f"token simulated:{session['access_token']}"}
    profile = answered(urllib.request.Request(f"{root}/user/profile", headers=header))  # noqa: S310
    assert profile["user_id"] == "SIM001"
    assert answered(urllib.request.Request(f"{root}/simulation"))["now"] == "2026-11-26 09:15:00"  # noqa: S310


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_no_machine_has_is_a_wrong_word_and_no_bug(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["exchange", "serve", "--port", port])
    assert ended.value.code == 2
    assert "--port" in capsys.readouterr().err


def test_markets_default_day_is_the_last_one_that_is_not_to_come() -> None:
    _, exchange = exchange_app(load_settings(), ExchangeWords(), TODAY)
    assert exchange.market.day == parse_day("2026-11-27")


def test_users_begin_with_the_money_and_shares_that_are_asked_for() -> None:
    words = ExchangeWords(cash="5000.50", holdings=("NSE:MANJHA=10@1400.5",), users=("A1", "A2"))
    _, exchange = exchange_app(load_settings(), words, TODAY)
    assets = exchange.broker.assets["A2"]
    assert [purse.net for purse in assets.purses.values()] == [5000_5000, 5000_5000]
    (row,) = assets.shown_holdings()
    assert (row["tradingsymbol"], row["quantity"], row["average_price"]) == ("MANJHA", 10, 1400.5)


@pytest.mark.parametrize("text", ["MANJHA", "NSE:MANJHA=ten@1", "NSE:MANJHA=10", "NSE:NOBODY=1@1", "NSE:SYNTH 50=1@1"])
def test_shares_that_cannot_be_held_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        exchange_app(load_settings(), ExchangeWords(holdings=(text,)), TODAY)


def test_clock_can_begin_with_the_machines() -> None:
    _, exchange = exchange_app(load_settings(), ExchangeWords(clock="now", day="2026-11-26"), TODAY)
    assert exchange.now_ns == at(parse_day("2026-11-26"), parse_clock("11:12:13"))


@pytest.mark.parametrize("day", ["2026-11-28", "2031-01-01"])
def test_day_without_trading_is_refused(day: str) -> None:
    with pytest.raises(UsageError, match="no trading day"):
        exchange_app(load_settings(), ExchangeWords(day=day), TODAY)


def test_stored_bars_are_traded() -> None:
    settings = load_settings()
    span = (TradingDay(parse_day("2026-11-20")), TradingDay(parse_day("2026-11-27")))
    seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), 3, span)
    words = ExchangeWords(day="2026-11-26", days=1, instruments=("NSE:MANJHA", "NSE:DORI"), per_bar=5)
    _, exchange = exchange_app(settings, words, TODAY)
    opened = exchange.now_ns
    exchange.advance(TsNs(opened + MINUTE_NS - 1))
    bars = bar_store(settings).read(exchange.market.listing.by_key["NSE:DORI"].id, 60, 0, 2**62)  # type: ignore[arg-type]
    first = next(at for at in range(len(bars)) if bars.ts_open_ns[at] == opened)
    standing = exchange.market.standings[bars.instrument]
    assert (standing.open, standing.high, standing.low, standing.last) == (
        bars.open[first], bars.high[first], bars.low[first], bars.close[first],
    )  # fmt: skip
    assert standing.close == bars.close[first - 1]
    assert [one.symbol for one in exchange.market.listing.all] == ["DORI", "MANJHA"]


def test_recorded_ticks_are_traded(tmp_path: Path) -> None:
    settings = load_settings()
    span = (TradingDay(parse_day("2026-11-26")), TradingDay(parse_day("2026-11-27")))
    seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), 3, span)
    file = tmp_path / "ticks.csv"
    rows = [f"2026-11-27 09:15:{second:02d},{1500 + second}.05,{100 * second}" for second in range(1, 30)]
    file.write_text("timestamp,ltp,volume\n" + "\n".join(rows) + "\n", encoding="utf-8")
    words = ExchangeWords(day="2026-11-27", days=1, instruments=("NSE:MANJHA",), ticks=(str(file),))
    _, exchange = exchange_app(settings, words, TODAY)
    exchange.advance(TsNs(exchange.now_ns + MINUTE_NS))
    (standing,) = exchange.market.standings.values()
    assert (standing.open, standing.last, standing.volume) == (15_010_500, 15_290_500, 2_900)
    with pytest.raises(UsageError, match="a file for each of 1 instruments"):
        exchange_app(settings, ExchangeWords(instruments=("NSE:MANJHA",), ticks=("a", "b")), TODAY)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (ExchangeWords(users=("A", "A")), "--user expects .* 'A', 2 times"),
        (ExchangeWords(users=("",)), "--user expects"),
        (ExchangeWords(cash="-5"), "--cash cannot be negative"),
        (ExchangeWords(redirect_url="foo"), "--redirect-url expects http"),
        (ExchangeWords(postback_url="ftp://x"), "--postback-url expects http"),
        (ExchangeWords(addresses=("here",)), "--address expects an IP address, was 'here'"),
    ],
)
def test_who_could_not_trade_is_refused(words: ExchangeWords, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        exchange_app(load_settings(), words, TODAY)


def test_rules_are_switched_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    for word, told in (("tick", "--rule expects NAME=on"), ("tock=off", "no rule is named 'tock'")):
        with pytest.raises(SystemExit) as ended:
            main(["exchange", "serve", "--port", "0", "--rule", word])
        assert ended.value.code == 2
        assert told in capsys.readouterr().err
