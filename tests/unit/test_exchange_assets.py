"""Shares from the trade to the holding and out of it, conversions, and the money beside them (2.6, 2.7)."""

from typing import Any

import msgspec
import pytest

from manjha.domain.instrument import InstrumentId
from manjha.domain.money import RUPEE, Cash
from manjha.domain.orders import Product
from manjha.exchange.accounts.holdings import isin_of
from manjha.exchange.accounts.positions import Key
from manjha.exchange.errors import Kind, KiteError
from manjha.exchange.exchange import Exchange
from tests.fakes.exchanges import OWNED, USERS, Trader, an_exchange, run

DAY_S = 24 * 3600
OWNER = msgspec.structs.replace(USERS[0], holdings=OWNED)
HELD = {"holdings": "on"}


def a_trader(symbol: str = "MANJHA", **changes: Any) -> Trader:
    return Trader(an_exchange(**{"users": (OWNER,), "rules": HELD, **changes}), symbol=symbol)


def traded(trader: Trader, side: str, qty: int, product: str = "CNC") -> None:
    order = trader.place(
        transaction_type=side, quantity=qty, product=product, order_type="MARKET", market_protection=-1
    )  # fmt: skip
    run(trader.exchange, 120)
    assert trader.order(order).status == "COMPLETE"


def row_of(trader: Trader, product: str = "CNC", book: str = "net") -> dict[str, Any]:
    found = trader.exchange.broker.assets["AB1234"].positions()[book]
    (row,) = [one for one in found if (one["tradingsymbol"], one["product"]) == (trader.symbol, product)]
    return dict(row)


def holding_of(trader: Trader) -> dict[str, Any]:
    rows = trader.exchange.broker.assets["AB1234"].shown_holdings()
    return {row["tradingsymbol"]: row for row in rows}[trader.symbol]


def money(exchange: Exchange, user: str = "AB1234") -> dict[str, Any]:
    return exchange.broker.assets[user].purses["equity"].shown()


def test_shares_are_a_position_then_t1_then_settled() -> None:
    trader = a_trader("FIRKI")
    exchange = trader.exchange
    traded(trader, "BUY", 10)
    position = row_of(trader)
    assert (position["quantity"], position["overnight_quantity"]) == (10, 0)
    assert "FIRKI" not in [row["tradingsymbol"] for row in exchange.broker.assets["AB1234"].shown_holdings()]
    paid = position["average_price"]
    run(exchange, DAY_S)
    held = holding_of(trader)
    assert (held["t1_quantity"], held["quantity"], held["average_price"]) == (10, 0, paid)
    assert exchange.broker.assets["AB1234"].positions() == {"net": [], "day": []}
    run(exchange, 3 * DAY_S)
    held = holding_of(trader)
    assert (held["t1_quantity"], held["quantity"], held["opening_quantity"]) == (0, 10, 10)


def test_sold_out_of_a_holding_is_used_today_and_gone_tomorrow() -> None:
    trader = a_trader()
    traded(trader, "SELL", 15)
    held = holding_of(trader)
    assert (held["quantity"], held["used_quantity"], held["opening_quantity"]) == (40, 15, 40)
    position = row_of(trader)
    assert (position["quantity"], position["day_sell_quantity"]) == (-15, 15)
    run(trader.exchange, DAY_S)
    held = holding_of(trader)
    assert (held["quantity"], held["used_quantity"], held["average_price"]) == (25, 0, 1400)


def test_more_than_is_held_cannot_be_sold() -> None:
    trader = a_trader()
    refused = trader.refusal(transaction_type="SELL", quantity=41, price=trader.price(-10))
    assert (refused.kind, refused.code) == (Kind.HOLDING, 400)
    trader.place(transaction_type="SELL", quantity=30, price=trader.price(400))
    # The open order counts.
    assert trader.refusal(transaction_type="SELL", quantity=11, price=trader.price(400)).kind is Kind.HOLDING
    traded(trader, "BUY", 1)
    trader.place(transaction_type="SELL", quantity=11, price=trader.price(400))


def test_without_the_early_look_the_order_is_rejected_on_its_way() -> None:
    trader = a_trader(rules={**HELD, "early-risk": "off"})
    order = trader.place(transaction_type="SELL", quantity=41, price=trader.price(-10))
    dear = trader.place(quantity=100_000, product="MIS", price=trader.price(-10))
    poor = Trader(
        an_exchange(rules={"early-risk": "off"}, users=(msgspec.structs.replace(OWNER, cash=Cash(RUPEE)),))
    )  # fmt: skip
    broke = poor.place(price=poor.price(0))
    for one in (trader, poor):
        run(one.exchange, 1)
    assert trader.order(order).status == "REJECTED"
    assert str(trader.order(order).raw).startswith("RMS:Rule: Check holdings")
    assert trader.order(dear).status == "OPEN"
    assert str(poor.order(broke).raw).startswith("RMS:Margin Exceeds,Required:")
    assert str(poor.order(broke).message).startswith("Insufficient funds. Required margin is ")


def test_shares_must_be_authorised_where_the_rule_is_on() -> None:
    trader = a_trader(rules={**HELD, "demat-authorisation": "on"})
    broker = trader.exchange.broker
    refused = trader.refusal(transaction_type="SELL", quantity=10, price=trader.price(-10))
    assert (refused.code, refused.message) == (428, "10 quantity needs authorisation at depository.")
    number = broker.request_authorisation("AB1234", {isin_of(trader.listed): 25})
    assert len(number) == 32
    broker.authorise(number)
    trader.place(transaction_type="SELL", quantity=25, price=trader.price(400))
    assert trader.refusal(transaction_type="SELL", quantity=1, price=trader.price(400)).code == 428
    run(trader.exchange, DAY_S)
    assert holding_of(trader)["authorised_quantity"] == 0


def convert(trader: Trader, old: Product, new: Product, qty: int, *, overnight: bool = False) -> None:
    trader.exchange.broker.convert("AB1234", Key(trader.listed.id, old), new, qty, overnight=overnight)


def test_a_conversion_moves_quantity_money_and_margin() -> None:
    trader = a_trader("FIRKI")
    traded(trader, "BUY", 10)
    before = money(trader.exchange)["net"]
    cost = row_of(trader)["buy_value"]
    convert(trader, Product.CNC, Product.MIS, 4)
    assert (row_of(trader)["quantity"], row_of(trader, "MIS")["quantity"]) == (6, 4)
    # Four tenths of the cost come back, a fifth of that is held, and losses of margined positions count.
    assert money(trader.exchange)["net"] == pytest.approx(before + cost * 0.4 * 0.8, abs=cost * 0.01)
    convert(trader, Product.MIS, Product.CNC, 4)
    # Nothing is left of the other row.
    assert [row["product"] for row in trader.exchange.broker.assets["AB1234"].positions()["net"]] == ["CNC"]
    assert row_of(trader)["quantity"] == 10
    assert row_of(trader)["buy_value"] == pytest.approx(cost)
    assert money(trader.exchange)["net"] == pytest.approx(before)


@pytest.mark.parametrize(("qty", "overnight"), [(11, False), (-1, False), (1, True)])
def test_what_is_not_open_cannot_be_converted(qty: int, overnight: bool) -> None:
    trader = a_trader("FIRKI")
    traded(trader, "BUY", 10)
    with pytest.raises(KiteError, match="Cannot convert"):
        convert(trader, Product.CNC, Product.MIS, qty, overnight=overnight)
    with pytest.raises(KiteError, match="Cannot convert 1"):
        convert(trader, Product.MTF, Product.MIS, 1)


def test_intraday_shares_that_stay_open_become_delivery() -> None:
    trader = a_trader("FIRKI")
    traded(trader, "BUY", 10, "MIS")
    run(trader.exchange, DAY_S)
    assert holding_of(trader)["t1_quantity"] == 10


def test_contracts_are_carried_with_their_price_and_paid_to_the_close() -> None:
    trader = a_trader("SYNTH5026DECFUT")
    traded(trader, "SELL", 50, "NRML")
    row = row_of(trader, "NRML")
    before = money(trader.exchange)
    assert before["utilised"]["span"] > 0
    assert before["utilised"]["exposure"] > 0
    run(trader.exchange, DAY_S)
    carried = row_of(trader, "NRML")
    assert (carried["quantity"], carried["overnight_quantity"], carried["sell_price"]) == (-50, -50, row["sell_price"])
    assert trader.exchange.broker.assets["AB1234"].positions()["day"] == []
    after = money(trader.exchange)
    settled = (row["sell_price"] - carried["close_price"]) * 50
    charges = trader.exchange.broker.assets["AB1234"].purses["equity"].portfolio.ledger.charges().total
    assert charges > 0
    opening = before["available"]["opening_balance"]
    assert after["available"]["opening_balance"] == pytest.approx(opening + settled - charges / RUPEE)


def test_orders_are_provided_for_until_they_are_over() -> None:
    trader = a_trader("FIRKI")
    net = money(trader.exchange)["net"]
    order = trader.place(quantity=10, price=trader.price(-100))
    run(trader.exchange, 1)
    price = trader.order(order).terms.price
    assert money(trader.exchange)["net"] == pytest.approx(net - 10 * price / RUPEE)
    trader.modify(order, quantity=20)
    run(trader.exchange, 1)
    assert money(trader.exchange)["net"] == pytest.approx(net - 20 * price / RUPEE)
    trader.cancel(order)
    run(trader.exchange, 1)
    assert money(trader.exchange)["net"] == net


def test_an_order_changed_beyond_the_money_is_refused() -> None:
    user = msgspec.structs.replace(OWNER, cash=Cash(10_000 * RUPEE))
    trader = a_trader("FIRKI", users=(user,))
    order = trader.place(quantity=10, price=trader.price(-100))
    run(trader.exchange, 1)
    with pytest.raises(KiteError, match="Insufficient funds") as refused:
        trader.modify(order, quantity=1000)
    assert refused.value.kind is Kind.MARGIN
    assert "Check the orderbook for open orders." in refused.value.message


def test_intraday_orders_that_close_need_no_money() -> None:
    user = msgspec.structs.replace(OWNER, cash=Cash(16_000 * RUPEE))
    trader = a_trader(users=(user,))
    traded(trader, "BUY", 50, "MIS")
    assert trader.refusal(product="MIS", quantity=50, price=trader.price(0)).kind is Kind.MARGIN
    # What closes passes; beyond it the order would open again.
    assert (
        trader.refusal(product="MIS", transaction_type="SELL", quantity=150, price=trader.price(0)).kind is Kind.MARGIN
    )
    traded(trader, "SELL", 50, "MIS")
    assert row_of(trader, "MIS")["quantity"] == 0


def test_rows_that_were_closed_stay_for_the_day() -> None:
    trader = a_trader("FIRKI")
    traded(trader, "BUY", 10, "MIS")
    traded(trader, "SELL", 10, "MIS")
    row = row_of(trader, "MIS")
    assert (row["quantity"], row["average_price"], row["day_buy_quantity"]) == (0, 0, 10)
    assert row["pnl"] == pytest.approx(row["sell_value"] - row["buy_value"])
    run(trader.exchange, DAY_S)
    assert trader.exchange.broker.assets["AB1234"].positions()["net"] == []


def test_money_is_net_and_debits_and_moves_by_trades_and_charges_alone() -> None:
    trader = a_trader("FIRKI")
    exchange = trader.exchange
    purse = exchange.broker.assets["AB1234"].purses["equity"]
    start = purse.cash
    traded(trader, "BUY", 10)
    traded(trader, "BUY", 20, "MIS")
    traded(trader, "SELL", 5, "MIS")
    shown = money(exchange)
    assert shown["net"] == pytest.approx(shown["available"]["cash"] - shown["utilised"]["debits"])
    assert shown["net"] == shown["available"]["live_balance"]
    trades = exchange.book.trades_of("AB1234")
    flow = sum(
        (-1 if row["transaction_type"] == "BUY" else 1) * round(row["average_price"] * RUPEE) * row["quantity"]
        for row in trades
    )
    last = purse.prices[InstrumentId(trader.listed.id)]
    charges = purse.portfolio.ledger.charges().total
    owned = sum(one.qty * one.px for one in OWNED)
    held = {one.symbol: one.qty for one in OWNED}
    values = sum(qty * purse.prices[exchange.market.listing.by_key[f"NSE:{name}"].id] for name, qty in held.items())
    equity = purse.portfolio.equity(purse.prices)
    assert equity == start + values + flow + 25 * last - charges
    assert charges > 0
    assert owned > 0
