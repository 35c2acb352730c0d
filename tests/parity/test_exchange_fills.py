"""The exchange server fills as the paper exchange does: the same orders over the same ticks, fill by fill."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.commands import Approved, SubmitOrder
from manjha.domain.events import Event, OrderFilled
from manjha.domain.moments import SECOND_NS, TsNs, at, parse_clock, parse_day
from manjha.domain.money import Px, Qty
from manjha.domain.orders import AccountId, Order, OrderId, OrderType, Origin, Product, RunId, Side, StrategyId
from manjha.engine.sessions import CalendarSessions
from manjha.exchange.orders.passage import Pace
from manjha.simulator.fills import VenueModels
from manjha.simulator.tick_venue import TickVenue
from tests.fakes.exchanges import DAY, Trader, an_exchange, synthetic
from tests.fakes.market_rules import shipped_rules

pytestmark = pytest.mark.slow

NAMES = ("MANJHA", "FIRKI")
BEGIN = at(parse_day(DAY), parse_clock("10:00"))
ORIGIN = Origin(AccountId("AB1234"), StrategyId("any"), RunId("any"))
Fill = tuple[int, int, int, int]
"""Which order, how much, at what price, when."""

asked = st.lists(
    st.tuples(
        st.integers(0, 1500), st.sampled_from(NAMES), st.sampled_from(list(Side)),
        st.sampled_from([1, 300, 20_000]), st.integers(-60, 60), st.booleans(),
    ),
    min_size=1, max_size=12,
)  # fmt: skip
Asked = list[tuple[int, str, Side, int, int, bool]]


def orders_of(asked: Asked) -> list[Order]:
    """Return orders at prices around the first ones: limits, or stops that trigger a little before their limit."""
    traders = {name: Trader(an_exchange(), symbol=name) for name in NAMES}
    orders = []
    for number, (second, name, side, qty, ticks, is_stop) in enumerate(sorted(asked, key=lambda one: one[0])):
        last = traders[name].last // 500 * 500
        limit, trigger = last + (ticks + 5 * side) * 500, last + ticks * 500
        orders.append(
            Order(
                id=OrderId(str(number)), origin=ORIGIN, instrument=traders[name].listed.id, side=side, qty=Qty(qty),
                type=OrderType.SL if is_stop else OrderType.LIMIT, product=Product.MIS,
                decided_ns=TsNs(BEGIN + second * SECOND_NS), limit=Px(limit), trigger=Px(trigger if is_stop else 0),
            )
        )  # fmt: skip
    return orders


def by_the_venue(orders: list[Order]) -> list[Fill]:
    """Return what a plain venue fills, an order coming after the ticks of its own moment."""
    source, days = synthetic()
    rules = shipped_rules()
    venue = TickVenue(source.instruments, VenueModels())
    calendar = CalendarSessions(rules, 0)
    venue.open_day({one.id: calendar.rules_of(one, days[0]) for one in source.instruments})
    waiting, fills = list(orders), list[Fill]()
    for tick in source.ticks(days[0]):
        while waiting and waiting[0].decided_ns < tick.ts_ns:
            order = waiting.pop(0)
            venue.submit(Approved(SubmitOrder(order)), order.decided_ns)
        fills += [_plain(event) for event in venue.on_tick(tick) if isinstance(event, OrderFilled)]
    return fills


def _plain(event: Event) -> Fill:
    assert isinstance(event, OrderFilled)
    fill = event.fill
    return int(fill.order_id), fill.qty, fill.px, fill.ts_ns


def by_the_exchange(orders: list[Order]) -> list[Fill]:
    """Return what the exchange fills for a client, with nothing between the desk and the venue."""
    rules = dict.fromkeys(("circuit-limits", "mis-cut-off"), "off")
    exchange = an_exchange(rules=rules, pace=Pace(0, 0))
    traders, numbers = {}, dict[str, int]()
    for name in NAMES:
        traders[name] = Trader(exchange, symbol=name)
    for order in orders:
        exchange.advance(order.decided_ns)
        trader = traders[exchange.market.listing.by_id[order.instrument].symbol]
        order_id = trader.place(
            transaction_type=order.side.name, quantity=order.qty, order_type=str(order.type), product="MIS",
            price=order.limit / 10_000, trigger_price=order.trigger / 10_000,
        )  # fmt: skip
        numbers[order_id] = int(order.id)
    exchange.advance(TsNs(at(parse_day(DAY), parse_clock("15:40"))))
    fills = [
        (int(trade.trade_id), (numbers[order_id], trade.qty, trade.px, trade.ts_ns))
        for order_id, trades in exchange.book.trades.items()
        for trade in trades
    ]
    return [fill for _, fill in sorted(fills)]


def wrong_side(order: Order, last: int) -> bool:
    return order.trigger != 0 and (order.trigger - last) * order.side <= 0


@settings(max_examples=12)
@given(asked)
def test_exchange_fills_as_the_venue_does(asked: Asked) -> None:
    exchange = an_exchange()
    orders = []
    for order in orders_of(asked):
        exchange.advance(order.decided_ns)
        # A stop on the wrong side of the market is refused at the desk, and never reaches the venue.
        if not wrong_side(order, exchange.market.standings[order.instrument].last):
            orders.append(order)
    assert by_the_exchange(orders) == by_the_venue(orders)
