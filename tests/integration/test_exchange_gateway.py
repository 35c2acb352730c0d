"""Our own way to Kite against the exchange server: neither knows the other, and both follow the same contract."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple, TypeVar

import msgspec

from manjha.adapters.kite.gateway import KiteGateway
from manjha.adapters.kite.limits import Limits
from manjha.adapters.kite.listing import Listing
from manjha.adapters.kite.login import AppKeys, ended, exchanged
from manjha.adapters.kite.mapping import Listed, Names
from manjha.adapters.kite.margins import KiteMargins
from manjha.adapters.kite.rest import KiteRest, Login
from manjha.adapters.kite.transport import Transport
from manjha.domain.broker import BrokerStatus, MarginSeen, Sent, Turned
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.instrument import Kind
from manjha.domain.money import Px, Qty
from manjha.domain.orders import AccountId, Order, OrderId, OrderType, Origin, Product, RunId, Side, StrategyId
from manjha.domain.secret import Secret
from tests.fakes.exchanges import KEY, RICH, SECRET, Trader, an_exchange, on_a_socket, run

T = TypeVar("T")
TAG = "K0010AB00001012345ZZ"


class Ours(NamedTuple):
    """Our gateway, logged in to an exchange, and what stands behind both."""

    gateway: KiteGateway
    names: Names
    rest: KiteRest
    transport: Transport
    trader: Trader
    token: str
    order: Order

    async def submit(self, **changes: object) -> object:
        order = msgspec.structs.replace(self.order, **changes)
        return await self.gateway.submit(Approved(SubmitOrder(order, TAG)))

    def pass_time(self, seconds: float) -> None:
        """Let time pass at the exchange; its server acts on requests only, and none is under way."""
        run(self.trader.exchange, seconds)


async def _no_hints() -> AsyncIterator[str]:
    yield ""


def at_the_exchange(case: Callable[[Ours], Awaitable[T]]) -> T:
    """Log in as our login does, and let a case happen."""
    exchange = an_exchange()
    trader = Trader(exchange)
    listed = [one for one in exchange.market.listing.all if one.instrument.is_tradable]
    names = Names({one.id: Listed(one.exchange, one.symbol) for one in listed}, [one.instrument for one in listed])
    limit = Px(trader.last // 500 * 500 - 500_000)
    origin = Origin(AccountId("AB1234"), StrategyId("s"), RunId("r"))
    order = Order(
        OrderId("r-1"), origin, trader.listed.id, Side.BUY, Qty(10), OrderType.LIMIT, Product.CNC, exchange.now_ns,
        limit=limit,
    )  # fmt: skip
    request_token = exchange.sessions.log_in(KEY, "AB1234", exchange.now_ns)

    async def lived(root: str) -> T:
        orders, reads = Transport(root), Transport(root)
        try:
            session = await exchanged(reads, AppKeys(KEY, Secret(SECRET)), request_token, exchange.now_ns)
            assert session.user_id == "AB1234"
            assert session.expires_ns == exchange.sessions.live[session.access_token.reveal()].until_ns
            loop = asyncio.get_running_loop()
            rest = KiteRest(orders, reads, Login(KEY, session.access_token.reveal), Limits(loop.time))
            gateway = KiteGateway(rest, names, lambda _: order, _no_hints)
            return await case(Ours(gateway, names, rest, reads, trader, session.access_token.reveal(), order))
        finally:
            await orders.close()
            await reads.close()

    with on_a_socket(exchange) as root:
        return asyncio.run(lived(root))


def test_order_goes_out_rests_is_changed_and_cancelled() -> None:
    async def case(ours: Ours) -> None:
        sent = await ours.submit()
        assert isinstance(sent, Sent)
        ours.pass_time(1)
        (seen,) = await ours.gateway.orders()
        assert (seen.broker_id, seen.tag, seen.status) == (sent.broker_id, TAG, BrokerStatus.OPEN)
        assert (seen.instrument, seen.side, seen.qty, seen.limit) == (
            ours.order.instrument,
            Side.BUY,
            10,
            ours.order.limit,
        )
        change = ModifyOrder(ours.order.id, Qty(12), Px(ours.order.limit + 500), Px(0))
        assert isinstance(await ours.gateway.modify(Approved(change), sent.broker_id), Sent)
        (seen,) = await ours.gateway.orders()
        assert seen.status is BrokerStatus.MODIFY_PENDING
        ours.pass_time(1)
        (seen,) = await ours.gateway.orders()
        assert (seen.status, seen.qty, seen.limit) == (BrokerStatus.OPEN, 12, change.limit)
        assert isinstance(await ours.gateway.cancel(Approved(CancelOrder(ours.order.id)), sent.broker_id), Sent)
        ours.pass_time(1)
        (seen,) = await ours.gateway.orders()
        assert seen.status is BrokerStatus.CANCELLED

    at_the_exchange(case)


def test_what_fills_is_read_as_trades() -> None:
    async def case(ours: Ours) -> None:
        sent = await ours.submit(type=OrderType.MARKET, limit=Px(0), qty=Qty(20_000))
        assert isinstance(sent, Sent)
        ours.pass_time(300)
        (seen,) = await ours.gateway.orders()
        trades = await ours.gateway.trades()
        book = ours.trader.exchange.book.trades[sent.broker_id]
        assert (seen.status, seen.filled) == (BrokerStatus.COMPLETE, 20_000)
        assert [(trade.qty, trade.px) for trade in trades] == [(trade.qty, trade.px) for trade in book]
        assert {trade.broker_id for trade in trades} == {sent.broker_id}
        assert len({trade.id for trade in trades}) == len(trades)

    at_the_exchange(case)


def test_refusals_are_definite() -> None:
    async def case(ours: Ours) -> None:
        for changes, words in (
            ({"limit": Px(ours.order.limit + 1)}, "Tick size"),
            ({"product": Product.NRML}, "product"),
            ({"limit": Px(100_000)}, "circuit limit"),
        ):
            outcome = await ours.submit(**changes)
            assert isinstance(outcome, Turned)
            assert words in outcome.reason
            assert not outcome.is_session
        assert await ours.gateway.orders() == ()

    at_the_exchange(case)


def test_lost_session_is_told_from_other_refusals() -> None:
    async def case(ours: Ours) -> None:
        assert await ended(ours.transport, KEY, ours.token)
        outcome = await ours.submit()
        assert isinstance(outcome, Turned)
        assert outcome.is_session

    at_the_exchange(case)


def test_dump_is_read_by_our_listing() -> None:
    async def case(ours: Ours) -> None:
        listing = Listing(await ours.rest.dump("/instruments"))
        for one in ours.trader.exchange.market.listing.all:
            assert listing.token(one.instrument) == str(one.token), one.symbol

    at_the_exchange(case)


def test_what_the_exchange_wants_and_has_is_what_its_books_say() -> None:
    async def asked(ours: Ours) -> tuple[MarginSeen, MarginSeen, MarginSeen]:
        source = KiteMargins(ours.rest, ours.names)
        entry = msgspec.structs.replace(ours.order, product=Product.MIS)
        first = await source.margin(entry)
        assert isinstance(await ours.submit(product=Product.MIS), Sent)
        ours.pass_time(2)
        double = await source.margin(msgspec.structs.replace(entry, qty=Qty(20)))
        listed = ours.trader.exchange.market.listing.all
        future = next(one for one in listed if one.instrument.kind is Kind.FUTURE)
        px = ours.trader.exchange.market.standings[future.id].last
        contract = msgspec.structs.replace(
            entry, instrument=future.id, product=Product.NRML, qty=future.instrument.lot, limit=Px(px)
        )
        return first, double, await source.margin(contract)

    first, double, contract = at_the_exchange(asked)
    assert first.available == RICH
    assert 0 < first.required < RICH
    assert double.required == 2 * first.required
    assert double.available == first.available - first.required
    assert contract.required > double.required
