"""The fault plan as plain values: how it is read, which match it strikes, and what its moments do."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.errors import DataError
from manjha.exchange.errors import KiteError
from manjha.exchange.exchange import Exchange
from manjha.exchange.market.depth import NONE, depth_of
from manjha.exchange.news.streams import Streams
from manjha.exchange.trouble.faults import Matched, Tally, read_plan, struck
from tests.fakes.exchanges import an_exchange, form, run, session_of

NAME = "NSE:MANJHA"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ([], "cannot be read: Expected `object`"),
        ({"request": []}, "unknown field `request`"),
        ({"requests": [{"what": "explode"}]}, r"Invalid enum value 'explode' - at `\$.requests\[0\].what`"),
        ({"requests": [{"method": "POST"}]}, "missing required field `what`"),
        ({"requests": [{"what": "silence", "mehod": "POST"}]}, "unknown field `mehod`"),
        ({"requests": [{"what": "silence", "first": 0}]}, r"requests\[0\]: expected `first` from 1"),
        ({"requests": [{"what": "silence", "times": -1}]}, "`times` from 0, was 1, -1"),
        ({"requests": [{"what": "silence", "chance": 0}]}, "expected a `chance` above 0 and up to 1, was 0"),
        ({"requests": [{"what": "silence", "chance": 1.5}]}, "was 1.5"),
        ({"requests": [{"what": "reset"}, {"what": "delay"}]}, r"requests\[1\]: a delay needs its `seconds`"),
        ({"requests": [{"what": "delay", "seconds": -1}]}, "expected `seconds` from 0 to 86400, was -1"),
        ({"requests": [{"what": "error", "status": 200}]}, "expected a `status` from 400 to 599, was 200"),
        ({"requests": [{"what": "error", "kind": "Odd"}]}, "no `kind` of error is named 'Odd'"),
        ({"streams": [{"what": "lose", "first": 0}]}, r"streams\[0\]: expected `first`"),
        ({"moments": [{"what": "freeze"}]}, r"moments\[0\]: freeze needs its `instrument`"),
        ({"moments": [{"what": "rename", "instrument": NAME}]}, "rename needs what it comes `to`"),
        ({"moments": [{"what": "expire-tokens", "until": "10:00"}]}, "expire-tokens has no end"),
        ({"moments": [{"what": "freeze", "instrument": NAME, "side": "top"}]}, "upper or lower, was 'top'"),
        ({"requests": [{"what": "reset"}] * 1001}, "more than 1000 faults"),
    ],
)
def test_a_bad_plan_says_what_is_wrong_and_where(raw: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_plan(raw)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ({"what": "link-down", "at": "09:59"}, "'09:59' is over: it is 2026-11-26 10:00:00"),
        ({"what": "link-down", "at": "noon"}, "noon"),
        ({"what": "link-down", "at": "11:00", "until": "10:30"}, "ends at 10:30, before it begins at 11:00"),
        ({"what": "rename", "instrument": "NSE:NOBODY", "to": "X"}, "no instrument is listed as 'NSE:NOBODY'"),
        ({"what": "swap-tokens", "instrument": NAME, "to": "NSE:NOBODY"}, "no instrument is listed as 'NSE:NOBODY'"),
        ({"what": "freeze", "instrument": "NSE:SYNTH 50"}, "NSE:SYNTH 50 has no circuit limits"),
    ],
)
def test_a_moment_that_cannot_come_arms_nothing(moment: dict[str, Any], words: str) -> None:
    exchange = an_exchange()
    before = exchange.mishaps.shown()
    with pytest.raises(DataError, match=words):
        arm(exchange, requests=[{"what": "silence"}], moments=[moment])
    assert exchange.mishaps.shown() == before


@given(
    first=st.integers(1, 20),
    times=st.integers(0, 20),
    chance=st.floats(0.01, 1),
    seed=st.integers(0, 100),
    calls=st.integers(0, 60),
)
def test_a_fault_strikes_from_its_first_match_and_as_often_as_it_may(
    first: int, times: int, chance: float, seed: int, calls: int
) -> None:
    fault = Matched(first=first, times=times, chance=chance)

    def strikes() -> list[bool]:
        tally = Tally(seed, 1)
        return [struck([(fault, tally)]) is not None for _ in range(calls)]

    found = strikes()
    assert found == strikes()
    assert not any(found[: first - 1])
    assert sum(found) <= (times or calls)
    if chance == 1:
        assert sum(found) == min(times or calls, max(0, calls - first + 1))


def test_chance_strikes_about_as_often_as_it_says() -> None:
    tally = Tally(1, 1)
    fault = Matched(times=0, chance=0.25)
    strikes = sum(struck([(fault, tally)]) is not None for _ in range(4_000))
    assert 880 < strikes < 1_120


def arm(exchange: Exchange, **plan: Any) -> None:
    exchange.mishaps.arm(read_plan(plan), exchange.now_ns)


def test_the_first_fault_that_strikes_wins_and_the_others_keep_their_turn() -> None:
    exchange = an_exchange()
    arm(exchange, requests=[{"what": "reset", "path": "/orders*"}, {"what": "silence", "method": "POST"}])
    asked = [("POST", "/orders/regular"), ("GET", "/trades"), ("POST", "/orders/regular"), ("POST", "/orders/regular")]
    faults = [exchange.mishaps.strikes(method, path, "") for method, path in asked]
    assert [fault and str(fault.what) for fault in faults] == ["reset", None, "silence", None]
    assert [(one["matched"], one["struck"]) for one in exchange.mishaps.shown()["requests"]] == [(3, 1), (3, 1)]


def test_a_fault_of_one_account_spares_the_others() -> None:
    exchange = an_exchange()
    arm(exchange, requests=[{"what": "reset", "account": "AB*"}])
    other, own = session_of(exchange, "CD5678"), session_of(exchange)
    struck_by = [
        exchange.mishaps.strikes("GET", "/orders", f"token key:{one.access_token}") is not None for one in (other, own)
    ]
    assert struck_by == [False, True]
    assert exchange.mishaps.strikes("GET", "/orders", "") is None


def test_tokens_expire_at_their_moment() -> None:
    exchange = an_exchange()
    session = session_of(exchange)
    arm(exchange, moments=[{"what": "expire-tokens", "at": "10:05"}])
    run(exchange, 299)
    assert exchange.sessions.of_token("key", session.access_token, exchange.now_ns) == session
    run(exchange, 1)
    with pytest.raises(KiteError, match="Incorrect"):
        exchange.sessions.of_token("key", session.access_token, exchange.now_ns)


def test_while_the_link_is_down_an_order_waits_on_its_way() -> None:
    exchange = an_exchange()
    arm(exchange, moments=[{"what": "link-down", "at": "10:01", "until": "2026-11-26 10:03"}])
    run(exchange, 60)
    answer = exchange.desk.place("regular", form(price="1440"), session_of(exchange), exchange.now_ns)
    order = exchange.book.orders[answer["order_id"]]
    run(exchange, 119)
    assert order.status == "OPEN PENDING"
    run(exchange, 1)
    assert order.status == "OPEN"


@pytest.mark.parametrize(("side", "free", "locked"), [("upper", "SELL", "BUY"), ("lower", "BUY", "SELL")])
def test_a_frozen_instrument_stands_at_its_limit_and_has_one_side_only(side: str, free: str, locked: str) -> None:
    exchange = an_exchange()
    listed = exchange.market.listing.by_key[NAME]
    standing = exchange.market.standings[listed.id]
    arm(exchange, moments=[{"what": "freeze", "instrument": NAME, "side": side, "until": "10:05"}])
    run(exchange, 30)
    limit = standing.band_high if side == "upper" else standing.band_low
    assert standing.last == limit
    bids, offers = depth_of(listed.instrument, standing)
    assert (set(bids) == {NONE}, set(offers) == {NONE}) == (side == "lower", side == "upper")
    session = session_of(exchange)
    placed = [
        exchange.desk.place("regular", form(transaction_type=one, price=limit / 10_000), session, exchange.now_ns)
        for one in (free, locked)
    ]
    run(exchange, 120)
    statuses = [exchange.book.orders[one["order_id"]].status for one in placed]
    assert statuses == ["COMPLETE", "OPEN"]
    run(exchange, 300)
    assert standing.band_low < standing.last < standing.band_high


def test_a_new_master_renames_and_gives_tokens_to_others() -> None:
    exchange = an_exchange()
    before = {key: exchange.market.listing.by_key[key] for key in (NAME, "NSE:PATANG")}
    first, second = (one.token for one in before.values())
    swap = {"what": "swap-tokens", "instrument": NAME, "to": "NSE:PATANG"}
    arm(exchange, moments=[swap, {"what": "rename", "instrument": NAME, "to": "KITE", "at": "10:01"}])
    run(exchange, 60)
    listing = exchange.market.listing
    assert NAME not in listing.by_key
    assert [listing.by_key[key].token for key in ("NSE:KITE", "NSE:PATANG")] == [second, first]
    assert [listing.by_token[token].symbol for token in (first, second)] == ["PATANG", "KITE"]
    assert f"{second},{second // 256},KITE," in listing.dump("NSE")
    session = session_of(exchange)
    with pytest.raises(KiteError, match="either expired or does not exist"):
        exchange.desk.place("regular", form(price="1440"), session, exchange.now_ns)
    order_id = exchange.desk.place("regular", form(tradingsymbol="KITE", price="1440"), session, exchange.now_ns)
    row = exchange.book.orders[order_id["order_id"]].row()
    assert (row["tradingsymbol"], row["instrument_token"]) == ("KITE", second)


def test_without_its_plan_everything_is_as_before() -> None:
    exchange = an_exchange()
    session = session_of(exchange)
    arm(
        exchange,
        requests=[{"what": "reset", "times": 0}],
        moments=[
            {"what": "link-down"}, {"what": "freeze", "instrument": NAME}, {"what": "expire-tokens", "at": "10:10"},
        ],
    )  # fmt: skip
    run(exchange, 10)
    shown = exchange.mishaps.shown()
    assert (shown["link_up"], shown["frozen"], len(shown["moments"])) == (False, [NAME], 1)
    exchange.mishaps.disarm(exchange.now_ns)
    run(exchange, 900)
    assert exchange.mishaps.shown() == {"requests": [], "streams": [], "moments": [], "frozen": [], "link_up": True}
    assert exchange.mishaps.strikes("GET", "/orders", "") is None
    assert exchange.sessions.of_token("key", session.access_token, exchange.now_ns) == session
    standing = exchange.market.standings[exchange.market.listing.by_key[NAME].id]
    assert standing.last < standing.band_high


@pytest.mark.parametrize(("what", "heard"), [("lose", [2, 3]), ("repeat", [1, 1, 2, 3]), ("swap", [2, 1, 3])])
def test_messages_about_orders_are_lost_doubled_or_out_of_order(what: str, heard: list[int]) -> None:
    exchange = an_exchange()
    streams = Streams(exchange)
    session = session_of(exchange)
    stream = streams.join("key", session.access_token)
    arm(exchange, streams=[{"what": what}])
    asked = form(order_type="MARKET", price=None, market_protection=-1)
    orders = []
    for _ in range(3):
        orders.append(exchange.desk.place("regular", asked, session, exchange.now_ns)["order_id"])
        run(exchange, 60)
    told = [json.loads(text)["data"]["order_id"] for text in streams.taken(stream)[1]]
    assert [orders.index(one) + 1 for one in told] == heard


@pytest.mark.parametrize(("what", "silent"), [("silent", True), ("heartbeat", False)])
def test_a_connection_has_nothing_to_say_from_its_moment_on(what: str, *, silent: bool) -> None:
    exchange = an_exchange()
    arm(exchange, streams=[{"what": what, "seconds": 60, "first": 2}])
    streams = Streams(exchange)
    login = session_of(exchange).access_token
    spared, mute = (streams.join("key", login) for _ in range(2))
    token = exchange.market.listing.by_key[NAME].token
    for seconds, says in ((59, True), (1, False)):
        for stream in (spared, mute):
            streams.take(stream, json.dumps({"a": "subscribe", "v": [token]}))
        run(exchange, seconds)
        assert streams.taken(spared)[0]
        assert bool(streams.taken(mute)[0]) is says
        assert streams.is_silent(mute) is (silent and not says)


def test_who_watches_a_token_that_is_listed_no_more_hears_nothing_of_it() -> None:
    exchange = an_exchange()
    streams = Streams(exchange)
    stream = streams.join("key", session_of(exchange).access_token)
    listed = exchange.market.listing.by_key[NAME]
    streams.take(stream, json.dumps({"a": "subscribe", "v": [listed.token]}))
    exchange.market.listing = exchange.market.listing.changed({listed.id: ("MANJHA", 256_001)})
    assert streams.taken(stream) == (b"", [])
