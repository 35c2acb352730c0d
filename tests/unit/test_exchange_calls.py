"""Calls to the exchange past its sockets: sessions first, plans, addresses, limits, the dump of instruments."""

import csv
import io
from typing import Any

import pytest

from manjha.domain.instrument import Asset, Exchange, Instrument, Kind, index_id
from manjha.domain.moments import SECOND_NS
from manjha.domain.money import Px
from manjha.exchange.accounts.limits import RateClass, RateLimits
from manjha.exchange.calls import Call, Route, answered
from manjha.exchange.errors import KiteError
from manjha.exchange.exchange import Exchange as Place
from manjha.exchange.market.listing import Listing
from manjha.exchange.routes.table import ROUTES
from tests.fakes.exchanges import APP, KEY, an_exchange, form, replaced, session_of


def route(method: str, path: str) -> Route:
    return next(one for one in ROUTES if (one.method, one.path) == (method, path))


def ask(exchange: Place, method: str, place: str, user: str = "AB1234", **fields: Any) -> Any:
    """Call as a user of the usual app, from this machine."""
    live = next((one for one in exchange.sessions.live.values() if one.user_id == user), None) or session_of(
        exchange, user
    )
    usual = {"method": method, "authorization": f"token {KEY}:{live.access_token}", "address": "127.0.0.1"}
    return answered(exchange, route(method, place), Call(**{**usual, **fields}))


def refused(exchange: Place, method: str, place: str, **fields: Any) -> KiteError:
    with pytest.raises(KiteError) as error:
        ask(exchange, method, place, **fields)
    return error.value


def test_session_is_asked_before_anything_else() -> None:
    error = refused(an_exchange(), "POST", "/orders/{variety}", authorization="token key:nothing", address="9.9.9.9")
    assert (error.kind, error.code, error.message) == (
        "TokenException", 403, "Incorrect `api_key` or `access_token`.",
    )  # fmt: skip


def test_orders_come_from_registered_addresses_only() -> None:
    exchange = an_exchange()
    fields: dict[str, Any] = {"path": {"variety": "regular"}, "form": form(price="1500")}
    error = refused(exchange, "POST", "/orders/{variety}", address="10.1.2.3", **fields)
    assert (error.kind, error.code) == ("PermissionException", 403)
    assert error.message == "IP (10.1.2.3) is not allowed to place orders for this app."
    assert ask(exchange, "GET", "/orders", address="10.1.2.3") == []
    bare = an_exchange(apps=replaced(APP, addresses=()))
    assert refused(bare, "POST", "/orders/{variety}", **fields).message.startswith("No IPs configured for this app.")
    free = an_exchange(rules={"static-ip": "off"})
    assert ask(free, "POST", "/orders/{variety}", address="10.1.2.3", **fields)["order_id"]


def test_free_plan_has_no_market_data() -> None:
    from manjha.exchange.accounts.users import Plan

    exchange = an_exchange(apps=replaced(APP, plan=Plan.PERSONAL))
    data = Route("GET", "/quote", lambda exchange, call: {}, RateClass.QUOTE, plan=Plan.CONNECT)
    session = session_of(exchange)
    call = Call(method="GET", authorization=f"token {KEY}:{session.access_token}")
    with pytest.raises(KiteError) as error:
        answered(exchange, data, call)
    assert (error.value.kind, error.value.code, error.value.message) == (
        "PermissionException", 403, "Insufficient permission for that call.",
    )  # fmt: skip


def test_variety_in_capitals_is_sent_to_small_letters() -> None:
    exchange = an_exchange()
    path = {"variety": "REGULAR", "order_id": "1"}
    moved = ask(exchange, "DELETE", "/orders/{variety}/{order_id}", path=path)
    assert (moved.code, moved.headers["location"]) == (307, "/orders/regular/1")
    assert "Invalid `variety`" in refused(exchange, "POST", "/orders/{variety}", path={"variety": "BO"}).message


def test_every_path_of_an_order_id_that_nobody_has() -> None:
    exchange = an_exchange()
    path = {"variety": "regular", "order_id": "12"}
    for method, place in (
        ("GET", "/orders/{order_id}"), ("GET", "/orders/{order_id}/trades"),
        ("PUT", "/orders/{variety}/{order_id}"), ("DELETE", "/orders/{variety}/{order_id}"),
    ):  # fmt: skip
        error = refused(exchange, method, place, path=path)
        assert (error.kind, error.code, error.message) == ("GeneralException", 400, "Couldn't find that `order_id`.")


def test_no_two_routes_answer_the_same_call() -> None:
    seen = [(one.method, one.path) for one in ROUTES]
    assert len(seen) == len(set(seen))


def taken(limits: RateLimits, kind: RateClass, mono_ns: int, user: str = "u", key: str = "k") -> bool:
    try:
        limits.take(kind, key, user, mono_ns)
    except KiteError:
        return False
    return True


def test_one_too_many_is_told_so() -> None:
    limits = RateLimits()
    limits.take(RateClass.QUOTE, "k", "u", 0)
    with pytest.raises(KiteError) as error:
        limits.take(RateClass.QUOTE, "k", "u", 0)
    told = (error.value.kind, error.value.code, error.value.message)
    assert told == ("NetworkException", 429, "Too many requests")


@pytest.mark.parametrize(("kind", "each"), [("quote", 1), ("historical", 3), ("order", 10), ("other", 10)])
def test_calls_of_a_second_are_limited(kind: str, each: int) -> None:
    limits = RateLimits()
    assert [taken(limits, RateClass(kind), 5) for _ in range(each + 1)] == [True] * each + [False]
    assert not taken(limits, RateClass(kind), SECOND_NS + 4)
    assert taken(limits, RateClass(kind), SECOND_NS + 5)


def test_orders_are_limited_by_account_and_other_calls_by_key() -> None:
    limits = RateLimits()
    assert all(taken(limits, RateClass.ORDER, 0, "u", f"k{number}") for number in range(10))
    assert not taken(limits, RateClass.ORDER, 0, "u", "another")
    assert taken(limits, RateClass.ORDER, 0, "v", "k1")
    assert all(taken(limits, RateClass.OTHER, 0, f"u{number}", "k") for number in range(10))
    assert not taken(limits, RateClass.OTHER, 0, "another", "k")


def test_four_hundred_orders_a_minute() -> None:
    limits = RateLimits()
    moments = [number * SECOND_NS // 9 for number in range(450)]
    answers = [taken(limits, RateClass.ORDER, moment) for moment in moments]
    assert answers == [True] * 400 + [False] * 50
    assert taken(limits, RateClass.ORDER, 60 * SECOND_NS)


def test_limits_switched_off_let_everything_pass() -> None:
    limits = RateLimits(on=False)
    assert all(taken(limits, RateClass.QUOTE, 0) for _ in range(100))


def test_limited_call_does_nothing() -> None:
    exchange = an_exchange(limits=True)
    fields: dict[str, Any] = {"path": {"variety": "regular"}, "form": form(price="1500")}
    for _ in range(10):
        ask(exchange, "POST", "/orders/{variety}", **fields)
    assert refused(exchange, "POST", "/orders/{variety}", **fields).code == 429
    assert len(exchange.book.orders) == 10


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_dump_is_what_the_fact_sheet_says() -> None:
    exchange = an_exchange()
    answer = ask(exchange, "GET", "/instruments")
    text = answer.body.decode()
    assert answer.content_type == "text/csv"
    assert text.count("\r\n") == text.count("\n") == len(exchange.market.listing.all) + 1
    for row in rows_of(text):
        assert int(row["instrument_token"]) // 256 == int(row["exchange_token"])
        assert int(row["instrument_token"]) < 2**31
        assert all(row[name] for name in ("last_price", "strike", "tick_size", "lot_size"))
    share, future, index = (
        next(row for row in rows_of(text) if row["tradingsymbol"] == name)
        for name in ("MANJHA", "SYNTH5026DECFUT", "SYNTH 50")
    )
    assert (share["segment"], share["instrument_type"], int(share["instrument_token"]) & 0xFF) == ("NSE", "EQ", 1)
    assert (future["segment"], future["instrument_type"], future["expiry"]) == ("NFO-FUT", "FUT", "2026-12-29")
    assert (future["lot_size"], future["name"], int(future["instrument_token"]) & 0xFF) == ("50", "SYNTH50", 2)
    assert (index["segment"], index["exchange"], int(index["instrument_token"]) & 0xFF) == ("INDICES", "NSE", 9)


def test_dump_of_one_exchange_has_only_its_rows() -> None:
    rows = rows_of(ask(an_exchange(), "GET", "/instruments/{exchange}", path={"exchange": "NFO"}).body.decode())
    assert {row["exchange"] for row in rows} == {"NFO"}


def test_known_indices_have_the_tokens_that_people_know() -> None:
    names = {"NIFTY 50": 256_265, "NIFTY BANK": 260_105}
    made = Listing(
        Instrument(
            id=index_id("NSE", name), symbol=name, exchange=Exchange.NSE, kind=Kind.INDEX, asset=Asset.INDEX, tick=Px(5)
        )
        for name in names
    )
    assert {one.symbol: one.token for one in made.all} == names


def test_tokens_do_not_depend_on_the_run() -> None:
    first, second = ({one.id: one.token for one in an_exchange(seed=seed).market.listing.all} for seed in (1, 2))
    assert first == second
    assert len(set(first.values())) == len(first)
