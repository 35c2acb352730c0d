"""One ticker, many processes: an exchange on a socket, `feed serve`, a NATS server, and traders that take it up."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest

from manjha.app.bootstrap import (
    bar_store,
    instrument_book,
    journal_to_read,
    market_rules,
    market_segments,
    tick_reader,
)
from manjha.app.cli.errors import OK, SOURCE, USAGE
from manjha.app.settings import load_settings
from manjha.app.streaming.recording import tick_days
from manjha.app.trading.watcher import Report
from manjha.domain.bars import MINUTE
from manjha.domain.moments import MINUTE_NS, parse_day
from manjha.domain.orders import AccountId
from manjha.engine.bars import bars_from_ticks, sessions_of
from manjha.services.replays import market_of, recorded_runs
from tests.fakes.exchanges import DAY
from tests.fakes.kite_desk import ACCOUNT, Desk, a_desk, with_limits
from tests.fakes.live_trader import CALL, PATIENT, SPEED, STRATEGY
from tests.fakes.nats_server import NatsServer, a_nats_server

pytestmark = pytest.mark.slow


class Running:
    """A command in a process of its own."""

    def __init__(self, name: str, stage: "Stage", *words: str) -> None:
        self.name = name
        self._out, self._err = (stage.folder / f"{name}.{kind}" for kind in ("out", "err"))
        with self._out.open("wb") as said, self._err.open("wb") as erred:
            self.process = subprocess.Popen(
                [sys.executable, "-c", CALL, *words], stdout=said, stderr=erred, env=stage.variables
            )

    @property
    def said(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def erred(self) -> str:
        return self._err.read_text(encoding="utf-8")

    def until(self, what: str, so: Callable[[], bool], seconds: float = 90.0) -> None:
        """Wait until something is so; end the test where it does not come."""
        for _ in range(round(seconds / 0.05)):
            if so():
                return
            if self.process.poll() is not None:
                break
            threading.Event().wait(0.05)
        pytest.fail(f"{what}: it did not come; {self.name} said:\n{self.erred}")

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


class Stage:
    """The exchange, the server of the stream, and the commands around them."""

    def __init__(self, desk: Desk, nats: NatsServer, folder: Path) -> None:
        self.desk, self.nats, self.folder = desk, nats, folder
        self.variables = with_limits(desk.variables) | PATIENT
        self._running: list[Running] = []

    def run(self, name: str, *words: str) -> Running:
        self._running.append(Running(name, self, *words))
        return self._running[-1]

    def serve(self, *names: str) -> Running:
        words = [word for name in names or ("NSE:MANJHA",) for word in ("--instrument", name)]
        publisher = self.run("publisher", "feed", "serve", *words, "--stream", self.nats.url, "--json")
        publisher.until("it publishes", lambda: "Publishing" in publisher.erred)
        return publisher

    def trade(self, account: str, *words: str) -> Running:
        strategy = str(self.folder / "restless.py")
        return self.run(
            account, "trade", "--account", account, "-s", strategy, "--instrument", "NSE:MANJHA", "-i", "1m",
            "--product", "MIS", "--json", "--stream", self.nats.url, *words,
        )  # fmt: skip

    def ticks(self, account: str) -> list[tuple[int, int]]:
        """Price and quantity of each tick that an account's trader has seen, as its journal's segments have them."""
        settings = load_settings({"MANJHA_HOME": str(self.desk.home)})
        where = str(self.desk.home / "accounts" / account / "journal.db")
        journal, segments = journal_to_read(where, account), market_segments(settings, where, AccountId(account))
        try:
            seen = market_of(journal, segments, recorded_runs(journal)[0])
            return [(px, volume) for one in seen.ticks.values() for px, volume in zip(one.px, one.volume, strict=True)]
        finally:
            segments.close()
            journal.close()

    def bars(self, account: str) -> dict[int, tuple[int, ...]]:
        """Open, high, low, close and volume of each minute that an account's trader has made of its ticks, by open."""
        settings = load_settings({"MANJHA_HOME": str(self.desk.home)})
        share = instrument_book(settings).find("NSE:MANJHA")
        where = str(self.desk.home / "accounts" / account / "journal.db")
        journal, segments = journal_to_read(where, account), market_segments(settings, where, AccountId(account))
        try:
            ticks = market_of(journal, segments, recorded_runs(journal)[0]).ticks[share.id]
        finally:
            segments.close()
            journal.close()
        sessions = sessions_of(market_rules(settings), share, parse_day(DAY), parse_day(DAY))
        made = bars_from_ticks(ticks, MINUTE, sessions)
        rows = zip(made.open, made.high, made.low, made.close, made.volume, strict=True)
        return dict(zip(made.ts_open_ns, rows, strict=True))

    def end_all(self) -> None:
        for one in self._running:
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait()


def trades_twice(trader: Running, fills: int = 3) -> bool:
    return trader.erred.count(" at 1") >= fills


def overlap(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> Sequence[Sequence[tuple[int, int]]]:
    """Return what two have seen from where the later one began to where the first one ended."""
    for early, late in ((one, other), (other, one)):
        begins = [at for at in range(len(early)) if early[at : at + 10] == late[:10]]
        if begins:
            both = list(zip(late, early[begins[0] :], strict=False))
            return [[pair[0] for pair in both], [pair[1] for pair in both]]
    raise AssertionError(f"nothing in common: {one} and {other}")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Stage]:
    (tmp_path / "restless.py").write_text(STRATEGY, encoding="utf-8")
    with a_nats_server(tmp_path) as nats, a_desk(tmp_path, monkeypatch, capfd, speed=SPEED) as desk:
        desk.know()
        assert desk("login") == OK
        made = Stage(desk, nats, tmp_path)
        try:
            yield made
        finally:
            made.end_all()


@pytest.mark.timeout(400)
def test_two_traders_on_paper_live_by_one_ticker(stage: Stage) -> None:
    publisher = stage.serve()
    traders = [stage.trade("PAPER1"), stage.trade("PAPER2")]
    for trader in traders:
        trader.until("it trades", partial(trades_twice, trader))
    for trader in traders:
        assert trader.end() == OK, trader.erred
        report = msgspec.json.decode(trader.said, type=Report)
        assert (report.exchange, report.fills >= 3) == ("simulated", True)
        assert "stream of ticks: connected" in trader.erred
    one, other = overlap(*(stage.ticks(account) for account in ("PAPER1", "PAPER2")))
    assert one == other
    assert len(one) >= 25
    assert publisher.end() == OK, publisher.erred
    assert msgspec.json.decode(publisher.said)["ticks"] >= len(one)


def test_what_cannot_be_is_said_before_anything_is_traded(stage: Stage) -> None:
    early = stage.trade("PAPER1")
    assert early.process.wait(60) == SOURCE
    assert "nobody publishes on this stream yet" in early.erred

    publisher = stage.serve("NSE:PATANG")
    other = stage.trade("PAPER1")
    assert other.process.wait(60) == USAGE
    assert "NSE:MANJHA is not published on this stream" in other.erred

    stage.variables["MANJHA_KITE_URL"] = "https://api.kite.trade"
    elsewhere = stage.trade("PAPER1", "--instrument", "NSE:PATANG")
    assert elsewhere.process.wait(60) == USAGE
    stage.variables["MANJHA_KITE_URL"] = stage.desk.variables["MANJHA_KITE_URL"]

    second = stage.run("second", "feed", "serve", "--instrument", "NSE:MANJHA", "--stream", stage.nats.url)
    assert second.process.wait(60) == USAGE
    assert "another publisher lives on this stream" in second.erred
    assert publisher.end() == OK


@pytest.mark.timeout(400)
def test_a_live_trader_takes_the_stream_up_and_hears_of_its_orders_by_itself(stage: Stage) -> None:
    publisher = stage.serve()
    live = stage.trade(ACCOUNT, "--live", "--yes-account", ACCOUNT)
    live.until("it trades", lambda: len(stage.desk.exchange.book.trades) >= 3)
    assert stage.desk("kill", "--level", "flatten", "--reason", "the test is over") == OK
    live.until("nothing is open", lambda: all(one.is_final for one in list(stage.desk.exchange.book.orders.values())))
    assert live.end() == OK, live.erred
    assert "stream of ticks: connected" in live.erred
    assert msgspec.json.decode(live.said, type=Report).exchange.startswith("a simulated exchange at http://127.0.0.1:")
    assert publisher.end() == OK


@pytest.mark.timeout(500)
def test_what_a_recorder_keeps_replays_on_paper_with_the_same_bars(stage: Stage) -> None:
    publisher = stage.serve()
    recorder = stage.run("recorder", "data", "record", "--stream", stage.nats.url, "--json")
    trader = stage.trade("PAPER1")
    # A bar each: the first one and the last one may be torn.
    trader.until("it trades", partial(trades_twice, trader, fills=5))
    assert trader.end() == OK, trader.erred
    assert publisher.end() == OK, publisher.erred
    # It ends by itself, with the publisher.
    assert recorder.process.wait(60) == OK, recorder.erred
    (day,) = json.loads(recorder.said)
    assert day["rows"] > 20
    assert {one["why"] for one in day["missing"]} <= {"before the recording began", "the publisher was not connected"}

    settings = load_settings({"MANJHA_HOME": str(stage.desk.home)})
    share = instrument_book(settings).find("NSE:MANJHA")
    recorded = tick_days(settings).read(parse_day(DAY), [share.id])
    assert recorded is not None
    # The trader has seen what was recorded: the same prices and quantities in the same order.
    kept = list(zip(recorded[0].px, recorded[0].volume, strict=True))
    seen = stage.ticks("PAPER1")
    assert overlap(kept, seen)[0] == overlap(kept, seen)[1]

    stored = bar_store(settings).read(share.id, MINUTE, recorded[0].ts_ns[0] - MINUTE_NS, recorded[0].ts_ns[-1])
    assert len(stored) == day["bars"] >= 3
    # Recorded here, its file, and what the server still has: three ways to the same bars, and so to the same trades.
    equities = set()
    days = ("--from", DAY, "--to", DAY, "--speed", "0")
    file = str(stage.desk.home / "ticks" / f"{DAY}.csv")
    for at, words in enumerate((("--ticks", "recorded"), ("--ticks", file), ("--stream", stage.nats.url))):
        account = f"AGAIN{at}"
        again = stage.run(
            account, "trade", "--account", account, "-s", str(stage.folder / "restless.py"), "--instrument",
            "NSE:MANJHA", "-i", "1m", "--product", "MIS", "--json", *words, *days,
        )  # fmt: skip
        assert again.process.wait(90) == OK, again.erred
        equities.add(msgspec.json.decode(again.said, type=Report).equity)
        bars = stage.bars(account)
        whole = [bars[ts_ns] for ts_ns in stored.ts_open_ns]
        assert whole == list(zip(stored.open, stored.high, stored.low, stored.close, stored.volume, strict=True))
    assert len(equities) == 1


@pytest.mark.timeout(400)
def test_a_publisher_and_a_trader_that_are_killed_are_started_again_and_go_on(stage: Stage) -> None:
    publisher = stage.serve()
    trader = stage.trade("PAPER1")
    trader.until("it trades", partial(trades_twice, trader))
    publisher.end(signal.SIGKILL)
    trader.until("a person is called", lambda: "nothing is heard of the publisher" in trader.erred)
    publisher = stage.serve()
    trader.until("ticks come again", lambda: trader.erred.count("stream of ticks: connected") == 2)
    before = trader.erred.count(" at 1")
    trader.until("it trades on", lambda: trader.erred.count(" at 1") >= before + 2)

    trader.end(signal.SIGKILL)
    again = stage.trade("PAPER1")
    again.until("it trades on", partial(trades_twice, again))
    assert "taken up from" in again.erred
    assert again.end() == OK, again.erred
    assert not msgspec.json.decode(again.said, type=Report).is_new
    assert publisher.end() == OK


@pytest.mark.timeout(400)
def test_without_a_server_a_ticker_of_its_own_serves_a_trader_and_a_recorder(stage: Stage) -> None:
    trader = stage.trade("PAPER1", "--stream", "here")
    trader.until("it trades", partial(trades_twice, trader))
    assert trader.end() == OK, trader.erred
    recorder = stage.run("recorder", "data", "record", "--stream", "here", "--instrument", "NSE:MANJHA", "--json")
    path = stage.desk.home / "ticks" / f"{DAY}.csv"
    recorder.until("ticks are kept", lambda: path.exists() and path.read_bytes().count(b"\n") > 10)
    second = stage.run("second", "data", "record", "--stream", "here", "--instrument", "NSE:MANJHA")
    assert second.process.wait(60) == USAGE
    assert "another process records into" in second.erred
    assert recorder.end() == OK, recorder.erred
    (day,) = json.loads(recorder.said)
    assert day["rows"] == path.read_bytes().count(b"\n") - 1
    # A simulated exchange trades on what was recorded, as on any file of ticks.
    settings = load_settings({"MANJHA_HOME": str(stage.desk.home)})
    share = instrument_book(settings).find("NSE:MANJHA")
    read = tick_reader(market_rules(settings), instrument_book(settings))(path, share)
    recorded = tick_days(settings).read(parse_day(DAY), [share.id])
    assert recorded is not None
    for field in ("ts_ns", "px", "volume"):
        assert list(getattr(read, field)) == list(getattr(recorded[0], field))
