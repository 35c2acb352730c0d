"""What every gateway keeps: what left is shown under its tag, an answer is an `Outcome`, a hint says where to look.

A gateway is added as a maker of `Behind`: itself, and a way to let its market come to a price.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from itertools import count
from typing import Any, NamedTuple, TypeAlias

import pytest

from manjha.app.trading.far_exchange import FarGateway
from manjha.app.trading.paper_exchange import PaperExchange
from manjha.domain.broker import ENDED, BrokerStatus, OrderSeen, OutcomeUnknown, Sent, Turned, Unsent
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import RUPEE, Px, Qty
from manjha.domain.orders import AccountId, Order, OrderId, OrderType, Origin, Product, RunId, Side, StrategyId
from manjha.domain.ticks import Tick
from manjha.engine.sessions import CalendarSessions
from manjha.orders.tags import tag_of
from manjha.ports.gateway import Gateway
from manjha.simulator.fills import FillRules, VenueModels
from manjha.simulator.tick_venue import TickVenue
from tests.fakes.hand_made import FIRST_DAY, share_named
from tests.fakes.kite_behind import KiteBehind
from tests.fakes.market_rules import shipped_rules

SHARE = share_named()
ORIGIN = Origin(AccountId("AB1234"), StrategyId("contract"), RunId("run"))


async def _nothing() -> None:
    """Leave nothing behind."""


class Behind(NamedTuple):
    """A gateway; `trades` lets the market trade one share after another at a price in rupees, a second later.

    `leave` is awaited at the end of a loop, `close` called after it. `hints_at_placing`: Kite sends no news of an order
    that only rests.
    """

    gateway: Gateway
    trades: Callable[[float], None]
    leave: Callable[[], Awaitable[None]] = _nothing
    close: Callable[[], None] = lambda: None
    hints_at_placing: bool = True


Make: TypeAlias = Callable[[], Behind]


def in_process() -> Behind:
    """Return the simulated exchange of this process, in the middle of a day."""
    venue = TickVenue((SHARE,), VenueModels(rules=FillRules(participation_ppm=0)))
    rules = CalendarSessions(shipped_rules(), 0).rules_of(SHARE, FIRST_DAY)
    venue.open_day({SHARE.id: rules})
    exchange, now = PaperExchange(venue), [rules.open_ns + 3600 * SECOND_NS]

    def trades(px: float) -> None:
        now[0] += SECOND_NS
        tick = Tick(SHARE.id, TsNs(now[0]), Px(round(px * RUPEE)), Qty(10**6))
        exchange.see(venue.on_tick(tick))

    return Behind(FarGateway(exchange, lambda: TsNs(now[0])), trades)


def at_kite() -> Behind:
    """Return our way to Kite, with an exchange on a socket behind it."""
    made = KiteBehind(SHARE)
    return Behind(made, made.trade_at, made.leave, made.close, hints_at_placing=False)


MAKERS: dict[str, Make] = {"in process": in_process, "kite at the exchange": at_kite}


@pytest.fixture(params=MAKERS.values(), ids=list(MAKERS))
def behind(request: pytest.FixtureRequest) -> Iterator[Behind]:
    made: Behind = request.param()
    yield made
    made.close()


def lived(behind: Behind, case: Coroutine[Any, Any, None]) -> None:
    """Let a case happen in a loop of its own."""

    async def whole() -> None:
        try:
            await case
        finally:
            await behind.leave()

    asyncio.run(whole())


_NUMBERS = count(1)


def order(side: Side = Side.BUY, qty: int = 10, **terms: object) -> Approved[SubmitOrder]:
    """Return an order at limit 490 unless said otherwise, under a tag of its own."""
    number = next(_NUMBERS)
    given: dict[str, object] = {"type": OrderType.LIMIT, "limit": Px(490 * RUPEE)} | terms
    kind = given.pop("type")
    made = Order(
        OrderId(f"run-{number}"), ORIGIN, SHARE.id, side, Qty(qty), kind, Product.MIS, TsNs(0), **given  # type: ignore[arg-type]
    )  # fmt: skip
    return Approved(SubmitOrder(made, tag_of(1, FIRST_DAY, number, ORIGIN.strategy)))


async def placed(gateway: Gateway, wish: Approved[SubmitOrder]) -> str:
    outcome = await gateway.submit(wish)
    assert isinstance(outcome, Sent)
    assert outcome.broker_id
    return outcome.broker_id


async def seen(gateway: Gateway, number: str) -> OrderSeen:
    (one,) = [shown for shown in await gateway.orders() if shown.broker_id == number]
    return one


def test_what_was_placed_is_shown_under_its_tag_with_its_terms(behind: Behind) -> None:
    async def run() -> None:
        wish = order()
        number = await placed(behind.gateway, wish)
        shown, asked = await seen(behind.gateway, number), wish.command.order
        assert shown.tag == wish.command.tag
        assert (shown.instrument, shown.side, shown.qty, shown.limit) == (SHARE.id, Side.BUY, 10, asked.limit)
        assert (shown.type, shown.product, shown.filled) == (OrderType.LIMIT, Product.MIS, 0)
        assert shown.status not in ENDED
        assert await behind.gateway.trades() == ()
        assert await behind.gateway.positions() == ()

    lived(behind, run())


def test_each_order_has_a_number_of_its_own(behind: Behind) -> None:
    async def run() -> None:
        numbers = await asyncio.gather(*(placed(behind.gateway, order()) for _ in range(5)))
        assert len(set(numbers)) == 5
        assert {one.broker_id for one in await behind.gateway.orders()} == set(numbers)

    lived(behind, run())


def test_a_trade_is_in_trades_positions_and_its_order(behind: Behind) -> None:
    async def run() -> None:
        number = await placed(behind.gateway, order())
        behind.trades(489.0)
        shown = await seen(behind.gateway, number)
        assert (shown.status, shown.filled) == (BrokerStatus.COMPLETE, 10)
        trades = await behind.gateway.trades()
        assert {trade.broker_id for trade in trades} == {number}
        assert sum(trade.qty for trade in trades) == 10
        assert all(trade.px <= 490 * RUPEE for trade in trades)
        assert len({trade.id for trade in trades}) == len(trades)
        (position,) = await behind.gateway.positions()
        assert (position.instrument, position.product, position.qty) == (SHARE.id, Product.MIS, 10)

    lived(behind, run())


def test_what_was_sold_is_negative(behind: Behind) -> None:
    async def run() -> None:
        await placed(behind.gateway, order(Side.SELL, 3, limit=Px(510 * RUPEE)))
        behind.trades(511.0)
        (position,) = await behind.gateway.positions()
        assert position.qty == -3
        (trade,) = await behind.gateway.trades()
        assert trade.side is Side.SELL
        assert trade.qty == 3  # a trade's quantity has no sign

    lived(behind, run())


def test_what_the_last_look_objects_to_does_not_leave(behind: Behind) -> None:
    async def run() -> None:
        wish = order()
        name, number, gateway = wish.command.order.id, await placed(behind.gateway, wish), behind.gateway
        before = await gateway.orders()
        terms = Approved(ModifyOrder(name, Qty(20), Px(481 * RUPEE), Px(0)))
        overtaken = Unsent("another process has taken the account over")
        assert await gateway.submit(order(), lambda: overtaken.reason) == overtaken
        assert await gateway.modify(terms, number, lambda: overtaken.reason) == overtaken
        assert await gateway.cancel(Approved(CancelOrder(name)), number, lambda: overtaken.reason) == overtaken
        assert await gateway.orders() == before

    lived(behind, run())


def test_new_terms_are_taken_in_and_shown(behind: Behind) -> None:
    async def run() -> None:
        wish = order()
        number = await placed(behind.gateway, wish)
        terms = ModifyOrder(wish.command.order.id, Qty(4), Px(480 * RUPEE), Px(0))
        assert await behind.gateway.modify(Approved(terms), number) == Sent(number)
        shown = await seen(behind.gateway, number)
        assert (shown.qty, shown.limit) == (4, 480 * RUPEE)

    lived(behind, run())


def test_a_cancelled_order_is_shown_as_such_and_trades_no_more(behind: Behind) -> None:
    async def run() -> None:
        wish = order()
        number = await placed(behind.gateway, wish)
        assert await behind.gateway.cancel(Approved(CancelOrder(wish.command.order.id)), number) == Sent(number)
        behind.trades(480.0)
        shown = await seen(behind.gateway, number)
        assert (shown.status, shown.filled) == (BrokerStatus.CANCELLED, 0)
        assert await behind.gateway.trades() == ()

    lived(behind, run())


def test_a_change_of_what_has_ended_is_never_taken_and_changes_nothing(behind: Behind) -> None:
    async def run() -> None:
        wish = order()
        name, number = wish.command.order.id, await placed(behind.gateway, wish)
        behind.trades(480.0)
        before = await seen(behind.gateway, number)
        terms = Approved(ModifyOrder(name, Qty(20), Px(481 * RUPEE), Px(0)))
        # Turned down, or not known: Kite's words for it are not on the list of what is definite.
        assert isinstance(await behind.gateway.modify(terms, number), Turned | OutcomeUnknown)
        assert isinstance(await behind.gateway.cancel(Approved(CancelOrder(name)), number), Turned | OutcomeUnknown)
        assert await seen(behind.gateway, number) == before

    lived(behind, run())


def test_a_later_sight_of_an_order_is_stamped_later(behind: Behind) -> None:
    async def run() -> None:
        wish = order()
        number = await placed(behind.gateway, wish)
        first = await seen(behind.gateway, number)
        terms = ModifyOrder(wish.command.order.id, Qty(10), Px(485 * RUPEE), Px(0))
        await behind.gateway.modify(Approved(terms), number)
        changed = await seen(behind.gateway, number)
        behind.trades(480.0)
        filled = await seen(behind.gateway, number)
        assert first.exchange_ns < changed.exchange_ns < filled.exchange_ns

    lived(behind, run())


def test_hints_begin_with_a_link_made_anew_and_name_what_has_changed(behind: Behind) -> None:
    async def run() -> None:
        hints = behind.gateway.hints()
        assert await anext(hints) == ""
        number = await placed(behind.gateway, order())
        if behind.hints_at_placing:
            assert await asyncio.wait_for(anext(hints), 5) == number
        behind.trades(480.0)
        assert await asyncio.wait_for(anext(hints), 5) == number

    lived(behind, run())


def test_a_read_twice_shows_the_same(behind: Behind) -> None:
    async def run() -> None:
        await placed(behind.gateway, order())
        behind.trades(480.0)
        gateway = behind.gateway
        first = [await gateway.orders(), await gateway.trades(), await gateway.positions()]
        assert [await gateway.orders(), await gateway.trades(), await gateway.positions()] == first

    lived(behind, run())
