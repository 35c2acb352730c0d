"""Kite's words and ours: what goes out is exact, what comes back is read with its noise, nulls and unknown words."""

from pathlib import Path

import msgspec
import pytest

from manjha.adapters.kite.mapping import (
    HoldingRow,
    Listed,
    Names,
    OrderRow,
    PositionRow,
    TradeRow,
    modify_fields,
    moment,
    order_seen,
    place_fields,
    positions_seen,
    px_of,
    trade_seen,
)
from manjha.adapters.kite.rest import Envelope
from manjha.domain.broker import BrokerStatus, PositionSeen
from manjha.domain.commands import ModifyOrder
from manjha.domain.errors import SourceError
from manjha.domain.instrument import Asset, Exchange, Instrument, InstrumentId, Kind
from manjha.domain.moments import SECOND_NS, TsNs, at, parse_day
from manjha.domain.money import Px, Qty
from manjha.domain.orders import AccountId, Order, OrderId, OrderType, Origin, Product, RunId, Side, StrategyId

SHARE = Instrument(
    id=InstrumentId("NSE:INE0PATANG01"), symbol="PATANG", exchange=Exchange.NSE, kind=Kind.EQUITY, asset=Asset.EQUITY,
    tick=Px(500),
)  # fmt: skip
LEAD = Instrument(
    id=InstrumentId("MCX:LEADMINI:2026-12-31:FUT"), symbol="LEADMINI", exchange=Exchange.MCX, kind=Kind.FUTURE,
    asset=Asset.COMMODITY, tick=Px(500), lot=Qty(1_000), multiplier=1_000, underlying="LEADMINI",
    expiry=parse_day("2026-12-31"),
)  # fmt: skip
NAMES = Names({SHARE.id: Listed("NSE", "PATANG"), LEAD.id: Listed("MCX", "LEADMINI26DECFUT")}, (SHARE, LEAD))
TAG = "K0010AB00001012345ZZ"


def order(kind: OrderType = OrderType.MARKET, **changes: object) -> Order:
    origin = Origin(AccountId("AB1234"), StrategyId("s"), RunId("r"))
    made = Order(OrderId("r-1"), origin, SHARE.id, Side.BUY, Qty(10), kind, Product.MIS, TsNs(0))
    return msgspec.structs.replace(made, **changes)


def row(**changes: object) -> OrderRow:
    made = OrderRow("220303000308932", "OPEN", "NSE", "PATANG", "BUY", "LIMIT", "MIS", 10, tag=TAG)
    return msgspec.structs.replace(made, **changes)


@pytest.mark.failure("F15")
@pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.SL_M])
def test_what_trades_at_the_market_is_always_protected(kind: OrderType) -> None:
    fields = place_fields(order(kind, trigger=Px(1_500_500)), TAG, NAMES)
    assert fields is not None
    assert fields["market_protection"] == "-1"
    assert "price" not in fields


def test_a_stop_with_a_limit_goes_out_whole_and_exact() -> None:
    placed = order(OrderType.SL, limit=Px(1_573_750), trigger=Px(1_573_700))
    assert place_fields(placed, TAG, NAMES) == {
        "exchange": "NSE", "tradingsymbol": "PATANG", "transaction_type": "BUY", "quantity": "10", "product": "MIS",
        "order_type": "SL", "validity": "DAY", "tag": TAG, "price": "157.375", "trigger_price": "157.37",
    }  # fmt: skip


def test_units_go_out_as_lots_where_kite_counts_lots() -> None:
    placed = order(OrderType.LIMIT, instrument=LEAD.id, qty=Qty(3_000), limit=Px(1_810_000))
    fields = place_fields(placed, TAG, NAMES)
    assert fields is not None
    assert (fields["quantity"], fields["tradingsymbol"]) == ("3", "LEADMINI26DECFUT")
    with pytest.raises(SourceError, match="no whole number of lots"):
        place_fields(msgspec.structs.replace(placed, qty=Qty(3_001)), TAG, NAMES)


def test_what_kite_does_not_list_today_has_no_form() -> None:
    assert place_fields(order(instrument=InstrumentId("NSE:GONE")), TAG, NAMES) is None


def test_a_change_says_all_terms_again() -> None:
    change = ModifyOrder(OrderId("r-1"), Qty(20), Px(1_573_750), Px(1_573_700))
    assert modify_fields(order(OrderType.SL), change, NAMES) == {
        "quantity": "20", "order_type": "SL", "validity": "DAY", "price": "157.375", "trigger_price": "157.37",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("COMPLETE", BrokerStatus.COMPLETE),
        ("OPEN", BrokerStatus.OPEN),
        ("UPDATE", BrokerStatus.OPEN),
        ("TRIGGER PENDING", BrokerStatus.TRIGGER_PENDING),
        ("AMO REQ RECEIVED", BrokerStatus.AMO),
        ("MODIFY VALIDATION PENDING", BrokerStatus.MODIFY_PENDING),
        ("CANCELLED AMO", BrokerStatus.CANCELLED),
        ("SOMETHING NEW", BrokerStatus.UNRECOGNISED),
    ],
)
def test_statuses(word: str, status: BrokerStatus) -> None:
    assert order_seen(row(status=word), NAMES).status is status


def test_a_status_that_nobody_knows_is_told_in_its_own_word() -> None:
    assert "SOMETHING NEW" in order_seen(row(status="SOMETHING NEW"), NAMES).reason


def test_an_order_is_read_with_its_floats_and_nulls() -> None:
    seen = order_seen(
        row(price=157.37499999999997, trigger_price=None, quantity=10, filled_quantity=4, status_message=None,
            status_message_raw="RMS:Margin Exceeds", exchange_update_timestamp="2026-11-24 09:16:39"),
        NAMES,
    )  # fmt: skip
    assert (seen.limit, seen.trigger, seen.filled, seen.tag) == (1_573_750, 0, 4, TAG)
    assert seen.exchange_ns == at(parse_day("2026-11-24"), (9 * 3_600 + 16 * 60 + 39) * SECOND_NS)
    assert seen.reason == "RMS:Margin Exceeds"


def test_our_tag_is_found_among_the_systems() -> None:
    assert order_seen(row(tag=None, tags=["mktp", "mktp:2.00", TAG]), NAMES).tag == TAG
    assert order_seen(row(tag="mktp", tags=["mktp", TAG]), NAMES).tag == TAG
    assert order_seen(row(tag=None, tags=None), NAMES).tag == ""
    assert order_seen(row(tag="by hand"), NAMES).tag == "by hand"


def test_lots_come_back_as_units() -> None:
    seen = order_seen(row(exchange="MCX", tradingsymbol="LEADMINI26DECFUT", quantity=3, filled_quantity=1), NAMES)
    assert (seen.instrument, seen.qty, seen.filled) == (LEAD.id, 3_000, 1_000)
    trade = trade_seen(TradeRow("7", "1", "MCX", "LEADMINI26DECFUT", "SELL", "NRML", 2, 181.05), NAMES)
    assert (trade.qty, trade.px, trade.side) == (2_000, 1_810_500, Side.SELL)


def test_an_instrument_that_we_do_not_trade_keeps_kites_name() -> None:
    assert order_seen(row(tradingsymbol="SBIN"), NAMES).instrument == "NSE:SBIN"


def test_trades_of_two_exchanges_are_never_the_same_one() -> None:
    one, two = (trade_seen(TradeRow("7", "1", e, "PATANG", "BUY", "CNC", 1, 1.0), NAMES) for e in ("NSE", "BSE"))
    assert one.id != two.id


def test_what_is_held_is_todays_positions_and_what_was_carried() -> None:
    rows = [PositionRow("NSE", "PATANG", "CNC", -30), PositionRow("MCX", "LEADMINI26DECFUT", "NRML", 2, 1_000)]
    holdings = [HoldingRow("NSE", "PATANG", 100, t1_quantity=20), HoldingRow("NSE", "SBIN", 5)]
    assert positions_seen(rows, holdings, NAMES) == [
        PositionSeen(SHARE.id, Product.CNC, Qty(90)),
        PositionSeen(LEAD.id, Product.NRML, Qty(2_000)),
        PositionSeen(InstrumentId("NSE:SBIN"), Product.CNC, Qty(5)),
    ]


def test_what_is_closed_is_not_held() -> None:
    assert positions_seen([PositionRow("NSE", "PATANG", "MIS", 0)], [], NAMES) == []


@pytest.mark.parametrize("price", [0.05, 0.0025, 83.1275, 99_999.95, 157.37499999999997, -0.0])
def test_prices_come_without_a_floats_noise(price: float) -> None:
    assert px_of(price) == round(price * 10_000)
    assert px_of(None) == 0


@pytest.mark.parametrize("price", [float("nan"), float("inf")])
def test_a_price_that_is_none_is_an_error(price: float) -> None:
    with pytest.raises(SourceError, match="a price was expected"):
        px_of(price)


@pytest.mark.parametrize("text", ["09:16:39", "2026-11-24T09:16:39+0530", "yesterday", "2026-13-01 00:00:00"])
def test_a_time_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(SourceError, match="Kite's times"):
        moment(text)


@pytest.mark.parametrize(
    "changes", [{"transaction_type": "HOLD"}, {"order_type": "ICE"}, {"product": "XYZ"}]
)  # fmt: skip
def test_words_that_cannot_be_guessed_are_an_error(changes: dict[str, str]) -> None:
    with pytest.raises(SourceError, match="was expected of Kite"):
        order_seen(row(**changes), NAMES)


@pytest.mark.shared
def test_the_brokers_own_samples_are_read(shared: Path) -> None:
    def data(name: str) -> bytes:
        raw = (shared / "kite" / "mocks" / name).read_bytes()
        return bytes(msgspec.json.decode(raw, type=Envelope).data)

    orders = msgspec.json.decode(data("orders.json"), type=list[OrderRow])
    seen = [order_seen(one, NAMES) for one in orders]
    assert len(seen) == 10
    assert {one.status for one in seen} == {BrokerStatus.CANCELLED, BrokerStatus.COMPLETE, BrokerStatus.REJECTED}
    history = [
        order_seen(one, NAMES).status for one in msgspec.json.decode(data("order_info.json"), type=list[OrderRow])
    ]
    assert history[0] is BrokerStatus.PENDING
    for name in ("trades.json", "order_trades.json"):
        assert all(trade_seen(one, NAMES).qty for one in msgspec.json.decode(data(name), type=list[TradeRow]))
