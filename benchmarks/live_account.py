"""A live trader of ours put together as `manjha trade --live` does it, at an exchange on this machine."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.exchange_process import KEY
from manjha.adapters.files.kill_switch import KillSwitchFile
from manjha.adapters.files.segments import SegmentFolder
from manjha.adapters.kite.feed import Clocks, KiteFeed, Stream
from manjha.adapters.kite.gateway import KiteGateway
from manjha.adapters.kite.limits import Limits
from manjha.adapters.kite.rest import KiteRest, Login
from manjha.adapters.kite.transport import Transport
from manjha.adapters.sql.journal import SqlJournal
from manjha.app.bootstrap import system_clock
from manjha.app.kite.account import todays_names
from manjha.app.kite.times import times_at
from manjha.app.trading.live import Broker, remote_session
from manjha.app.trading.live_history import history_until
from manjha.app.trading.loop import Loop, People
from manjha.app.trading.remote import Pace
from manjha.app.trading.session import Around, Session
from manjha.app.trading.steady_clock import SteadyClock
from manjha.domain.controls import Status
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs, day_of
from manjha.domain.money import Cash, Qty
from manjha.domain.orders import AccountId, Order, OrderId, Origin, RunId, StrategyId
from manjha.market.calendar import trading_days
from manjha.ports.feed import Feed
from manjha.research.backtest import BacktestSpec
from manjha.risk.control_limits import ControlLimits
from manjha.risk.governor import RateLimits
from manjha.risk.profit import ProfitRule
from manjha.risk.protections import CooldownPeriod
from manjha.services.live_runs import LivePlan

ACCOUNT = AccountId("BENCH1")
HIGH = Cash(10**15)
READ_GAP_S = 0.05
"""As the exchange's time passes faster than real time, an order is known to have gone sooner."""


class AtExchange(NamedTuple):
    """An account at an exchange of this machine: the way there, and what time it is there."""

    root: str
    token: str
    rest: KiteRest
    clock: SteadyClock

    def now_ns(self) -> TsNs:
        """Return the time at the exchange."""
        return self.clock.now_ns()


class Silent:
    """Implements `app.trading.loop.Watcher`: leaves no sign."""

    def beat(self, session: Session, *, ended: bool) -> None:
        """Leave no sign."""

    def status(self, session: Session) -> Status:
        """Nobody asks."""
        raise NotImplementedError


@asynccontextmanager
async def at_exchange(root: str, token: str, speed: int) -> AsyncIterator[AtExchange]:
    """Give the way to an account, until the end of the block. Limits of requests count by the exchange's time."""
    times = await times_at(root, time.monotonic_ns)
    orders, reads = Transport(root), Transport(root)
    loop = asyncio.get_running_loop()
    limits = Limits(lambda: loop.time() * speed, lambda seconds: asyncio.sleep(seconds / speed))
    try:
        yield AtExchange(root, token, KiteRest(orders, reads, Login(KEY, lambda: token), limits), times.clock)
    finally:
        await orders.close()
        await reads.close()


def wide_limits(allowed: tuple[InstrumentId, ...]) -> ControlLimits:
    """Return controls of every kind, so high that all is let through: that asks the most of the gate."""
    return ControlLimits(
        allowed=allowed, order_qty_max=Qty(10**6), order_value_max=HIGH, open_value_max=HIGH,
        instrument_value_max=HIGH, gross_value_max=HIGH, net_value_max=HIGH, entries_max=10**6, collar_share=2_000,
        price_age_max_ns=120 * SECOND_NS, orders_day_max=10**6, duplicate_ns=1,
        rate=RateLimits(per_minute=390, account_per_minute=390, per_day=10**6, account_per_day=10**6),
        profit=(ProfitRule(stop=HIGH),), protections=(CooldownPeriod(stop_ns=SECOND_NS),),
    )  # fmt: skip


async def begun(kite: AtExchange, spec: BacktestSpec, folder: Path) -> tuple[Session, KiteFeed]:
    """Begin a run with its journal and its market data in a folder; return it with the ticker."""
    today, now_ns = day_of(kite.now_ns()), kite.now_ns()
    listed = await todays_names(kite.rest, spec.instruments)
    stream = Stream(kite.root.replace("http", "ws", 1), lambda: (KEY, kite.token), lambda: True)
    feed = KiteFeed(stream, listed.watched, Clocks(kite.now_ns, time.monotonic))
    taken: list[Session] = []

    def order_of(order_id: OrderId) -> Order:
        return taken[0].trader.state.book.records[order_id].order

    broker = Broker(KiteGateway(kite.rest, listed.names, order_of, feed.hints), pace=Pace(read_gap_s=READ_GAP_S))
    until_ns = history_until(spec.rules, spec.instruments, [one.interval for one in spec.bars], now_ns)
    origin = Origin(ACCOUNT, StrategyId(spec.strategy.name), RunId("BENCH"))
    plan = LivePlan(spec, origin, spec.strategy.name, until_ns)
    around = Around(time.monotonic_ns, lambda _person: None, kill_file(folder).thrown, lambda _event, _outputs: None)
    session = remote_session(
        plan, broker, storage_in(folder), trading_days(spec.rules, today, spec.rules.last), now_ns, around
    )
    taken.append(session)
    return session, feed


def storage_in(folder: Path) -> tuple[SqlJournal, SegmentFolder]:
    """Return the journal and the market data of a folder."""
    return SqlJournal(f"sqlite:///{folder}/journal.db", ACCOUNT), SegmentFolder(folder / "segments", ACCOUNT)


def kill_file(folder: Path) -> KillSwitchFile:
    """Return the kill switch, which nobody throws."""
    return KillSwitchFile(folder / "kill.json", system_clock())


def loop_of(kite: AtExchange, session: Session, feed: Feed, folder: Path) -> Loop:
    """Return the loop that trades, by the clock."""
    return Loop(session, feed, People(None, kill_file(folder)), Silent(), kite.clock, follows_clock=True)
