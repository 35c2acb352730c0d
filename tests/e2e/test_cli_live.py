"""`manjha trade --live` in a process of its own against an exchange on a socket: killed, gone on with, reconciled."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from manjha.app.bootstrap import journal_to_read
from manjha.app.cli.errors import OK
from manjha.app.trading.watcher import Report
from manjha.domain.broker import Turned, Unsent
from manjha.domain.commands import Approved, SubmitOrder
from manjha.domain.events import BrokerRead, MarginAnswered, SendVetoed, SubmitAnswered
from manjha.domain.journal import Row
from manjha.domain.money import RUPEE
from manjha.engine.journaling import value_of
from tests.fakes.exchanges import KEY
from tests.fakes.kite_desk import ACCOUNT, Desk, a_desk, with_limits

pytestmark = pytest.mark.slow

STRATEGY = '''
from manjha import Strategy

class Restless(Strategy):
    """In with a stop behind on one bar, out on the next."""

    def on_bar(self, ctx):
        if ctx.position:
            ctx.close_position()
        else:
            ctx.buy(10, stop=ctx.close[-1] * 0.98)
'''
CALL = "from manjha.app.cli import main; main()"
ANSWERS = ("Approved.SubmitOrder", SendVetoed.__name__, SubmitAnswered.__name__)
SPEED = 20.0
CASH = 10_00_000 * RUPEE
PATIENT = {"MANJHA_RISK_PRICE_AGE_S": "60", "MANJHA_RISK_ENTRIES_MAX": "1000", "OMP_NUM_THREADS": "1"}
"""A minute of the exchange's time is three seconds here, and a busy machine is late now and then."""


class Live:
    """The trader's process, and the exchange that it trades at."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder = desk, folder
        self.process: subprocess.Popen[bytes] | None = None
        self.lives = 0

    def start(self) -> None:
        words = (
            *(
                "trade",
                "--live",
                "--account",
                ACCOUNT,
                "--yes-account",
                ACCOUNT,
                "-s",
                str(self.folder / "restless.py"),
            ),
            *("--instrument", "NSE:MANJHA", "-i", "1m", "--product", "MIS", "--json"),
        )
        self.lives += 1
        out, err = (self.folder / f"{name}{self.lives}" for name in ("out", "err"))
        with out.open("wb") as said, err.open("wb") as erred:
            self.process = subprocess.Popen(
                [sys.executable, "-c", CALL, *words], stdout=said, stderr=erred,
                env=with_limits(self.desk.variables) | PATIENT,
            )  # fmt: skip

    def until(self, what: str, so: Callable[[], bool], seconds: float = 90.0) -> None:
        """Wait until something is so at the exchange; end the test where it does not come."""
        assert self.process is not None
        for _ in range(round(seconds / 0.05)):
            if so():
                return
            if self.process.poll() is not None:
                break
            threading.Event().wait(0.05)
        pytest.fail(f"{what}: it did not come; the trader said:\n{self.erred}")

    def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    @property
    def erred(self) -> str:
        return (self.folder / f"err{self.lives}").read_text(encoding="utf-8")

    @property
    def report(self) -> Report:
        return msgspec.json.decode((self.folder / f"out{self.lives}").read_bytes(), type=Report)

    # ---- the exchange's book

    @property
    def trades(self) -> list[tuple[str, str, int, int, int]]:
        """Each trade of the exchange: its number, its order's, side, quantity, price."""
        book = self.desk.exchange.book
        return sorted(
            (trade.trade_id, number, int(book.orders[number].side), trade.qty, trade.px)
            for number, trades in list(book.trades.items())
            for trade in list(trades)
        )

    @property
    def held(self) -> int:
        return sum(side * qty for _, _, side, qty, _ in self.trades)

    @property
    def has_open_orders(self) -> bool:
        return any(not order.is_final for order in list(self.desk.exchange.book.orders.values()))

    # ---- the bot's books

    def told(self, kind: type) -> list[Row]:
        """Rows of a kind in the journal."""
        journal = journal_to_read(str(self.desk.home / "accounts" / ACCOUNT / "journal.db"), ACCOUNT)
        try:
            return list(journal.of_kind(kind.__name__))
        finally:
            journal.close()

    def journaled(self) -> list[tuple[str, str, int, int, int]]:
        """Each trade of the journal, once."""
        found: dict[str, tuple[str, str, int, int, int]] = {}
        for read in self._entries():
            for one in read.trades if isinstance(read, BrokerRead) else ():
                number = one.id.split("-")[1]
                found[one.id] = (number, one.broker_id, int(one.side), one.qty, one.px)
        return sorted(found.values())

    def sent_tags(self) -> set[str]:
        """The tags of the journal's orders, but of those that it says did not leave, or were not taken."""
        tags: dict[str, str] = {}
        for one in self._entries():
            match one:
                case Approved(command=SubmitOrder(order=order, tag=tag)):
                    tags[order.id] = tag
                case (
                    SendVetoed(order_id=number, is_order=True)
                    | SubmitAnswered(order_id=number, outcome=Unsent() | Turned())
                ):
                    tags.pop(number)
        return set(tags.values())

    def _entries(self) -> Iterator[object]:
        journal = journal_to_read(str(self.desk.home / "accounts" / ACCOUNT / "journal.db"), ACCOUNT)
        try:
            for row in journal.rows():
                if row.entry.kind in (BrokerRead.__name__, *ANSWERS):
                    yield value_of(row.entry)
        finally:
            journal.close()


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Live]:
    (tmp_path / "restless.py").write_text(STRATEGY, encoding="utf-8")
    with a_desk(tmp_path, monkeypatch, capfd, speed=SPEED) as desk:
        desk.know()
        assert desk("login") == OK
        made = Live(desk, tmp_path)
        try:
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.process.kill()
                made.process.wait()


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
