"""Between midnight and the open nobody knows when the broker begins its new book: what is not shown is not missed."""

import asyncio

import pytest

from manjha.app.trading.loop import Ended, Loop, People
from manjha.app.trading.session import Session
from manjha.app.trading.steady_clock import SteadyClock
from manjha.domain.events import BrokerRead
from manjha.domain.moments import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from manjha.domain.orders import Phase
from manjha.engine.journaling import value_of
from tests.fakes.remote import NoKill, Remote, Silent, TimedFeed, played


def awake(remote: Remote, until_ns: int) -> tuple[Session, Ended]:
    """Let a process live until a moment, without ticks."""

    async def process() -> tuple[Session, Ended]:
        # What hints come by belongs to the event loop of a process.
        remote.gateway._stirred = asyncio.Event()
        session = remote.start()
        feed = TimedFeed([], remote.time, until_ns)
        clock = SteadyClock(remote.time.now_ns, remote.time.now_ns)
        loop = Loop(session, feed, People(None, NoKill()), Silent(), clock, follows_clock=True)
        return session, await loop.run()

    return remote.time.run(process())


async def _nothing() -> tuple[()]:
    return ()


def reads(remote: Remote, since_ns: int) -> list[BrokerRead]:
    values = [value_of(row.entry) for row in remote.shared.rows]
    return [one for one in values if isinstance(one, BrokerRead) and one.ts_ns >= since_ns and one.whole]


@pytest.mark.failure("F36")
@pytest.mark.parametrize("is_new", [True, False])
def test_an_empty_book_before_the_open_is_no_book_that_lost_orders(is_new: bool) -> None:
    remote = Remote(played({3: lambda ctx: ctx.buy(10, limit=490.0)}))
    remote.days.append(type(remote.days[0])(remote.days[0] + 1))
    opened_ns = remote.ticks[0].ts_ns - remote.ticks[0].ts_ns % MINUTE_NS
    session, _ = remote.live((opened_ns + 10 * MINUTE_NS, Loop.stop))
    assert [one.phase for one in session.trader.state.book.records.values()] == [Phase.WORKING]

    night_ns = opened_ns + DAY_NS - 2 * HOUR_NS
    remote.time.run(remote.time.until(night_ns))
    if is_new:
        remote.gateway.orders = remote.gateway.trades = _nothing  # type: ignore[method-assign]
    session, _ = awake(remote, night_ns + 5 * MINUTE_NS)
    assert reads(remote, night_ns)
    assert all(one.missing == 0 for one in reads(remote, night_ns))
    assert session.trader.state.desk is not None
    assert session.trader.state.desk.is_compared
    assert not [call for call in remote.calls if "gone from it" in call.what]
    # Yesterday's book, where it is still shown, says how the order ended; an empty one says nothing of it.
    (record,) = session.trader.state.book.records.values()
    assert record.phase is (Phase.WORKING if is_new else Phase.CANCELLED)


@pytest.mark.failure("F36")
def test_a_book_of_the_day_that_loses_an_order_is_not_trusted() -> None:
    remote = Remote(played({3: lambda ctx: ctx.buy(10, limit=490.0)}))
    opened_ns = remote.ticks[0].ts_ns - remote.ticks[0].ts_ns % MINUTE_NS
    remote.live(
        (opened_ns + 4 * MINUTE_NS, lambda _: remote.exchange._orders.clear()),
        (opened_ns + 8 * MINUTE_NS + SECOND_NS, Loop.stop),
    )
    assert any(one.missing == 1 for one in reads(remote, opened_ns + 4 * MINUTE_NS))
    assert [call for call in remote.calls if "gone from it" in call.what]
