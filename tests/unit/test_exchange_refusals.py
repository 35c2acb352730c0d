"""What the exchange refuses, at once or later, and in which words."""

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from manjha.domain.instrument import Asset, Exchange, Instrument, Kind, Right, option_id
from manjha.domain.moments import parse_day
from manjha.domain.money import RUPEE, Px, Qty
from manjha.exchange.market.sources import BarDays
from manjha.exchange.orders.checks import NO_PROTECTION
from tests.fakes.exchanges import Trader, an_exchange, run, synthetic

if TYPE_CHECKING:
    from manjha.domain.ticks import Tick

FUTURE = "SYNTH5026DECFUT"
PUT = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING"]


def trader_of(symbol: str = "MANJHA", clock: str = "10:00", **changes: Any) -> Trader:
    return Trader(an_exchange(clock, **changes), symbol=symbol)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"exchange": ""}, "Missing or empty field `exchange`"),
        ({"tradingsymbol": "NOBODY"}, "has either expired or does not exist"),
        ({"tradingsymbol": "SYNTH 50"}, "has either expired or does not exist"),
        ({"transaction_type": "HOLD"}, "Invalid `transaction_type`"),
        ({"order_type": "BEST"}, "Invalid `order_type`"),
        ({"validity": "GTC"}, "Invalid `validity`"),
        ({"validity": "TTL"}, "`validity_ttl`"),
        ({"product": "NRML"}, "Invalid `product`: NSE takes CNC, MIS, MTF."),
        ({"quantity": "ten"}, "Invalid `quantity`"),
        ({"quantity": 0}, "must be greater than zero"),
        ({"quantity": -5}, "must be greater than zero"),
        ({"quantity": 100_001}, "more than 100000 shares"),
        ({"price": None}, "Missing or empty field `price`"),
        ({"price": "nan"}, "Invalid `price`"),
        ({"price": "-5"}, "Invalid `price`"),
        (
            {"price": "1520.07"},
            "Tick size for this script is 0.05. Kindly enter price/trigger price in the multiple of",
        ),
        ({"price": "700"}, "lower than the current lower circuit limit of 1359.00"),
        ({"price": "2000"}, "higher than the current upper circuit limit of 1661.00"),
        ({"order_type": "MARKET"}, NO_PROTECTION),
        ({"order_type": "MARKET", "market_protection": 0}, NO_PROTECTION),
        ({"order_type": "MARKET", "market_protection": 101}, "Invalid `market_protection`"),
        ({"order_type": "SL-M", "trigger_price": "1600"}, NO_PROTECTION),
        ({"order_type": "SL", "price": "1600"}, "Missing or empty field `trigger_price`"),
        ({"order_type": "SL", "price": "1600", "trigger_price": "1601"}, "cannot be lower than the trigger price"),
        ({"order_type": "SL", "price": "1600", "trigger_price": "1400"}, "should be above the last traded price"),
        ({"disclosed_quantity": 11}, "Invalid `disclosed_quantity`"),
        ({"quantity": 100, "disclosed_quantity": 9}, "Invalid `disclosed_quantity`"),
        ({"autoslice": "true"}, "cannot be sliced"),
    ],
)
def test_bad_orders_in_a_share_are_refused_at_once(fields: dict[str, Any], words: str) -> None:
    trader = trader_of()
    error = trader.refusal(**{"price": "1500", **fields})
    assert words in error.message
    assert (error.kind, error.code) == ("InputException", 400)
    assert not trader.exchange.book.orders


def test_variety_that_there_is_not() -> None:
    assert "Invalid `variety`" in trader_of().refusal("bo", price="1500").message


def test_auction_is_refused_by_name() -> None:
    error = trader_of().refusal("auction", price="1500", transaction_type="SELL")
    assert (error.kind, error.code) == ("OrderException", 400)
    assert "`auction`" in error.message


def test_future_counts_lots_freeze_and_product() -> None:
    trader = trader_of(FUTURE)
    usual: dict[str, Any] = {"price": trader.price(-10), "product": "NRML"}
    assert "multiple of the lot size 50" in trader.refusal(**usual, quantity=75).message
    assert "the maximum quantity of one order is 1800" in trader.refusal(**usual, quantity=1850).message
    assert "NFO takes NRML, MIS" in trader.refusal(price=trader.price(-10), product="CNC", quantity=50).message
    assert "only shares have one" in trader.refusal(**usual, quantity=50, disclosed_quantity=50).message
    assert trader.place(**usual, quantity=1800)


def test_gap_between_trigger_and_limit_of_a_future_is_three_percent() -> None:
    trader = trader_of(FUTURE, rules={"circuit-limits": "off"})
    stop: dict[str, Any] = {"order_type": "SL", "product": "NRML", "quantity": 50, "trigger_price": trader.price(100)}
    trigger = float(stop["trigger_price"])
    assert trader.place(**stop, price=round(trigger * 1.029, 0))
    assert "too large" in trader.refusal(**stop, price=round(trigger * 1.031, 0)).message


def test_limit_price_protection_ends_an_order_at_the_exchange() -> None:
    trader = trader_of(FUTURE)
    far = f"{float(trader.price(0)) * 1.03:.0f}"
    order_id = trader.place(price=far, product="NRML", quantity=50)
    run(trader.exchange, 1)
    assert trader.was(order_id) == [*PUT, "CANCELLED"]
    assert "limit price protection range" in (trader.order(order_id).message or "")
    without = trader_of(FUTURE, rules={"price-protection": "off"})
    order_id = without.place(price=far, product="NRML", quantity=50)
    run(without.exchange, 1)
    assert without.was(order_id)[3] == "OPEN"


def test_protection_refers_to_the_average_of_thirty_seconds() -> None:
    exchange = an_exchange("09:59")
    trader = Trader(exchange, symbol=FUTURE)
    seen: list[Tick] = []
    exchange.tick_hearers.append(seen.append)
    seen_of = trader.listed.id
    run(exchange, 60)
    last = [
        (tick.px, tick.volume)
        for tick in seen
        if tick.instrument == seen_of and exchange.now_ns - tick.ts_ns <= 30 * 10**9
    ]
    average = sum(px * qty for px, qty in last) // sum(qty for _, qty in last)
    assert exchange.market.reference(seen_of, exchange.now_ns) == average != trader.last
    run(exchange, 16 * 3600)
    assert exchange.market.reference(seen_of, exchange.now_ns) == exchange.market.standings[seen_of].last


def test_price_on_the_far_side_is_no_breach_of_protection() -> None:
    trader = trader_of(FUTURE)
    order_id = trader.place(price=f"{float(trader.price(0)) * 0.95:.0f}", product="NRML", quantity=50)
    run(trader.exchange, 1)
    assert trader.was(order_id) == [*PUT, "OPEN"]


def options() -> tuple[BarDays, Instrument, Instrument]:
    """Return the market with an option on a share and one on the index, which move as two shares do."""
    made, _ = synthetic()
    assert isinstance(made, BarDays)
    expiry = parse_day("2026-12-29")
    usual: dict[str, Any] = {
        "exchange": Exchange.NFO, "kind": Kind.OPTION, "tick": Px(500), "lot": Qty(50), "freeze": Qty(1800),
        "expiry": expiry, "right": Right.CALL,
    }  # fmt: skip
    stock = Instrument(
        id=option_id("NFO", "MANJHA", expiry, Right.CALL, 1500 * RUPEE), symbol="MANJHA26DEC1500CE",
        asset=Asset.EQUITY, underlying="MANJHA", strike=Px(1500 * RUPEE), **usual,
    )  # fmt: skip
    index = Instrument(
        id=option_id("NFO", "SYNTH50", expiry, Right.CALL, 24_000 * RUPEE), symbol="SYNTH5026DEC24000CE",
        asset=Asset.INDEX, underlying="SYNTH50", strike=Px(24_000 * RUPEE), **usual,
    )  # fmt: skip
    bars = {
        option.id: msgspec.structs.replace(made.bars[name], instrument=option.id)  # type: ignore[index]
        for option, name in ((stock, "NSE:CHARKHI"), (index, "NSE:FIRKI"))
    }
    return BarDays((*made.instruments, stock, index), {**made.bars, **bars}, 7, 20), stock, index


def test_options_take_no_sl_m_and_those_on_shares_no_market_order() -> None:
    source, stock, index = options()
    trader = Trader(an_exchange(source=source), symbol=stock.symbol)
    usual: dict[str, Any] = {"product": "NRML", "quantity": 50, "market_protection": -1}
    assert "not allowed for stock options" in trader.refusal(**usual, order_type="MARKET").message
    trader = Trader(trader.exchange, symbol=index.symbol)
    stop: dict[str, Any] = {"order_type": "SL-M", "trigger_price": trader.price(20)}
    assert "SL-M orders are not allowed" in trader.refusal(**usual, **stop).message
    assert trader.place(**usual, order_type="MARKET")
    allowed = Trader(an_exchange(source=source, rules={"no-sl-m": "off"}), symbol=index.symbol)
    assert allowed.place(**usual, **stop)


def test_options_are_protected_by_their_own_table() -> None:
    source, _, index = options()
    trader = Trader(an_exchange(source=source), symbol=index.symbol)
    order_id = trader.place(product="NRML", quantity=50, order_type="MARKET", market_protection=-1)
    run(trader.exchange, 0.05)
    # Above 500 rupees an option has 1 %, where a share has 0.5 %.
    assert trader.order(order_id).tags == ["mktp", "mktp:1.00"]


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("tick", {"price": "1520.07"}),
        ("circuit-limits", {"price": "2000"}),
        ("largest-cash-order", {"price": "1500", "quantity": 200_000}),
        ("market-protection", {"order_type": "MARKET"}),
    ],
)
def test_rules_can_be_switched_off(rule: str, fields: dict[str, Any]) -> None:
    assert trader_of(rules={rule: "off"}).place(**fields)


def test_rules_hold_from_their_date_on() -> None:
    on, before = ({"market-protection": day} for day in ("2026-11-26", "2026-11-27"))
    assert trader_of(rules=on).refusal(order_type="MARKET").message == NO_PROTECTION
    trader = trader_of(rules=before)
    order_id = trader.place(order_type="MARKET")
    run(trader.exchange, 10)
    row = trader.order(order_id).row()
    assert (row["order_type"], row["price"], row["status"]) == ("MARKET", 0, "COMPLETE")
