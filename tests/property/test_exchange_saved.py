"""A restored exchange goes on as the saved one would have: run, save, restore, run on = run on."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.errors import DataError
from manjha.domain.money import RUPEE, Cash
from manjha.exchange.errors import KiteError
from manjha.exchange.exchange import Exchange
from manjha.exchange.saved import restore, saved
from manjha.exchange.trouble.faults import read_plan
from manjha.exchange.trouble.manual import Habits
from manjha.exchange.trouble.rms import RmsState
from tests.fakes.exchanges import an_exchange, form, run, session_of

pytestmark = pytest.mark.slow
NAMES = ("MANJHA", "PATANG", "DORI")
CLOCKS = ("08:00", "09:10", "10:00", "15:10", "18:00")


def price(exchange: Exchange, name: str, draw: random.Random) -> float:
    listed = exchange.market.listing.by_key[f"NSE:{name}"]
    standing = exchange.market.standings[listed.id]
    tick = listed.instrument.tick
    return (standing.last or standing.close) * (1_000 + draw.randint(-8, 8)) // 1_000 // tick * tick / 10_000


def place(exchange: Exchange, draw: random.Random) -> None:
    name = draw.choice([one for one in NAMES if f"NSE:{one}" in exchange.market.listing.by_key])
    side, user = draw.choice(("BUY", "SELL")), draw.choice(("AB1234", "CD5678"))
    fields: dict[str, Any] = {
        "tradingsymbol": name, "transaction_type": side, "quantity": draw.randint(1, 5_000),
        "product": draw.choice(("CNC", "MIS")), "price": price(exchange, name, draw),
        "validity": draw.choice(("DAY", "DAY", "IOC", "TTL")), "validity_ttl": 2, "tag": draw.choice(("", "t1")),
    }  # fmt: skip
    variety = draw.choice(("regular", "regular", "iceberg", "co", "amo"))
    kind = draw.choice(("LIMIT", "MARKET", "SL"))
    if kind == "MARKET":
        fields |= {"order_type": "MARKET", "price": None, "market_protection": -1}
    elif kind == "SL":
        trigger = price(exchange, name, draw)
        fields |= {"order_type": "SL", "trigger_price": trigger, "price": trigger}
    if variety == "iceberg":
        fields |= {"iceberg_legs": 5, "validity": "DAY"}
    if variety == "co":
        fields |= {"product": "MIS", "trigger_price": price(exchange, name, draw)}
    exchange.desk.place(variety, form(**fields), live(exchange, user), exchange.now_ns)


def change(exchange: Exchange, draw: random.Random) -> None:
    order = draw.choice(list(exchange.book.orders.values()))
    session = live(exchange, order.user_id)
    if draw.random() < 0.5:
        exchange.desk.cancel(order.variety, order.order_id, "", session, exchange.now_ns)
    else:
        new = {"price": str(price(exchange, order.listed.symbol, draw)), "quantity": str(draw.randint(1, 5_000))}
        exchange.desk.modify(order.variety, order.order_id, new, session, exchange.now_ns)


def plan(exchange: Exchange, draw: random.Random) -> None:
    key = f"NSE:{draw.choice(NAMES)}"
    raw: dict[str, Any] = draw.choice(
        [
            {"requests": [{"what": "reset", "chance": 0.3, "times": 0}]},
            {"moments": [{"what": "freeze", "instrument": key}]},
            {"moments": [{"what": "link-down"}]},
            {"moments": [{"what": "swap-tokens", "instrument": "NSE:MANJHA", "to": "NSE:PATANG"}]},
            {"moments": [{"what": "expire-tokens"}]},
        ]
    )
    exchange.mishaps.arm(read_plan(raw), exchange.now_ns)


def live(exchange: Exchange, user: str) -> Any:
    return next((one for one in exchange.sessions.live.values() if one.user_id == user), None) or session_of(
        exchange, user
    )


def step(exchange: Exchange, seed: int) -> None:
    draw = random.Random(seed)
    what = draw.random()
    try:
        if what < 0.55:
            place(exchange, draw)
        elif what < 0.75 and exchange.book.orders:
            change(exchange, draw)
        elif what < 0.8:
            plan(exchange, draw)
        elif what < 0.82:
            exchange.mishaps.disarm(exchange.now_ns)
        exchange.mishaps.strikes("GET", "/orders", "")
    except (KiteError, DataError):
        pass
    run(exchange, draw.choice((0, 0.004, 0.5, 3, 20, 400)) if what < 0.97 else 9 * 3_600)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), before=st.integers(0, 25), after=st.integers(1, 15), clock=st.sampled_from(CLOCKS))
def test_run_save_restore_run_on_is_run_on(seed: int, before: int, after: int, clock: str) -> None:
    first = an_exchange(clock)
    if seed % 2:
        first.manual.begin(Habits("AB1234", seed, 30.0), first.now_ns)
        first.rms.settings = RmsState(squares_off=True, margin=Cash(500_000 * RUPEE))
    for number in range(before):
        step(first, seed + number)
    body = saved(first)
    second = an_exchange("00:01")
    restore(second, body)
    assert saved(second) == body
    heard: list[list[object]] = [[], []]
    for exchange, events in zip((first, second), heard, strict=True):
        exchange.hearers.add(events.append)
        for number in range(after):
            step(exchange, seed + before + number)
        run(exchange, 60)
    assert heard[0] == heard[1]
    assert saved(first) == saved(second)
