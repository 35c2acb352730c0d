"""The rule book over ticks, rule by rule: orders and ticks in, fills out. Names are those of the document's table."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manjha.domain.commands import Approved, SubmitOrder
from manjha.domain.errors import UsageError
from manjha.domain.events import Event, OrderCancelled, OrderFilled, OrderRejected
from manjha.domain.moments import SECOND_NS, TsNs, at, parse_clock, parse_day
from manjha.domain.money import RUPEE, Px, Qty
from manjha.domain.orders import (
    AccountId,
    Order,
    OrderId,
    OrderType,
    Origin,
    Product,
    RunId,
    Side,
    StrategyId,
    Validity,
)
from manjha.domain.ticks import Tick
from manjha.risk.gate import DayRules
from manjha.simulator.fills import FillRules, LimitFill, MarketFill, VenueModels
from manjha.simulator.fills import Path as Inside
from manjha.simulator.slippage import FixedTicks
from manjha.simulator.tick_venue import TickVenue
from tests.fakes.hand_made import share_named

DOCUMENT = Path(__file__).parents[2] / "docs" / "fill-rules.md"
ALPHA = share_named()
OPENS = at(parse_day("2026-03-02"), parse_clock("09:15"))
CLOSES = at(parse_day("2026-03-02"), parse_clock("15:30"))
AUCTION = (CLOSES + 300 * SECOND_NS, CLOSES + 1200 * SECOND_NS)
ORIGIN = Origin(AccountId("account"), StrategyId("strategy"), RunId("run"))
MARKET, LIMIT, SL, SL_M = OrderType.MARKET, OrderType.LIMIT, OrderType.SL, OrderType.SL_M
Row = tuple[float, ...]
"""A tick: seconds after the open, price in rupees, and volume (a thousand if it is left out)."""


def venue(
    *, auction: bool = False, bands: int = 0, latency_ns: int = 0, slippage: Any = None, **rules: Any
) -> TickVenue:
    models = VenueModels(
        rules=FillRules(**rules), latency_ns=latency_ns, bands={ALPHA.id: bands} if bands else {},
        **({"slippage": slippage} if slippage else {}),
    )  # fmt: skip
    made = TickVenue([ALPHA], models)
    made.set_bands({ALPHA.id: 100 * RUPEE})
    made.open_day({ALPHA.id: DayRules(OPENS, CLOSES, CLOSES, *(AUCTION if auction else (0, 0)))})
    return made


def order(kind: OrderType = MARKET, qty: int = 10, *, side: Side = Side.BUY, **terms: Any) -> Order:
    px = {name: Px(round(terms.pop(name, 0) * RUPEE)) for name in ("limit", "trigger")}
    made = Order(
        OrderId("o"), ORIGIN, ALPHA.id, side, Qty(qty), kind, Product.MIS, TsNs(OPENS), px["limit"], px["trigger"]
    )
    return msgspec.structs.replace(made, **terms)


def submit(to: TickVenue, *orders: Order, after: float = 0) -> list[Event]:
    events: list[Event] = []
    for number, each in enumerate(orders, len(to.books[ALPHA.id].orders) + 1):
        named = msgspec.structs.replace(each, id=OrderId(f"o{number}"))
        events += to.submit(Approved(SubmitOrder(named)), TsNs(OPENS + round(after * SECOND_NS)))
    return events


def play(to: TickVenue, ticks: Sequence[Row], *orders: Order) -> list[tuple[str, int, float]]:
    submit(to, *orders)
    return list(_trades(to, ticks))


def _trades(to: TickVenue, ticks: Sequence[Row]) -> Iterator[tuple[str, int, float]]:
    for event in _events(to, ticks):
        if isinstance(event, OrderFilled):
            yield event.fill.order_id, event.fill.qty, event.fill.px / RUPEE


def _events(to: TickVenue, ticks: Sequence[Row]) -> Iterator[Event]:
    for after, px, *volume in ticks:
        stamp = TsNs(OPENS + round(after * SECOND_NS))
        yield from to.on_tick(Tick(ALPHA.id, stamp, Px(round(px * RUPEE)), Qty(int((volume or [1_000])[0]))))


def test_market_at_next_tick() -> None:
    to = venue()
    assert list(_trades(to, [(0, 99)])) == []
    assert play(to, [(0, 100), (1, 101)], order()) == [("o1", 10, 100.0)]


def test_tick_before_arrival() -> None:
    to = venue(latency_ns=2 * SECOND_NS)
    assert play(to, [(1, 100), (1.9, 101), (2, 102)], order()) == [("o1", 10, 102.0)]


@pytest.mark.parametrize("rules", [{}, {"limit": LimitFill.PENETRATION}])
def test_limit_at_first_tick(rules: dict[str, Any]) -> None:
    assert play(venue(**rules), [(1, 97)], order(LIMIT, limit=99)) == [("o1", 10, 97.0)]
    assert play(venue(**rules), [(1, 102)], order(LIMIT, side=Side.SELL, limit=101)) == [("o1", 10, 102.0)]


@pytest.mark.parametrize(("px", "filled"), [(98.0, True), (99.0, True), (99.05, False)])
def test_limit_touched_by_a_tick(px: float, filled: bool) -> None:
    assert play(venue(), [(1, 100), (2, px)], order(LIMIT, limit=99)) == ([("o1", 10, 99.0)] if filled else [])


@pytest.mark.parametrize(("px", "filled"), [(98.95, True), (99.0, False)])
def test_limit_penetrated_by_a_tick(px: float, filled: bool) -> None:
    to = venue(limit=LimitFill.PENETRATION)
    assert play(to, [(1, 100), (2, px)], order(LIMIT, limit=99)) == ([("o1", 10, 99.0)] if filled else [])


def test_stop_at_a_tick() -> None:
    ticks = [(1, 100), (2, 95.05), (3, 94.5), (4, 93)]
    assert play(venue(), ticks, order(SL_M, side=Side.SELL, trigger=95)) == [("o1", 10, 94.5)]
    assert play(venue(), [(1, 106)], order(SL_M, trigger=105)) == [("o1", 10, 106.0)]


def test_stop_limit_at_a_tick() -> None:
    stop = order(SL, trigger=102, limit=102.5)
    assert play(venue(), [(1, 101), (2, 102.2)], stop) == [("o1", 10, 102.2)]
    assert play(venue(), [(1, 104), (2, 103), (3, 102.4)], stop) == [("o1", 10, 102.5)]


def test_answer_to_a_fill() -> None:
    to = venue()
    submit(to, order())
    trades = []
    for event in _events(to, [(1, 100), (1, 101)]):
        assert isinstance(event, OrderFilled)
        trades.append(event.fill.px / RUPEE)
        if len(trades) == 1:
            submit(to, order(side=Side.SELL), after=1)
    assert trades == [100.0, 101.0]


def test_participation_of_a_tick() -> None:
    to = venue(participation_ppm=500_000)
    assert play(to, [(1, 100, 8), (2, 101, 8), (3, 102, 100)], order()) == [
        ("o1", 4, 100.0), ("o1", 4, 101.0), ("o1", 2, 102.0),
    ]  # fmt: skip
    stop = order(SL_M, side=Side.SELL, trigger=95)
    assert play(venue(), [(1, 94, 4), (2, 96, 100)], stop) == [("o1", 4, 94.0), ("o1", 6, 96.0)]
    assert play(venue(participation_ppm=0), [(1, 100, 0)], order()) == [("o1", 10, 100.0)]


def test_liquidity_of_a_tick_once() -> None:
    assert play(venue(), [(1, 100, 12), (2, 101, 50)], order(), order()) == [
        ("o1", 10, 100.0), ("o2", 2, 100.0), ("o2", 8, 101.0),
    ]  # fmt: skip


def test_tick_without_volume() -> None:
    stop = order(SL_M, side=Side.SELL, trigger=95)
    to = venue()
    assert play(to, [(1, 94, 0), (2, 96, 50), (3, 95, 50)], stop) == [("o1", 10, 95.0)]
    assert to.dry == {"o1"}


def test_immediate_or_cancel_at_a_tick() -> None:
    to = venue()
    submit(to, order(LIMIT, limit=99, validity=Validity.IOC), order(LIMIT, limit=101, validity=Validity.IOC))
    events = list(_events(to, [(1, 100), (2, 98)]))
    assert [type(event) for event in events] == [OrderFilled, OrderCancelled]
    assert not to.active
    first = venue()
    submit(first, order())
    for event in _events(first, [(1, 100)]):
        assert isinstance(event, OrderFilled)
        submit(first, order(LIMIT, limit=100, validity=Validity.IOC), after=1)
    assert list(_trades(first, [(1, 100)])) == [("o1", 10, 100.0)]


def test_tick_at_the_band() -> None:
    to = venue(bands=50_000_000)
    assert play(to, [(1, 105), (2, 104)], order()) == [("o1", 10, 104.0)]
    assert play(venue(bands=50_000_000), [(1, 105)], order(side=Side.SELL)) == [("o1", 10, 105.0)]
    (rejected,) = submit(venue(bands=50_000_000), order(LIMIT, limit=106))
    assert isinstance(rejected, OrderRejected)


def test_slippage_over_ticks() -> None:
    assert play(venue(slippage=FixedTicks(2)), [(1, 100)], order()) == [("o1", 10, 100.1)]
    assert play(venue(slippage=FixedTicks(2)), [(1, 100)], order(LIMIT, limit=100)) == [("o1", 10, 100.0)]


def test_outside_continuous_trading() -> None:
    length = (CLOSES - OPENS) // SECOND_NS
    assert play(venue(), [(-1, 100), (length, 100)], order()) == []


def test_closing_auction_of_ticks() -> None:
    length = (CLOSES - OPENS) // SECOND_NS
    to = venue(auction=True)
    submit(to, order(LIMIT, limit=99.5), order(qty=30), order(SL_M, trigger=101))
    submit(to, order(qty=5), after=length + 1)
    ticks = [(length + 10, 90), (length + 300, 98, 15), (length + 600, 99, 20), (length + 1200, 97)]
    assert list(_trades(to, ticks)) == []
    assert to.auction_ends() == [AUCTION[1]]
    fills = [event.fill for event in to.close_auction(TsNs(AUCTION[1])) if isinstance(event, OrderFilled)]
    assert [(fill.order_id, fill.qty, fill.px / RUPEE, fill.ts_ns) for fill in fills] == [
        ("o2", 30, 99.0, AUCTION[1]), ("o1", 5, 99.0, AUCTION[1]),
    ]  # fmt: skip
    ended = [event.order_id for event in to.close_day() if isinstance(event, OrderCancelled)]
    assert ended == ["o1", "o3"]


def test_no_deciding_close_over_ticks() -> None:
    with pytest.raises(UsageError, match="at the next tick"):
        venue(market=MarketFill.DECIDING_CLOSE)


def test_no_path_inside_a_tick() -> None:
    both = [order(SL_M, side=Side.SELL, trigger=95), order(LIMIT, side=Side.SELL, limit=105)]
    ticks = [(1, 100), (2, 105), (3, 95)]
    results = [play(venue(path=path), ticks, *both) for path in Inside]
    assert results[0] == results[1] == [("o2", 10, 105.0), ("o1", 10, 95.0)]


def test_every_rule_has_a_test_of_its_name() -> None:
    section = DOCUMENT.read_text(encoding="utf-8").split("## Over ticks")[1]
    rules = re.findall(r"^\| ([a-z][^|]+?) \|", section, re.MULTILINE)
    named = {f"test_{rule.replace(' ', '_').replace('-', '_')}" for rule in rules if rule != "rule"}
    written = {name for name in globals() if name.startswith("test_")} - {"test_every_rule_has_a_test_of_its_name"}
    assert named == written
