"""`manjha trade --live` in a process of its own against an exchange on a socket: killed, gone on with, reconciled."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from manjha.app.cli.errors import OK
from manjha.domain.events import MarginAnswered
from manjha.domain.money import RUPEE
from tests.fakes.exchanges import KEY
from tests.fakes.live_trader import Live, a_live_trader

pytestmark = pytest.mark.slow

CASH = 10_00_000 * RUPEE


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Live]:
    with a_live_trader(tmp_path, monkeypatch, capfd) as made:
        yield made


@pytest.mark.failure("F08")
@pytest.mark.timeout(400)
def test_a_session_killed_and_logged_out_in_the_middle_agrees_to_the_paisa(live: Live) -> None:
    live.start()
    live.until("a history", lambda: "bars read" in live.erred)
    # The store has no bar: what indicators begin with are the exchange's own candles.
    assert "ok      bars of the day before: there for every instrument" in live.erred
    live.until("a position", lambda: len(live.trades) >= 3 and live.held > 0)
    live.end(signal.SIGKILL)

    live.start()
    seen = len(live.trades)
    live.until("trades of the second life", lambda: len(live.trades) >= seen + 3)
    assert "taken up from" in live.erred

    exchange = live.desk.exchange
    exchange.sessions.end_all(exchange.now_ns)
    live.until("a person is called", lambda: "until a new login" in live.erred or "manjha login" in live.erred)
    assert live.desk("login") == OK
    seen = len(live.trades)
    live.until("trades after the new login", lambda: len(live.trades) >= seen + 2)

    assert live.desk("kill", "--level", "flatten", "--reason", "the test is over") == OK
    live.until("nothing is held", lambda: live.held == 0 and not live.has_open_orders)
    live.until("the trader has seen it", lambda: live.journaled() == live.trades)
    assert live.end(signal.SIGTERM) == 0

    report, trades = live.report, live.trades
    assert report.exchange.startswith("a simulated exchange at http://127.0.0.1:")
    assert report.fills == len(trades)
    # What was made and what it cost: the bot's money is the exchange's trades, to the last 1e-4 rupee.
    assert report.equity + report.charges == CASH - sum(side * qty * px for _, _, side, qty, px in trades)
    # Kite was asked what entries need, and its word is in the journal.
    assert live.told(MarginAnswered)
    # No order was sent twice, or is not known: those there are those of the journal. One may not have left in time.
    tags = [order.tag for order in exchange.book.orders.values()]
    assert len(set(tags)) == len(tags)
    assert set(tags) == live.sent_tags()
    assert KEY not in live.erred
    assert all(tags)
