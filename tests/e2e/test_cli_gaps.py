"""`manjha trade --live` against an exchange on a socket: what it missed, it fetches, and its journal replays."""

import json
import signal
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from manjha.app.bootstrap import journal_to_read, market_segments
from manjha.app.cli.errors import OK
from manjha.app.settings import load_settings
from manjha.domain.bars import MINUTE, Bar
from manjha.domain.moments import MINUTE_NS
from manjha.domain.orders import AccountId
from manjha.engine.market_frames import Seen
from manjha.services.replays import market_of, recorded_runs
from tests.fakes.kite_desk import ACCOUNT
from tests.fakes.live_trader import Live, a_live_trader

pytestmark = pytest.mark.slow

SPEED = 10.0
"""Twenty seconds in which bars are kept back are two here."""


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Live]:
    with a_live_trader(tmp_path, monkeypatch, capfd, SPEED) as made:
        yield made


def candles(one: Live) -> Mapping[int, Bar]:
    """Return the exchange's minutes of today by when they opened."""
    exchange = one.desk.exchange
    name = next(found.instrument.id for found in exchange.market.listing.all if found.instrument.symbol == "MANJHA")
    return {bar.ts_open_ns: bar for bar in list(exchange.candles.today[name])}


def seen(one: Live) -> Seen:
    """Return what the trader's journal says of the market."""
    where = str(one.desk.home / "accounts" / ACCOUNT / "journal.db")
    journal = journal_to_read(where, ACCOUNT)
    settings = load_settings(dict(one.desk.variables))
    segments = market_segments(settings, where, AccountId(ACCOUNT))
    try:
        return market_of(journal, segments, recorded_runs(journal)[-1])
    finally:
        segments.close()
        journal.close()


def minutes(found: Seen) -> list[Bar]:
    """Return the minutes of today that the strategy's indicators saw."""
    columns = next(one for key, one in found.bars.items() if key[1] == MINUTE)
    today = columns.ts_open_ns[len(columns) - 1] // (24 * 60 * MINUTE_NS)
    bars = [columns.bar(at) for at in range(len(columns))]
    return [bar for bar in bars if bar.ts_open_ns // (24 * 60 * MINUTE_NS) == today]


def agree(one: Live, since_ns: int, until_ns: int) -> int:
    """See that nothing of today is missing, and that the minutes of a gap are the exchange's own; return how many."""
    mine = minutes(seen(one))
    theirs = candles(one)
    assert [bar.ts_open_ns for bar in mine] == [opened for opened in theirs if opened <= mine[-1].ts_open_ns]
    fetched = [bar for bar in mine if since_ns <= bar.ts_open_ns < until_ns]
    for bar in fetched:
        assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (
            theirs[bar.ts_open_ns].open,
            theirs[bar.ts_open_ns].high,
            theirs[bar.ts_open_ns].low,
            theirs[bar.ts_open_ns].close,
            theirs[bar.ts_open_ns].volume,
        )
    return len(fetched)


def replays(one: Live) -> None:
    assert one.desk("journal", "replay", "--account", ACCOUNT, "--json") == OK


@pytest.mark.timeout(400)
def test_a_trader_that_was_killed_has_the_bars_of_its_dead_time(live: Live) -> None:
    exchange = live.desk.exchange
    live.start()
    # It begins in mid-session: what the day had before is fetched.
    live.until("bars since the open", lambda: "bars came late" in live.erred)
    live.until("trades", lambda: len(live.trades) >= 2)
    live.end(signal.SIGKILL)
    died_ns = exchange.now_ns

    live.process = None
    _until_time(live, died_ns + 3 * MINUTE_NS)
    live.start()
    live.until("bars of the dead time", lambda: "bars came late" in live.erred)
    back_ns = exchange.now_ns
    seen_trades = len(live.trades)
    live.until("trades of the second life", lambda: len(live.trades) > seen_trades)
    assert live.desk("control", "status", "--account", ACCOUNT, "--json") == OK
    assert '"bars missing":0' in live.desk.said.replace(" ", "").replace("barsmissing", "bars missing")
    assert live.end(signal.SIGTERM) == 0
    assert live.report.bars_missing == 0
    assert live.report.bars_fetched >= 3
    assert agree(live, died_ns // MINUTE_NS * MINUTE_NS, back_ns // MINUTE_NS * MINUTE_NS) >= 3
    replays(live)


@pytest.mark.failure("F58", "F59")
@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", ["silent", "heartbeat"])
def test_a_stream_that_falls_silent_is_made_anew_and_its_bars_are_fetched(live: Live, fault: str) -> None:
    plan = {"streams": [{"what": fault, "seconds": 90}]}
    request = urllib.request.Request(  # noqa: S310 - an address of this machine
        f"{live.desk.variables['MANJHA_KITE_URL']}/simulation/faults",
        json.dumps(plan).encode(),
        {"content-type": "application/json"},
    )
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20).close()
    live.start()
    live.until("bars since the open", lambda: live.erred.count("bars came late") >= 1)
    live.until("bars of the silence", lambda: live.erred.count("bars came late") >= 2)
    seen_trades = len(live.trades)
    live.until("trades after it", lambda: len(live.trades) > seen_trades)
    assert live.end(signal.SIGTERM) == 0
    mine, theirs = minutes(seen(live)), candles(live)
    assert live.report.bars_fetched >= 2
    replays(live)
    missing = [
        opened for opened in theirs if opened <= mine[-1].ts_open_ns and opened not in {b.ts_open_ns for b in mine}
    ]
    assert not missing


def _until_time(one: Live, ts_ns: int) -> None:
    for _ in range(2_000):
        if one.desk.exchange.now_ns >= ts_ns:
            return
        threading.Event().wait(0.05)
    pytest.fail("the exchange's time stands")
