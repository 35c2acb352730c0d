"""Small exchanges for tests: the synthetic market of one trading day, whose time a test moves."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import pytest

from manjha.domain.moments import SECOND_NS, TradingDay, TsNs, at, parse_clock, parse_day
from manjha.domain.money import RUPEE, Cash, format_px
from manjha.exchange.accounts.sessions import Session
from manjha.exchange.accounts.users import App, Owned, Plan, User
from manjha.exchange.application import create_app
from manjha.exchange.clock import Time
from manjha.exchange.errors import KiteError
from manjha.exchange.exchange import Exchange, Founding, found
from manjha.exchange.market.listing import Listed
from manjha.exchange.market.sources import BarDays, DaySource
from manjha.exchange.orders.order import OrderState
from manjha.exchange.serving import served
from manjha.exchange.switches import switched
from manjha.market.calendar import trading_days
from manjha.simulator.synthetic import default_spec, exchange_sessions, generate
from tests.fakes.market_rules import shipped_rules

DAY = "2026-11-26"
KEY, SECRET = "key", "sec"
APP = App(api_key=KEY, api_secret=SECRET, redirect_url="http://127.0.0.1:1/landed?from=kite")
FREE_APP = App(api_key="free", api_secret=SECRET, plan=Plan.PERSONAL, number=2)
RICH = Cash(1_000_00_00_000 * RUPEE)
USERS = (User(user_id="AB1234", name="Asha Bose", cash=RICH), User(user_id="CD5678", cash=RICH))
"""They can pay for anything, and by the usual rules sell what they do not have."""
OWNED = (Owned("NSE", "PATANG", 100, 2_000 * RUPEE), Owned("NSE", "MANJHA", 40, 1_400 * RUPEE))
OWNERS = tuple(msgspec.structs.replace(user, holdings=OWNED) for user in USERS)


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
        shipped_rules(),
        source or made,
        days,
        [APP, FREE_APP],
        USERS,
        7,
        switched({"holdings": "off", **(rules or {})}),
        limits=False,
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


class Trader:
    """A client of an exchange, past the wire. Prices are so many ticks of 0.05 from the last one of a share."""

    def __init__(self, exchange: Exchange, user: str = "AB1234", symbol: str = "MANJHA") -> None:
        self.exchange = exchange
        self.symbol = symbol
        self.session = session_of(exchange, user)

    @property
    def listed(self) -> Listed:
        market = self.exchange.market.listing
        return next(one for one in market.all if one.symbol == self.symbol)

    @property
    def last(self) -> int:
        """The last price, in 1e-4 rupee."""
        return self.exchange.market.standings[self.listed.id].last

    def price(self, ticks: int) -> str:
        """Return a price on the tick, in rupees."""
        tick = self.listed.instrument.tick
        return format_px(self.last // tick * tick + ticks * tick)

    def asked(self, fields: dict[str, Any]) -> dict[str, str]:
        """Return the form of an order in the trader's instrument."""
        return form(**{"tradingsymbol": self.symbol, "exchange": self.listed.exchange, **fields})

    def place(self, variety: str = "regular", **fields: Any) -> str:
        """Place an order; return its id."""
        return str(self.sliced(variety, **fields)["order_id"])

    def sliced(self, variety: str = "regular", **fields: Any) -> Any:
        """Place an order; return all of the answer."""
        return self.exchange.desk.place(variety, self.asked(fields), self.session, self.exchange.now_ns)

    def modify(self, order_id: str, variety: str = "regular", **fields: Any) -> None:
        told = {name: str(value) for name, value in fields.items()}
        self.exchange.desk.modify(variety, order_id, told, self.session, self.exchange.now_ns)

    def cancel(self, order_id: str, variety: str = "regular", parent: str = "") -> None:
        self.exchange.desk.cancel(variety, order_id, parent, self.session, self.exchange.now_ns)

    def order(self, order_id: str) -> OrderState:
        return self.exchange.book.orders[order_id]

    def was(self, order_id: str) -> list[str]:
        """Return what an order has been, in order."""
        return statuses(self.exchange, order_id)

    def refusal(self, variety: str = "regular", **fields: Any) -> KiteError:
        """Place an order that is refused at once; return the error."""
        with pytest.raises(KiteError) as error:
            self.place(variety, **fields)
        return error.value


@contextlib.contextmanager
def on_a_socket(exchange: Exchange, *, speed: float = 0, stands: bool = True) -> Iterator[str]:
    """Serve an exchange; its time stands unless a client lets it pass, or a speed is given."""
    import time

    with served(create_app(exchange, Time(exchange, time.monotonic_ns, exchange.now_ns, speed, stands=stands))) as root:
        yield root


def replaced(app: App, **changes: Any) -> Sequence[App]:
    """Return an app changed, as the only one."""
    return [msgspec.structs.replace(app, **changes)]
