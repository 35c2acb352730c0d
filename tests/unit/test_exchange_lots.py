"""Currency and commodities at the exchange: quantities are lots on the wire and units inside."""

from typing import Any

import msgspec
import pytest

from manjha.domain.instrument import Asset, Exchange, Instrument, InstrumentId, Kind, future_id
from manjha.domain.moments import parse_day
from manjha.domain.money import Px, Qty
from manjha.exchange.market.sources import BarDays
from tests.fakes.exchanges import Trader, an_exchange, run, synthetic


def future(exchange: Exchange, underlying: str, symbol: str, multiplier: int, tick: int) -> Instrument:
    expiry = parse_day("2026-12-29")
    asset = Asset.COMMODITY if exchange is Exchange.MCX else Asset.CURRENCY
    return Instrument(
        id=future_id(exchange, underlying, expiry), symbol=symbol, exchange=exchange, kind=Kind.FUTURE, asset=asset,
        tick=Px(tick), lot=Qty(multiplier), multiplier=multiplier, underlying=underlying, expiry=expiry,
    )  # fmt: skip


def with_lots() -> BarDays:
    """Return the market with two futures counted in lots, whose prices are those of shares."""
    made, _ = synthetic()
    assert isinstance(made, BarDays)
    listed = (
        future(Exchange.CDS, "USDINR", "USDINR26DECFUT", 1_000, 25),
        future(Exchange.MCX, "LEADMINI", "LEADMINI26DECFUT", 1_000, 500),
    )
    of = {one.id: made.bars[InstrumentId(name)] for one, name in zip(listed, ("NSE:FIRKI", "NSE:CHARKHI"), strict=True)}
    # So much is traded there in thousands.
    bars = {
        name: msgspec.structs.replace(columns, instrument=name, volume=memoryview(bytearray(columns.volume)).cast("q"))
        for name, columns in of.items()
    }
    for columns in bars.values():
        for row in range(len(columns)):
            columns.volume[row] *= 1_000
    return BarDays((*made.instruments, *listed), {**made.bars, **bars}, 7, 20)


@pytest.mark.parametrize("symbol", ["USDINR26DECFUT", "LEADMINI26DECFUT"])
def test_quantities_are_lots_everywhere_on_the_wire(symbol: str) -> None:
    trader = Trader(an_exchange(source=with_lots()), symbol=symbol)
    order_id = trader.place(price=trader.price(200), product="NRML", quantity=3)
    run(trader.exchange, 120)
    order = trader.order(order_id)
    assert (order.status, order.filled) == ("COMPLETE", 3_000)
    row = order.row()
    assert (row["quantity"], row["filled_quantity"], row["pending_quantity"]) == (3, 3, 0)
    assert sum(trade["quantity"] for trade in trader.exchange.book.trades_of("AB1234")) == 3
    (line,) = (text for text in trader.exchange.market.listing.dump().splitlines() if symbol in text)
    assert line.split(",")[8] == "1"


def test_currency_has_ticks_of_a_quarter_paisa_and_no_circuit_limits() -> None:
    trader = Trader(an_exchange(source=with_lots()), symbol="USDINR26DECFUT")
    usual: dict[str, Any] = {"product": "NRML", "quantity": 1}
    assert trader.place(**usual, price="72.7525")
    assert "Tick size for this script is 0.0025" in trader.refusal(**usual, price="72.7530").message


def test_commodities_take_no_ioc_no_iceberg_and_trade_after_shares_have_closed() -> None:
    trader = Trader(an_exchange("16:00", source=with_lots()), symbol="LEADMINI26DECFUT")
    usual: dict[str, Any] = {"product": "NRML", "quantity": 2, "price": trader.price(-10)}
    assert "not available for MCX" in trader.refusal(**usual, validity="IOC").message
    legs = {"iceberg_legs": 2, "iceberg_quantity": 1}
    assert "not allowed for MCX" in trader.refusal("iceberg", **usual, **legs).message
    order_id = trader.place(**usual)
    run(trader.exchange, 1)
    assert trader.order(order_id).status == "OPEN"
    run(trader.exchange, 9 * 3600)
    assert trader.order(order_id).status == "CANCELLED"
