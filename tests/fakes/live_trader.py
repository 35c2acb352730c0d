"""`manjha trade --live` in a process of its own at an exchange on a socket: started, watched, ended, its books read."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from manjha.app.bootstrap import journal_to_read
from manjha.app.cli.errors import OK
from manjha.app.trading.watcher import Report
from manjha.domain.broker import Turned, Unsent
from manjha.domain.commands import Approved, SubmitOrder
from manjha.domain.events import BrokerRead, SendVetoed, SubmitAnswered
from manjha.domain.journal import Row
from manjha.engine.journaling import value_of
from tests.fakes.kite_desk import ACCOUNT, Desk, a_desk, with_limits

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
            "trade", "--live", "--account", ACCOUNT, "--yes-account", ACCOUNT, "-s", str(self.folder / "restless.py"),
            "--instrument", "NSE:MANJHA", "-i", "1m", "--product", "MIS", "--json",
        )  # fmt: skip
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


@contextmanager
def a_live_trader(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], speed: float = SPEED
) -> Iterator[Live]:
    """Give a trader of the restless strategy whose account is logged in; it is not started yet."""
    (folder / "restless.py").write_text(STRATEGY, encoding="utf-8")
    with a_desk(folder, monkeypatch, capfd, speed=speed) as desk:
        desk.know()
        assert desk("login") == OK
        made = Live(desk, folder)
        try:
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.process.kill()
                made.process.wait()
