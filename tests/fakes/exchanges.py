"""Small exchanges for tests: the synthetic market of one trading day, whose time a test moves."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from manjha.domain.moments import SECOND_NS, TradingDay, TsNs, at, parse_clock, parse_day
from manjha.exchange.accounts import App, Plan, User
from manjha.exchange.application import create_app
from manjha.exchange.clock import Time
from manjha.exchange.exchange import Exchange, Founding, found
from manjha.exchange.serving import served
from manjha.exchange.sessions import Session
from manjha.exchange.sources import BarDays, DaySource
from manjha.exchange.switches import switched
from manjha.market.calendar import trading_days
from manjha.simulator.synthetic import default_spec, exchange_sessions, generate
from tests.fakes.market_rules import shipped_rules

DAY = "2026-11-26"
KEY, SECRET = "key", "sec"
APP = App(api_key=KEY, api_secret=SECRET, redirect_url="http://127.0.0.1:1/landed?from=kite")
FREE_APP = App(api_key="free", api_secret=SECRET, plan=Plan.PERSONAL, number=2)
USERS = (User(user_id="AB1234", name="Asha Bose"), User(user_id="CD5678"))


@cache
def synthetic(day: str = DAY, days: int = 3) -> tuple[DaySource, tuple[TradingDay, ...]]:
    rules, first = shipped_rules(), parse_day(day)
    listed = trading_days(rules, first, rules.last)[:days]
    spec = default_spec(7, TradingDay(first - 10), listed[-1])
    bars = generate(spec, exchange_sessions(rules, spec))
    return BarDays(tuple(item.instrument for item in spec.instruments), bars, 7, 20), listed


def an_exchange(
    clock: str = "10:00",
    *,
    day: str = DAY,
    rules: Mapping[str, str] | None = None,
    source: DaySource | None = None,
    **changes: Any,
) -> Exchange:
    """Found an exchange and bring it to a time of its first day."""
    made, days = synthetic(day)
    founding = Founding(
        shipped_rules(), source or made, days, [APP, FREE_APP], USERS, 7, switched(rules or {}), limits=False
    )._replace(**changes)
    return found(founding, at(days[0], parse_clock(clock)))


def session_of(exchange: Exchange, user: str = "AB1234", key: str = KEY) -> Session:
    """Log a user in, past the wire."""
    import hashlib

    token = exchange.sessions.log_in(key, user, exchange.now_ns)
    checksum = hashlib.sha256(f"{key}{token}{SECRET}".encode()).hexdigest()
    form = {"api_key": key, "request_token": token, "checksum": checksum}
    answer = exchange.sessions.exchange(form, exchange.now_ns)
    return exchange.sessions.live[str(answer["access_token"])]


def form(**changes: object) -> dict[str, str]:
    """Return the form of a limit order to buy 10 MANJHA far below the market, with some fields changed."""
    usual: dict[str, object] = {
        "exchange": "NSE", "tradingsymbol": "MANJHA", "transaction_type": "BUY", "quantity": 10, "product": "CNC",
        "order_type": "LIMIT", "price": 0, "validity": "DAY",
    }  # fmt: skip
    return {name: str(value) for name, value in {**usual, **changes}.items() if value is not None}


def run(exchange: Exchange, seconds: float) -> None:
    """Let time pass."""
    exchange.advance(TsNs(exchange.now_ns + round(seconds * SECOND_NS)))


def statuses(exchange: Exchange, order_id: str) -> list[str]:
    """Return what an order has been, in order."""
    return [row["status"] for row in exchange.book.orders[order_id].history]


@contextlib.contextmanager
def on_a_socket(exchange: Exchange, *, speed: float = 0, stands: bool = True) -> Iterator[str]:
    """Serve an exchange; its time stands unless a client lets it pass, or a speed is given."""
    import time

    with served(create_app(exchange, Time(exchange, time.monotonic_ns, exchange.now_ns, speed, stands=stands))) as root:
        yield root


def replaced(app: App, **changes: Any) -> Sequence[App]:
    """Return an app changed, as the only one."""
    return [msgspec.structs.replace(app, **changes)]
