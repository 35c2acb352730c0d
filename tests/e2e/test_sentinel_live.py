"""`manjha sentinel` beside `manjha trade --live` at an exchange on a socket: a trader that stops, a trade unknown."""

import signal
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from manjha.app.cli.errors import OK
from manjha.app.settings import Settings
from manjha.app.trading.account_parts import vitals
from manjha.domain.moments import SECOND_NS
from tests.fakes.exchanges import FREE_APP, session_of
from tests.fakes.kite_desk import ACCOUNT, a_desk, with_limits
from tests.fakes.live_trader import CALL, SPEED, STRATEGY, Live

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

IDLE = '''
from manjha import Strategy

class Idle(Strategy):
    """Looks on."""

    def on_bar(self, ctx):
        pass
'''
SILENT_S, LOOK_S = 4, 2
"""How patient it is here: tens of times what a loop takes for a beat and a read."""
IMPATIENT = f"""
from manjha.services import watching
watching.SILENT_NS, watching.LOOK_NS = {SILENT_S}_000_000_000, {LOOK_S}_000_000_000
"""


class Watched:
    """A trader and its sentinel, each a process; and a person who orders by hand."""

    def __init__(self, live: Live) -> None:
        self.live, self.sentinel = live, None
        self._hand = ""
        self.process: subprocess.Popen[bytes] | None = None

    def watch(self) -> None:
        words = [sys.executable, "-c", IMPATIENT + CALL, "sentinel", "--account", ACCOUNT]
        with self.file.open("wb") as told:
            self.process = subprocess.Popen(words, stderr=told, env=with_limits(self.live.desk.variables))

    @property
    def file(self) -> Path:
        return self.live.folder / "sentinel"

    @property
    def told(self) -> str:
        return self.file.read_text(encoding="utf-8")

    @property
    def thrown(self) -> list[tuple[str, str]]:
        """Level and reason of each line of the kill switch."""
        file = self.live.desk.home / "kill.json"
        if not file.exists():
            return []
        lines = msgspec.json.decode(file.read_bytes(), type=dict[str, list[dict[str, str | int]]])["switches"]
        return [(str(one["level"]), str(one["reason"])) for one in lines if one["who"] == "sentinel"]

    def until(self, what: str, so: Callable[[], bool], seconds: float = 90.0) -> None:
        for _ in range(round(seconds / 0.05)):
            if so():
                return
            threading.Event().wait(0.05)
        pytest.fail(f"{what}: it did not come; the sentinel said:\n{self.told}\nthe trader said:\n{self.live.erred}")

    def pass_looks(self, looks: int) -> None:
        """Wait until the exchange's time has come so many looks further."""
        exchange = self.live.desk.exchange
        until_ns = exchange.now_ns + round(looks * LOOK_S * SPEED) * SECOND_NS
        self.until("time passes", lambda: exchange.now_ns >= until_ns)

    def by_hand(self, **fields: object) -> str:
        """Order through another app of the same user, without a tag; return the order's number."""
        if not self._hand:
            self._hand = session_of(self.live.desk.exchange, ACCOUNT, FREE_APP.api_key).access_token
        usual = {"exchange": "NSE", "transaction_type": "BUY", "product": "MIS", "validity": "DAY", "quantity": 5}
        body = urllib.parse.urlencode(usual | fields).encode()
        address = f"{self.live.desk.variables['MANJHA_KITE_URL']}/orders/regular"
        headers = {"X-Kite-Version": "3", "Authorization": f"token {FREE_APP.api_key}:{self._hand}"}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        asked = urllib.request.Request(address, body, headers)  # noqa: S310 - the exchange of this test
        with opener.open(asked, timeout=20) as answer:
            return str(msgspec.json.decode(answer.read())["data"]["order_id"])

    def market(self, symbol: str) -> str:
        """Buy five at the market by hand."""
        return self.by_hand(tradingsymbol=symbol, order_type="MARKET", market_protection=-1)

    def resting(self, symbol: str) -> str:
        """Order far below the market by hand."""
        market = self.live.desk.exchange.market
        listed = next(one for one in market.listing.all if one.symbol == symbol)
        price = market.standings[listed.id].last * 95 // 100 // 1000 * 1000 / 10_000
        return self.by_hand(tradingsymbol=symbol, order_type="LIMIT", price=price)

    @property
    def open_orders(self) -> list[str]:
        """Numbers of the orders at the exchange that may still trade."""
        return [number for number, one in list(self.live.desk.exchange.book.orders.items()) if not one.is_final]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Watched]:
    with a_desk(tmp_path, monkeypatch, capfd, speed=SPEED) as desk:
        desk.know()
        made = Watched(Live(desk, tmp_path))
        try:
            yield made
        finally:
            for process in (made.live.process, made.process):
                if process is not None and process.poll() is None:
                    process.kill()
                    process.wait()


def trades(watched: Watched, strategy: str) -> None:
    """Log in and let a trader begin that is watched; the sentinel has been there before it."""
    (watched.live.folder / "restless.py").write_text(strategy, encoding="utf-8")
    watched.watch()
    watched.until("it watches", lambda: "nothing is compared or cancelled" in watched.told)
    assert "warning: nobody is logged in at Kite: run `manjha login`" in watched.told
    assert watched.live.desk("login") == OK
    watched.live.start()


@pytest.mark.failure("F51")
@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_what_a_trader_that_goes_silent_left_open_is_cancelled_at_the_exchange(
    watched: Watched, how: signal.Signals
) -> None:
    trades(watched, STRATEGY)
    live = watched.live
    live.until("a position and its stop", lambda: live.held > 0 and live.has_open_orders)
    theirs = watched.resting("PATANG")
    assert live.process is not None
    live.process.send_signal(how)
    watched.until("the orders are gone", lambda: watched.open_orders == [theirs])
    assert ("cancel-all", "sentinel: the trader's loop stands still while it has open risk") in watched.thrown
    watched.until("a person is called", lambda: "open orders of ours, asked to cancel" in watched.told)
    assert live.held > 0


@pytest.mark.failure("F73")
def test_what_the_trader_knows_is_no_difference_and_a_trade_that_it_does_not_know_stops_opening(
    watched: Watched,
) -> None:
    trades(watched, IDLE)
    live, desk = watched.live, watched.live.desk
    seen = vitals(Settings(home=desk.home), ACCOUNT)
    watched.until("it beats", lambda: bool((beat := seen.heartbeat()) and beat.reconciled_ns))

    # A person trades beside it, also what it does not trade: it knows of both, and so do its books.
    known = {watched.market("MANJHA"), watched.market("PATANG")}
    watched.until("it has seen both", lambda: bool((copy := seen.ledger()) and known <= copy.filled.keys()))
    watched.pass_looks(4)
    assert watched.thrown == []

    # Without a login nothing is seen, which says nothing of the account.
    desk.exchange.sessions.end_all(desk.exchange.now_ns)
    watched.until("it says that it cannot compare", lambda: "cannot be compared: Kite refuses" in watched.told)
    watched.pass_looks(3)
    assert watched.told.count("cannot be compared") == 1
    assert desk("login") == OK
    watched.until("it trusts its books again", lambda: bool((beat := seen.heartbeat()) and beat.reconciled_ns))
    watched.pass_looks(3)
    assert watched.thrown == []

    assert live.process is not None
    live.process.send_signal(signal.SIGSTOP)
    watched._hand = ""
    number = watched.market("PATANG")
    watched.until("the switch is thrown", lambda: bool(watched.thrown))
    (level, reason), *more = watched.thrown
    assert (level, more) == ("no-new", [])
    assert f"order {number}: the broker traded 5, the trader booked 0" in reason
    assert "NSE:PATANG MIS: the broker shows 10, the trader 5" in reason
    assert watched.process is not None
    watched.process.send_signal(signal.SIGTERM)
    assert watched.process.wait(20) == 0
