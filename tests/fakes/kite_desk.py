"""A home beside an exchange that is served on a socket: commands as a person types them, and a browser that obeys."""

import contextlib
import os
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from manjha.adapters.secrets.sealed import new_key
from manjha.app.bootstrap import bar_store, instrument_book, market_rules
from manjha.app.cli import main
from manjha.app.settings import load_settings
from manjha.domain.moments import TradingDay, parse_day
from manjha.exchange.exchange import Exchange
from manjha.services.synthetic_market import seed_store
from tests.fakes.exchanges import APP, DAY, FREE_APP, KEY, SECRET, USERS, an_exchange, on_a_socket, replaced

ACCOUNT = USERS[0].user_id
LIMITS = {
    "INSTRUMENTS": "NSE:MANJHA", "ORDER_QTY_MAX": "1000", "ORDER_VALUE_MAX": "1000000", "OPEN_VALUE_MAX": "1000000",
    "INSTRUMENT_VALUE_MAX": "1000000", "GROSS_VALUE_MAX": "1000000", "NET_VALUE_MAX": "1000000",
    "DAY_LOSS_MAX": "100000", "ORDERS_DAY_MAX": "1000",
}  # fmt: skip
"""What real money must not be traded without."""


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, root: str, port: int) -> dict[str, str]:
    """Return the variables by which commands find the exchange in place of Kite."""
    return {
        "MANJHA_HOME": str(home), "MANJHA_KITE_URL": root, "MANJHA_KITE_STREAM_URL": root.replace("http", "ws", 1),
        "MANJHA_KITE_LOGIN_URL": f"{root}/connect/login", "MANJHA_KITE_REDIRECT_PORT": str(port),
        "MANJHA_KITE_API_KEY": KEY, "MANJHA_KITE_API_SECRET": SECRET, "MANJHA_SEAL_KEY": new_key(),
    }  # fmt: skip


def browse(address: str) -> bool:
    """Open an address as a browser does: follow where it leads, beside whoever asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    threading.Thread(target=lambda: opener.open(address, timeout=20).read(), daemon=True).start()
    return True


class Desk:
    """Commands, what they say, and the exchange behind them."""

    def __init__(self, exchange: Exchange, variables: dict[str, str], capture: pytest.CaptureFixture[str]) -> None:
        self.exchange, self.variables, self.capture = exchange, variables, capture
        self.said = self.erred = ""

    @property
    def home(self) -> Path:
        return Path(self.variables["MANJHA_HOME"])

    def __call__(self, *words: object) -> object:
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        self.said, self.erred = self.capture.readouterr()
        return stop.value.code

    def know(self) -> None:
        """Let the instruments be known, without any bars."""
        settings = load_settings({"MANJHA_HOME": str(self.home)})
        listed = [one.instrument for one in self.exchange.market.listing.all]
        instrument_book(settings).put(listed, TradingDay(parse_day(DAY) - 10))

    def seed(self) -> None:
        """Store the days before the exchange's first one."""
        settings = load_settings({"MANJHA_HOME": str(self.home)})
        first = parse_day(DAY)
        span = (TradingDay(first - 10), TradingDay(first - 1))
        seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), 7, span)


@contextlib.contextmanager
def a_desk(
    folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str], *, clock: str = "10:00",
    speed: float = 1.0,
) -> Iterator[Desk]:  # fmt: skip
    """Serve an exchange that lets its first user in without a form, and give a desk beside it."""
    port = free_port()
    apps = [*replaced(APP, redirect_url=f"http://127.0.0.1:{port}/"), FREE_APP]
    exchange = an_exchange(clock, apps=apps, auto_login=True)
    with on_a_socket(exchange, speed=speed, stands=False) as root:
        variables = environment(folder / "home", root, port)
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr("webbrowser.open", browse)
        yield Desk(exchange, variables, capture)


def with_limits(variables: dict[str, str]) -> dict[str, str]:
    """Return a process's environment in which every limit is set."""
    return os.environ | variables | {f"MANJHA_RISK_{name}": value for name, value in LIMITS.items()}
