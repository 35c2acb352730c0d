"""Options and futures in an account: premiums, hedges, baskets, and what is paid at expiry."""

from typing import Any

import msgspec
import pytest

from manjha.domain.instrument import Asset, Exchange, Instrument, InstrumentId, Kind, Right, option_id
from manjha.domain.moments import parse_day
from manjha.domain.money import RUPEE, Px, Qty
from manjha.exchange.market.sources import BarDays
from tests.fakes.exchanges import Trader, an_exchange, run, synthetic
from tests.unit.test_exchange_quotes import asked

DAY_S = 24 * 3600
EXPIRY = parse_day("2026-11-26")


def option(strike: int, right: Right) -> Instrument:
    return Instrument(
        id=option_id("NFO", "SYNTH50", EXPIRY, right, strike * RUPEE), symbol=f"SYNTH5026NOV{strike}{right}",
        exchange=Exchange.NFO, kind=Kind.OPTION, asset=Asset.INDEX, tick=Px(500), lot=Qty(50), underlying="SYNTH50",
        expiry=EXPIRY, strike=Px(strike * RUPEE), right=right,
    )  # fmt: skip


SOLD, BOUGHT = option(23_800, Right.CALL), option(24_500, Right.CALL)


def with_options() -> BarDays:
    """Return the market with two calls whose prices are those of shares: near 690 and near 440."""
    made, _ = synthetic()
    assert isinstance(made, BarDays)
    pairs = ((SOLD, "NSE:FIRKI"), (BOUGHT, "NSE:CHARKHI"))
    bars = {one.id: msgspec.structs.replace(made.bars[InstrumentId(name)], instrument=one.id) for one, name in pairs}
    return BarDays((*made.instruments, SOLD, BOUGHT), {**made.bars, **bars}, 7, 20)


def item(one: Instrument, side: str, **changes: Any) -> dict[str, Any]:
    return {
        "exchange": "NFO", "tradingsymbol": one.symbol, "transaction_type": side, "variety": "regular",
        "product": "NRML", "order_type": "LIMIT", "quantity": 50, "price": 500, "trigger_price": 0, **changes,
    }  # fmt: skip


def traded(trader: Trader, side: str) -> None:
    ticks = 200 if side == "BUY" else -200
    order = trader.place(transaction_type=side, quantity=50, product="NRML", price=trader.price(ticks))
    run(trader.exchange, 300)
    assert trader.order(order).status == "COMPLETE"


def test_premium_is_paid_and_a_short_option_needs_margin() -> None:
    exchange = an_exchange(source=with_options())
    buyer = Trader(exchange, symbol=BOUGHT.symbol)
    purse = exchange.broker.assets["AB1234"].purses["equity"]
    cash = purse.cash
    traded(buyer, "BUY")
    (row,) = exchange.broker.assets["AB1234"].positions()["net"]
    shown = purse.shown()
    assert shown["utilised"]["option_premium"] == row["buy_value"]
    assert (shown["utilised"]["span"], shown["utilised"]["exposure"]) == (0, 0)
    assert cash - purse.cash == pytest.approx(row["buy_value"] * RUPEE + purse.portfolio.ledger.charges().total)
    traded(Trader(exchange, symbol=SOLD.symbol), "SELL")
    assert purse.shown()["utilised"]["span"] > 0
    # Held at the prices of the trade, shown at those of now.
    held = purse.held()
    assert purse.portfolio.ledger.margin == pytest.approx(held.span + held.exposure, rel=0.01)


def test_a_basket_of_a_spread_needs_less_than_its_orders() -> None:
    exchange = an_exchange(source=with_options())
    told = [item(SOLD, "SELL", price=690), item(BOUGHT, "BUY", price=440)]
    found = asked(exchange, "POST", "/margins/basket", {"consider_positions": "false"}, body=told)
    sold, bought = found["orders"]
    assert (bought["span"], bought["option_premium"]) == (0, 440 * 50)
    assert found["initial"]["span"] == sold["span"] > found["final"]["span"]
    # What is received and what is paid are netted.
    assert found["final"]["option_premium"] == (440 - 690) * 50
    assert found["final"]["total"] < found["initial"]["total"]


def test_an_option_is_settled_at_what_it_is_worth_and_gone() -> None:
    exchange = an_exchange(source=with_options())
    traded(Trader(exchange, symbol=SOLD.symbol), "BUY")
    assets = exchange.broker.assets["AB1234"]
    purse = assets.purses["equity"]
    run(exchange, 6 * 3600)
    index = exchange.market.standings[exchange.market.listing.by_key["NSE:SYNTH 50"].id].last
    before = purse.cash
    run(exchange, DAY_S)
    worth = (index - 23_800 * RUPEE) * 50
    assert worth > 0
    # The contract note's rounding and the tax of an exercised option: 0.15 % of what it is worth at most.
    assert before + worth - 30 * RUPEE - worth // 500 < purse.cash < before + worth + 30 * RUPEE
    assert assets.positions() == {"net": [], "day": []}
    assert list(purse.portfolio.open_positions()) == []
