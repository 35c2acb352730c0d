"""Orders that are more than one: autoslice, icebergs, cover orders."""

import itertools

import pytest

from manjha.exchange.errors import KiteError
from tests.fakes.exchanges import Trader, an_exchange, run

FUTURE = "SYNTH5026DECFUT"


def test_autoslice_answers_with_a_parent_and_a_child_each() -> None:
    trader = Trader(an_exchange(), symbol=FUTURE)
    answer = trader.sliced(price=trader.price(-10), product="NRML", quantity=4_000, autoslice="True", tag="mine")
    children = [child["order_id"] for child in answer["children"]]
    assert [trader.order(child).terms.qty for child in children] == [1_800, 1_800, 400]
    assert answer["order_id"] not in trader.exchange.book.orders
    assert trader.order(children[0]).tags == ["mine", "autoslice", f"autoslice:{answer['order_id']}"]
    assert trader.exchange.book.placed["AB1234"] == 3


def test_autoslice_answers_with_a_list_where_that_is_switched_on() -> None:
    trader = Trader(an_exchange(rules={"flat-autoslice": "on"}), symbol=FUTURE)
    answer = trader.sliced(price=trader.price(-10), product="NRML", quantity=4_000, autoslice="true")
    assert [list(child) for child in answer] == [["order_id"]] * 3


def test_slice_that_is_one_too_many_for_the_day_fails_alone() -> None:
    trader = Trader(an_exchange(), symbol=FUTURE)
    trader.exchange.book.placed["AB1234"] = 4_998
    answer = trader.sliced(price=trader.price(-10), product="NRML", quantity=4_000, autoslice="true")
    first, second, third = answer["children"]
    assert "order_id" in first
    assert "order_id" in second
    assert third["error"] == {
        "code": 429, "error_type": "NetworkException", "message": "Maximum allowed order requests exceeded.",
        "data": None,
    }  # fmt: skip


def test_autoslice_needs_more_than_the_freeze_quantity_and_at_most_ten_slices() -> None:
    trader = Trader(an_exchange(), symbol=FUTURE)
    usual = {"price": trader.price(-10), "product": "NRML", "autoslice": "true"}
    assert "at least 1801 for slicing" in trader.refusal(**usual, quantity=1_800).message
    assert "10 orders of 1800 at most" in trader.refusal(**usual, quantity=18_050).message


def test_iceberg_sends_the_next_leg_when_the_one_before_has_filled() -> None:
    trader = Trader(an_exchange())
    usual = {"price": trader.price(60), "quantity": 25, "iceberg_legs": 3, "iceberg_quantity": 10}
    first = trader.place("iceberg", **usual)
    run(trader.exchange, 60)
    legs = list(trader.exchange.book.orders_of("AB1234"))
    assert [leg.terms.qty for leg in legs] == [10, 10, 5]
    assert {leg.status for leg in legs} == {"COMPLETE"}
    assert [leg.parent_id for leg in legs] == [None, first, first]
    assert legs[1].row()["meta"] == {
        "iceberg": {"leg": 2, "legs": 3, "leg_quantity": 10, "total_quantity": 25, "remaining_quantity": 5}
    }
    for before, after in itertools.pairwise(legs):
        assert before.updated_ns <= after.placed_ns


def test_iceberg_ends_with_the_cancel_of_its_leg() -> None:
    trader = Trader(an_exchange())
    leg = trader.place("iceberg", price=trader.price(-900), quantity=20, iceberg_legs=2, iceberg_quantity=10)
    run(trader.exchange, 1)
    trader.cancel(leg, "iceberg")
    run(trader.exchange, 60)
    assert [order.status for order in trader.exchange.book.orders_of("AB1234")] == ["CANCELLED"]


def test_iceberg_has_two_to_fifty_legs() -> None:
    trader = Trader(an_exchange())
    usual = {"price": trader.price(-10), "quantity": 100, "iceberg_quantity": 10}
    for legs in (0, 1, 51):
        assert "expected 2 to 50" in trader.refusal("iceberg", **usual, iceberg_legs=legs).message
    assert "divided by the legs" in trader.refusal("iceberg", **usual, iceberg_legs=9).message


def test_regular_order_ignores_what_is_for_icebergs() -> None:
    trader = Trader(an_exchange())
    order_id = trader.place(price=trader.price(-10), iceberg_legs=1, iceberg_quantity=3)
    assert trader.order(order_id).row()["meta"] == {}


def covered(trader: Trader) -> tuple[str, str]:
    """Return the legs of a cover order whose first has filled."""
    first = trader.place(
        "co", product="MIS", order_type="MARKET", market_protection=-1, trigger_price=trader.price(-900)
    )
    run(trader.exchange, 20)
    assert trader.order(first).status == "COMPLETE"
    (second,) = (order.order_id for order in trader.exchange.book.orders_of("AB1234") if order.order_id != first)
    return first, second


def test_cover_order_brings_its_stop_when_it_has_filled() -> None:
    trader = Trader(an_exchange())
    first, second = covered(trader)
    row = trader.order(second).row()
    assert (row["parent_order_id"], row["status"], row["variety"]) == (first, "TRIGGER PENDING", "co")
    assert (row["transaction_type"], row["quantity"]) == ("SELL", 10)


def test_cover_order_is_left_by_cancelling_its_second_leg() -> None:
    trader = Trader(an_exchange())
    first, second = covered(trader)
    trader.cancel(second, "co", first)
    run(trader.exchange, 20)
    assert trader.order(second).status == "COMPLETE"
    assert trader.order(second).filled == 10


def test_second_leg_is_found_under_its_own_parent_only() -> None:
    trader = Trader(an_exchange())
    _, second = covered(trader)
    with pytest.raises(KiteError, match="Couldn't find"):
        trader.cancel(second, "co", second)


def test_second_leg_takes_a_new_trigger_and_nothing_else() -> None:
    trader = Trader(an_exchange())
    _, second = covered(trader)
    moved = trader.price(-800)
    trader.modify(second, "co", trigger_price=moved, quantity=99)
    run(trader.exchange, 1)
    row = trader.order(second).row()
    assert (row["trigger_price"], row["quantity"], row["status"]) == (float(moved), 10, "TRIGGER PENDING")


def test_first_leg_takes_a_new_limit_while_it_is_open() -> None:
    trader = Trader(an_exchange())
    usual = {"product": "MIS", "order_type": "LIMIT", "trigger_price": trader.price(-950)}
    first = trader.place("co", **usual, price=trader.price(-900))
    run(trader.exchange, 1)
    trader.modify(first, "co", price=trader.price(40))
    run(trader.exchange, 20)
    assert trader.order(first).status == "COMPLETE"
    assert len(list(trader.exchange.book.orders_of("AB1234"))) == 2


def test_cover_order_that_never_filled_brings_no_stop() -> None:
    trader = Trader(an_exchange())
    usual = {"product": "MIS", "order_type": "LIMIT", "trigger_price": trader.price(-950)}
    first = trader.place("co", **usual, price=trader.price(-900))
    run(trader.exchange, 1)
    trader.cancel(first, "co")
    run(trader.exchange, 20)
    assert [order.status for order in trader.exchange.book.orders_of("AB1234")] == ["CANCELLED"]


def test_cover_order_is_intraday_with_its_stop_on_the_right_side() -> None:
    trader = Trader(an_exchange())
    usual = {"order_type": "LIMIT", "price": trader.price(-10)}
    assert "cover orders are MIS" in trader.refusal("co", **usual, trigger_price=trader.price(-20)).message
    assert "`trigger_price`" in trader.refusal("co", **usual, product="MIS").message
    wrong = trader.refusal("co", **usual, product="MIS", trigger_price=trader.price(20))
    assert "should be below" in wrong.message
