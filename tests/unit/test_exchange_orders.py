"""The life of orders at the exchange: their way there, fills, changes, cancels, and the rows of their history."""

from typing import Any

import pytest

from manjha.domain.moments import TsNs
from manjha.exchange.errors import KiteError
from manjha.exchange.events import ExchangeEvent, Traded
from manjha.exchange.orders.order import OrderState
from manjha.exchange.orders.passage import Refused
from tests.fakes.exchanges import Trader, an_exchange, run

PUT = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING"]
CHANGE = ["MODIFY VALIDATION PENDING", "MODIFY PENDING"]


@pytest.fixture
def trader() -> Trader:
    return Trader(an_exchange())


def test_order_advances_by_time_alone(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(-1000))
    assert trader.was(order_id) == PUT[:1]
    run(trader.exchange, 0.002)
    assert trader.was(order_id) == PUT
    assert trader.order(order_id).exchange_order_id is None
    run(trader.exchange, 0.008)
    assert trader.was(order_id) == [*PUT, "OPEN"]
    assert len(trader.order(order_id).exchange_order_id or "") == 16


def test_ids_are_strings_of_nineteen_digits_that_grow(trader: Trader) -> None:
    ids = [trader.place(price=trader.price(-1000)) for _ in range(3)]
    assert all(len(order_id) == 19 and order_id.isdigit() for order_id in ids)
    assert sorted(ids, key=int) == ids
    run(trader.exchange, 1)
    assert int(trader.place(price=trader.price(-1000))) > int(ids[-1])


def test_marketable_limit_fills_at_the_next_tick_at_its_price_or_better(trader: Trader) -> None:
    limit = trader.price(40)
    order_id = trader.place(price=limit)
    run(trader.exchange, 10)
    order = trader.order(order_id)
    assert trader.was(order_id) == [*PUT, "OPEN", "COMPLETE"]
    row = order.row()
    assert (row["filled_quantity"], row["pending_quantity"], row["cancelled_quantity"]) == (10, 0, 0)
    assert 0 < row["average_price"] <= float(limit)


def test_trades_and_events_say_what_the_order_says(trader: Trader) -> None:
    heard: list[ExchangeEvent] = []
    trader.exchange.hearers.add(heard.append)
    order_id = trader.place(price=trader.price(40), quantity=30_000)
    run(trader.exchange, 600)
    order, trades = trader.order(order_id), trader.exchange.book.trades[order_id]
    assert order.status == "COMPLETE"
    assert len(trades) > 1
    assert sum(trade.qty for trade in trades) == order.filled == 30_000
    assert sum(trade.qty * trade.px for trade in trades) == order.value
    assert [event.trade_id for event in heard if isinstance(event, Traded)] == [trade.trade_id for trade in trades]
    assert {row["status"] for row in order.history[3:-1]} == {"OPEN"}
    assert trader.exchange.book.trades_of("CD5678") == []


def test_accounts_do_not_see_each_other(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(-1000))
    other = Trader(trader.exchange, "CD5678")
    assert list(trader.exchange.book.orders_of("CD5678")) == []
    with pytest.raises(KiteError, match="Couldn't find that `order_id`"):
        other.cancel(order_id)


def test_risk_check_rejects_with_both_texts(trader: Trader) -> None:
    def no_money(order: OrderState, now_ns: TsNs) -> Refused:
        return Refused("Insufficient funds.", "RMS:Margin Exceeds")

    trader.exchange.passage.risk.append(no_money)
    order_id = trader.place(price=trader.price(-1000))
    run(trader.exchange, 1)
    assert trader.was(order_id) == [*PUT[:2], "REJECTED"]
    row = trader.order(order_id).row()
    assert (row["status_message"], row["status_message_raw"]) == ("Insufficient funds.", "RMS:Margin Exceeds")
    assert (row["pending_quantity"], row["exchange_order_id"]) == (0, None)


def test_modification_has_the_rows_of_the_sample(trader: Trader) -> None:
    old, new = trader.price(-1000), trader.price(-900)
    order_id = trader.place(price=old)
    run(trader.exchange, 5)
    trader.modify(order_id, price=new, quantity=12)
    run(trader.exchange, 1)
    rows = trader.order(order_id).history
    assert [row["status"] for row in rows] == [*PUT, "OPEN", *CHANGE, "MODIFIED", "OPEN"]
    assert [row["price"] for row in rows] == [float(old)] * 7 + [float(new)]
    assert [row["quantity"] for row in rows] == [10] * 7 + [12]
    assert rows[3]["order_timestamp"] < rows[4]["order_timestamp"] == rows[7]["order_timestamp"]
    assert rows[5]["exchange_timestamp"] == rows[3]["exchange_timestamp"] < rows[6]["exchange_timestamp"]
    assert rows[7]["modified"] is True


def test_limit_made_marketable_fills(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(-1000))
    run(trader.exchange, 1)
    trader.modify(order_id, price=trader.price(40))
    run(trader.exchange, 10)
    assert trader.was(order_id)[-2:] == ["OPEN", "COMPLETE"]


def test_limit_made_a_market_order_needs_protection_and_fills(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(-1000))
    run(trader.exchange, 1)
    with pytest.raises(KiteError, match="without market protection are not allowed"):
        trader.modify(order_id, order_type="MARKET")
    trader.modify(order_id, order_type="MARKET", market_protection=-1)
    run(trader.exchange, 10)
    order = trader.order(order_id)
    assert order.status == "COMPLETE"
    assert order.tags == ["mktp", "mktp:0.50"]


def test_limit_made_a_stop_waits_for_its_trigger(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(-1000))
    run(trader.exchange, 1)
    trader.modify(order_id, order_type="SL", trigger_price=trader.price(1000), price=trader.price(1000))
    run(trader.exchange, 1)
    assert trader.order(order_id).status == "TRIGGER PENDING"


def test_quantity_below_what_has_filled_is_refused(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(40), quantity=90_000)
    run(trader.exchange, 20)
    filled = trader.order(order_id).filled
    assert 0 < filled < 90_000
    with pytest.raises(KiteError, match="cannot be less than the filled quantity"):
        trader.modify(order_id, quantity=filled - 1)


def test_change_that_the_exchange_refuses_leaves_the_order_as_it_was(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(40), quantity=90_000)
    run(trader.exchange, 20)
    filled = trader.order(order_id).filled
    trader.modify(order_id, quantity=filled)
    run(trader.exchange, 0.02)
    rows = trader.order(order_id).history
    assert [row["status"] for row in rows[-4:]] == [*CHANGE, "NOT MODIFIED", "OPEN"]
    assert rows[-2]["status_message_raw"].startswith("16346 : Order cannot be modified")
    assert (rows[-1]["quantity"], rows[-1]["status_message_raw"]) == (90_000, None)


def test_stop_at_the_market_waits_as_a_stop_with_a_limit_at_the_band(trader: Trader) -> None:
    trigger = float(trader.price(100))
    order_id = trader.place(order_type="SL-M", trigger_price=trigger, market_protection=1)
    run(trader.exchange, 1)
    row = trader.order(order_id).row()
    assert (row["order_type"], row["status"], row["tags"]) == ("SL", "TRIGGER PENDING", ["mktp", "mktp:1.00"])
    assert 0 < row["price"] - trigger * 1.01 + 0.05 <= 0.05


def test_triggered_stop_can_be_given_a_new_limit(trader: Trader) -> None:
    trigger = trader.price(20)
    order_id = trader.place(order_type="SL", trigger_price=trigger, price=trigger, quantity=100_000)
    for _ in range(4_000):
        run(trader.exchange, 2)
        if trader.order(order_id).status == "OPEN":
            break
    assert trader.order(order_id).status == "OPEN"
    trader.modify(order_id, price=trader.price(200), trigger_price=trigger)
    run(trader.exchange, 1800)
    assert trader.was(order_id)[-1] == "COMPLETE"


def test_nothing_can_be_asked_of_an_order_in_flight(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(-1000))
    with pytest.raises(KiteError, match=r"modified as it is being processed\. Try later\."):
        trader.modify(order_id, price=trader.price(-900))
    run(trader.exchange, 1)
    trader.modify(order_id, price=trader.price(-900))
    with pytest.raises(KiteError, match="being processed"):
        trader.cancel(order_id)


def test_twenty_five_modifications_and_no_more(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(-1000))
    run(trader.exchange, 0.5)
    for number in range(25):
        trader.modify(order_id, price=trader.price(-999 + number))
        run(trader.exchange, 0.5)
    with pytest.raises(KiteError) as error:
        trader.modify(order_id, price=trader.price(-900))
    assert (error.value.kind, error.value.code) == ("NetworkException", 429)
    assert error.value.message == "Maximum allowed order modifications exceeded."


def test_cancel_leaves_what_has_traded(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(40), quantity=90_000)
    run(trader.exchange, 20)
    trader.cancel(order_id)
    run(trader.exchange, 1)
    row = trader.order(order_id).row()
    assert trader.was(order_id)[-2:] == ["CANCEL PENDING", "CANCELLED"]
    assert 0 < row["filled_quantity"] < 90_000
    assert row["cancelled_quantity"] == 90_000 - row["filled_quantity"]


def test_fill_wins_over_a_cancel_that_is_on_its_way() -> None:
    trader = Trader(an_exchange())
    trader.exchange.passage.set_link(up=True, now_ns=trader.exchange.now_ns)
    order_id = trader.place(price=trader.price(40))
    run(trader.exchange, 0.05)
    trader.exchange.passage.set_link(up=False, now_ns=trader.exchange.now_ns)
    trader.cancel(order_id)
    run(trader.exchange, 20)
    trader.exchange.passage.set_link(up=True, now_ns=trader.exchange.now_ns)
    assert trader.was(order_id)[-2:] == ["CANCEL PENDING", "COMPLETE"]


def test_finished_order_cannot_be_changed(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(40))
    run(trader.exchange, 10)
    with pytest.raises(KiteError, match="cannot be cancelled as it is complete") as error:
        trader.cancel(order_id)
    assert (error.value.kind, error.value.code) == ("OrderException", 400)
    with pytest.raises(KiteError, match="cannot be modified as it is complete"):
        trader.modify(order_id, price="1")


def test_variety_of_the_path_must_be_the_orders_own(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(-1000))
    with pytest.raises(KiteError, match="of variety regular"):
        trader.cancel(order_id, "amo")


def test_orders_wait_while_the_link_to_the_exchange_is_down(trader: Trader) -> None:
    trader.exchange.passage.set_link(up=False, now_ns=trader.exchange.now_ns)
    order_id = trader.place(price=trader.price(-1000))
    run(trader.exchange, 60)
    assert trader.was(order_id) == PUT
    trader.exchange.passage.set_link(up=True, now_ns=trader.exchange.now_ns)
    assert trader.was(order_id) == [*PUT, "OPEN"]


def test_market_order_becomes_a_limit_order_at_the_band(trader: Trader) -> None:
    last = trader.last
    order_id = trader.place(order_type="MARKET", market_protection="2")
    run(trader.exchange, 0.05)
    row = trader.order(order_id).row()
    assert (row["order_type"], row["market_protection"], row["tags"]) == ("LIMIT", 0, ["mktp", "mktp:2.00"])
    assert row["price"] == last * 102 // 100 // 500 * 500 / 10_000


def test_stop_triggers_and_then_fills(trader: Trader) -> None:
    order_id = trader.place(
        order_type="SL",
        transaction_type="SELL",
        product="MIS",
        trigger_price=trader.price(-60),
        price=trader.price(-80),
    )
    run(trader.exchange, 0.05)
    assert trader.was(order_id) == [*PUT, "TRIGGER PENDING"]
    assert trader.order(order_id).row()["trigger_price"] == float(trader.price(-60))
    run(trader.exchange, 4 * 3600)
    assert trader.was(order_id)[-1] == "COMPLETE"


def test_stop_that_gapped_through_its_limit_rests_open(trader: Trader) -> None:
    trigger = trader.price(20)
    order_id = trader.place(order_type="SL", trigger_price=trigger, price=trigger, quantity=90_000)
    run(trader.exchange, 2 * 3600)
    seen = trader.was(order_id)
    assert seen[3] == "TRIGGER PENDING"
    assert "OPEN" in seen[4:]


def test_stop_quantity_alone_changes_nothing(trader: Trader) -> None:
    order_id = trader.place(order_type="SL", trigger_price=trader.price(900), price=trader.price(900))
    run(trader.exchange, 1)
    trader.modify(order_id, quantity=20)
    run(trader.exchange, 1)
    assert trader.order(order_id).terms.qty == 10
    trader.modify(order_id, quantity=20, price=trader.price(900), trigger_price=trader.price(900))
    run(trader.exchange, 1)
    assert trader.order(order_id).terms.qty == 20


def test_ioc_ends_with_the_first_tick(trader: Trader) -> None:
    far = trader.place(price=trader.price(-1000), validity="IOC")
    near = trader.place(price=trader.price(40), validity="IOC", quantity=90_000)
    run(trader.exchange, 15)
    assert trader.was(far) == [*PUT, "OPEN", "CANCELLED"]
    assert (trader.order(far).raw or "").startswith("16388")
    assert trader.was(near)[-1] == "CANCELLED"
    assert 0 < trader.order(near).filled < 90_000


def test_ttl_ends_after_its_minutes(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(-1000), validity="TTL", validity_ttl=2)
    run(trader.exchange, 119)
    assert trader.order(order_id).status == "OPEN"
    run(trader.exchange, 2)
    row = trader.order(order_id).row()
    assert (row["status"], row["validity"], row["validity_ttl"]) == ("CANCELLED", "TTL", 2)


def test_tag_is_kept_and_longer_than_twenty_is_refused(trader: Trader) -> None:
    order_id = trader.place(price=trader.price(-1000), tag="connect test order1")
    row = trader.order(order_id).row()
    assert (row["tag"], row["tags"]) == ("connect test order1", ["connect test order1"])
    assert "`tag`" in trader.refusal(price=trader.price(-1000), tag="x" * 21).message


def test_five_thousand_requests_a_day_refused_ones_included(trader: Trader) -> None:
    trader.exchange.book.placed["AB1234"] = 4_999
    trader.refusal(price="0")
    error = trader.refusal(price=trader.price(-1000))
    assert (error.kind, error.code) == ("NetworkException", 429)
    assert error.message == "Maximum allowed order requests exceeded."
    assert Trader(trader.exchange, "CD5678").place(price=trader.price(-1000))


def test_the_same_day_gives_the_same_rows() -> None:
    def told() -> list[dict[str, Any]]:
        trader = Trader(an_exchange())
        ids = [trader.place(price=trader.price(ticks), quantity=5_000) for ticks in (-800, 10, 40)]
        run(trader.exchange, 900)
        trader.modify(ids[0], price=trader.price(-900))
        run(trader.exchange, 1)
        return [row for order_id in ids for row in trader.order(order_id).history]

    assert told() == told()
