"""Nine thousand instruments, three full packets a second each, and orders: `python -m benchmarks.feed_load [SECONDS]`.

A process sends frames over three WebSockets on loopback; this one reads them with the real feed and trades by the real
loop: link, decoder, observer, gate, market data written down, bars of a minute, engine, strategy. Beside the ticks, the
stream tells of orders, and the strategy places five a second, each on the whole way (gate, journal on SQLite synced in
full, outbox), at a broker in this process that fills them at once. Latency is from the moment at which the sender hands
a frame to its socket to the one at which the tick has gone through the engine: what waits in the kernel counts. A bar's
is from the minute's end until the strategy's `on_bar` over all instruments has returned.
"""

import array
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.live_account import ACCOUNT, Silent, kill_file, storage_in, wide_limits
from benchmarks.stream_sender import ROUNDS_A_SECOND, token_of
from manjha.adapters.files.rule_tables import load_rules
from manjha.adapters.kite.feed import Clocks, KiteFeed, Stream
from manjha.adapters.kite.link import TOKENS_MAX
from manjha.adapters.kite.observed import Watched
from manjha.app.trading.live import Broker, RemoteMarket, remote_session
from manjha.app.trading.loop import Loop, People
from manjha.app.trading.remote import RemoteLink
from manjha.app.trading.session import Around, Session
from manjha.app.trading.steady_clock import SteadyClock
from manjha.domain.bars import MINUTE
from manjha.domain.broker import BrokerStatus, OrderSeen, Outcome, PositionSeen, Sent, Source, TradeSeen, Unsent
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.events import Event
from manjha.domain.instrument import Asset, Exchange, Instrument, Kind, cash_id
from manjha.domain.moments import HOUR_NS, MINUTE_NS, SECOND_NS, TradingDay, TsNs, at, parse_day
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Fill, FillId, Origin, Product, RunId, StrategyId
from manjha.domain.sizing import FixedQty
from manjha.domain.ticks import Tick
from manjha.engine.bars import empty_bars
from manjha.engine.state import EngineState
from manjha.market.calendar import trading_days
from manjha.ports.gateway import LastLook, no_objection
from manjha.research.backtest import BacktestSpec
from manjha.services.live_runs import LivePlan
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy

COUNT = 9_000
P99_MAX_MS = 20
HINTS_A_SECOND = 20
ORDER_EVERY_NS = SECOND_NS // 5
DAY = parse_day("2026-11-26")
SENDS_NS = TsNs(at(DAY, 10 * HOUR_NS) + 57 * SECOND_NS)
"""Three seconds before a minute ends, by the market's clock: nothing is bought before there is a bar."""
SETTLES_S, LOOK_S = 30.0, 0.05


class Seen:
    """What was measured: which tick was through the engine when, and how late bars were, in ns."""

    def __init__(self) -> None:
        self.which, self.turn, self.when = (array.array("q") for _ in range(3))
        self.bars: list[tuple[int, int]] = []
        self.hints = 0


class Trades(Strategy):
    """Looks at every bar, and buys or sells one share in turn, five times a second."""

    name: ClassVar[str] = "trades"
    product: ClassVar[Product] = Product.MIS
    instruments_max: ClassVar[int] = 0
    seen: ClassVar[Seen]
    clock: ClassVar[SteadyClock]
    fills = 0
    is_over = False
    asked = 0

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        """Begin."""
        del day
        ctx.set_timer("trade", SENDS_NS + 4 * SECOND_NS)

    def on_timer(self, ctx: Context, key: str) -> None:
        """Buy or sell, and come again."""
        if self.is_over:
            return
        ctx.set_timer(key, self.clock.now_ns() + ORDER_EVERY_NS)
        market = list(ctx.markets.values())[self.asked // 2 % 50]
        if self.asked % 2:
            market.sell(1)
        else:
            market.buy(1)
        self.asked += 1

    def on_bar(self, ctx: Context) -> None:
        """Look at the bars that have come."""
        fresh = [market.close[-1] for market in ctx.markets.values() if market.is_fresh]
        assert max(fresh) > 0
        self.seen.bars.append((len(fresh), self.clock.now_ns() - ctx.now_ns))

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        """Count it."""
        self.fills += 1


class Filling:
    """Implements `ports.gateway.Gateway`: a broker in this process that fills every order at once."""

    def __init__(self, hints: Callable[[], AsyncIterator[str]], now_ns: Callable[[], TsNs], seen: Seen) -> None:
        self._hints, self._now_ns, self._seen = hints, now_ns, seen
        self._orders: list[OrderSeen] = []
        self.fills: list[TradeSeen] = []
        self._held: dict[tuple[Any, Any], int] = {}

    async def submit(self, approved: Approved[SubmitOrder], last_look: LastLook = no_objection) -> Outcome:
        """Take an order and fill it."""
        if why := last_look():
            return Unsent(why)
        await asyncio.sleep(0)
        order, number, now_ns = approved.command.order, f"{len(self._orders) + 1}", self._now_ns()
        terms = (order.instrument, order.side, order.qty)
        self._orders.append(
            OrderSeen(
                number, approved.command.tag, *terms, order.type, order.product, BrokerStatus.COMPLETE, order.qty,
                now_ns, Source.BOOK,
            )
        )  # fmt: skip
        self.fills.append(TradeSeen(FillId(f"t{number}"), number, *terms, Px(1_000_000), order.product, now_ns))
        key = (order.instrument, order.product)
        self._held[key] = self._held.get(key, 0) + int(order.side) * order.qty
        return Sent(number)

    async def modify(
        self, approved: Approved[ModifyOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        """Nothing rests that could be changed."""
        return Unsent("nothing rests")

    async def cancel(
        self, approved: Approved[CancelOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        """Nothing rests that could be cancelled."""
        return Unsent("nothing rests")

    async def orders(self) -> tuple[OrderSeen, ...]:
        """Show all orders."""
        return tuple(self._orders)

    async def trades(self) -> tuple[TradeSeen, ...]:
        """Show all trades."""
        return tuple(self.fills)

    async def positions(self) -> tuple[PositionSeen, ...]:
        """Show what is held."""
        return tuple(PositionSeen(*key, Qty(qty)) for key, qty in self._held.items() if qty)

    async def hints(self) -> AsyncIterator[str]:
        """Pass on what the stream tells, and count it."""
        async for number in self._hints():
            self._seen.hints += bool(number)
            yield number


class Watching(RemoteMarket):
    """What surrounds the engine; shown each tick last of all."""

    def __init__(self, state: EngineState, link: RemoteLink, seen: Seen) -> None:
        super().__init__(state, link)
        self._seen = seen
        self._numbers = {name: number for number, name in enumerate(state.instruments)}
        self._turns = [0] * len(self._numbers)

    def on_tick(self, tick: Tick) -> Iterable[Event]:
        """Note when a tick is through; its volume counts the packets that it stands for."""
        number, seen = self._numbers[tick.instrument], self._seen
        turn = self._turns[number] = self._turns[number] + (tick.volume or 1)
        seen.which.append(number)
        seen.turn.append(turn)
        seen.when.append(time.monotonic_ns())
        return ()


def shares(count: int) -> tuple[Instrument, ...]:
    """Return so many shares."""
    return tuple(
        Instrument(
            id=cash_id("NSE", f"INE{number:09d}"), symbol=f"S{number:05d}", exchange=Exchange.NSE, kind=Kind.EQUITY,
            asset=Asset.EQUITY, tick=Px(500),
        )
        for number in range(count)
    )  # fmt: skip


class Load:
    """One run: the feed, the session and its loop over `count` instruments."""

    def __init__(self, port: int, folder: Path, count: int) -> None:
        self.seen = seen = Seen()
        mono_ns = time.monotonic_ns()
        self.offset_ns = SENDS_NS - (2 + count // 450) * SECOND_NS - mono_ns
        self.clock = clock = SteadyClock(lambda: TsNs(time.monotonic_ns() + self.offset_ns), time.monotonic_ns)
        self.listed = shares(count)
        Trades.seen, Trades.clock = seen, clock
        self.strategy = Trades()
        rules = load_rules()
        spec = BacktestSpec(
            strategy=self.strategy, bars=tuple(empty_bars(one.id, MINUTE) for one in self.listed),
            instruments=self.listed, rules=rules, sizing=FixedQty(Qty(1)),
            controls=wide_limits(tuple(one.id for one in self.listed)),
        )  # fmt: skip
        watched = {token_of(number): Watched(one.id) for number, one in enumerate(self.listed)}
        stream = Stream(f"ws://127.0.0.1:{port}", lambda: ("key", "token"), lambda: clock.now_ns() > SENDS_NS)
        self.feed = KiteFeed(stream, watched, Clocks(clock.now_ns, time.monotonic))
        self.gateway = Filling(self.feed.hints, clock.now_ns, seen)
        broker = Broker(self.gateway, market=lambda state, link: Watching(state, link, seen))
        origin = Origin(ACCOUNT, StrategyId(Trades.name), RunId("BENCH"))
        plan = LivePlan(spec, origin, Trades.name, TsNs(SENDS_NS // MINUTE_NS * MINUTE_NS))
        around = Around(
            time.monotonic_ns, lambda _person: None, kill_file(folder).thrown, lambda _event, _outputs: None
        )
        days = trading_days(rules, DAY, rules.last)
        self.session: Session = remote_session(plan, broker, storage_in(folder), days, clock.now_ns(), around)
        self.loop = Loop(self.session, self.feed, People(None, kill_file(folder)), Silent(), clock, follows_clock=True)

    async def live(self, sender: "subprocess.Popen[str]", given: tuple[int, int, int], log: Path) -> dict[str, Any]:
        """Trade while the sender sends; return what it and we have counted."""
        assert sender.stdin is not None
        assert sender.stdout is not None
        running = asyncio.ensure_future(self.loop.run())
        await self._until(running, lambda: self.feed.health().is_connected and self.clock.now_ns() >= SENDS_NS)
        usage = time.process_time()
        sender.stdin.write(json.dumps([*given, self.offset_ns, str(log)]) + "\n")
        sender.stdin.flush()
        told: dict[str, Any] = json.loads(await asyncio.to_thread(sender.stdout.readline))
        self.strategy.is_over = True
        await self._until(running, lambda: self._is_settled(told))
        cpu = time.process_time() - usage
        sender.stdin.write("\n")
        sender.stdin.flush()
        self.loop.stop()
        await running
        return told | {"cpu_s": cpu, "joined": self.loop.inbox.joined}

    def _is_settled(self, told: dict[str, Any]) -> bool:
        """Tell whether all that was under way has come."""
        booked, gate = len(self.session.trader.state.record_fills), self.session.gate
        through = len(self.seen.which) + self.loop.inbox.joined + sum(gate.kept_out.values())
        return self.seen.hints >= told["hints"] and booked >= len(self.gateway.fills) and through >= told["sent"]

    async def _until(self, running: "asyncio.Future[Any]", so: Callable[[], bool]) -> None:
        """Wait until something is so, for a bounded time; raise what broke the loop."""
        for _ in range(round(SETTLES_S / LOOK_S)):
            if running.done():
                running.result()
            if so():
                return
            await asyncio.sleep(LOOK_S)


def measured(seconds: int, per_frame: int, count: int = COUNT) -> dict[str, Any]:
    """Run once, and return the row."""
    links = -(-count // TOKENS_MAX)
    command = [sys.executable, "-m", "benchmarks.stream_sender", str(count // links)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender,
        tempfile.TemporaryDirectory() as folder,
    ):
        try:
            assert sender.stdout is not None
            port, log = int(sender.stdout.readline()), Path(folder) / "sent.npy"

            async def lived() -> tuple[Load, dict[str, Any]]:
                load = Load(port, Path(folder), count)
                given = (per_frame, seconds * ROUNDS_A_SECOND, HINTS_A_SECOND)
                return load, await load.live(sender, given, log)

            load, told = asyncio.run(lived())
            late = latencies(load.seen, np.load(log), per_frame, links)
        finally:
            sender.kill()
    state, gate = load.session.trader.state, load.session.gate
    row: dict[str, Any] = {"workload": "feed", "seconds": seconds, "per_frame": per_frame, "ticks": told["sent"]}
    row |= {"through": len(load.seen.which), "joined": told["joined"], "kept_out": sum(gate.kept_out.values())}
    row |= {"sender_behind_ms": told["behind_ms"], "cpu_us_a_tick": told["cpu_s"] / told["sent"] * 1e6}
    p50, p99, most = np.percentile(late, (50, 99, 100)) / 1e6
    row |= {"ms_p50": float(p50), "ms_p99": float(p99), "ms_max": float(most)}
    row["bars"] = [[bars, late_ns / 1e6] for bars, late_ns in load.seen.bars]
    row |= {"hints_sent": told["hints"], "hints_heard": load.seen.hints, "orders_asked": load.strategy.asked}
    row |= {"broker_fills": len(load.gateway.fills), "booked": len(state.record_fills), "on_fill": load.strategy.fills}
    row["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    row["no_event_lost"] = is_whole(row)
    row["met"] = row["no_event_lost"] and row["ms_p99"] <= P99_MAX_MS
    return row


def is_whole(row: dict[str, Any]) -> bool:
    """Tell whether every order event that went in has come out, and every tick is accounted for."""
    ticks = row["through"] + row["joined"] + row["kept_out"] == row["ticks"]
    fills = row["broker_fills"] == row["booked"] == row["on_fill"] > 0
    return bool(ticks and fills and row["hints_heard"] == row["hints_sent"])


def latencies(seen: Seen, sent: NDArray[np.int64], per_frame: int, links: int) -> NDArray[np.int64]:
    """Return how long each tick took, in ns, in the order in which they came through."""
    which, turn, when = (np.frombuffer(one, np.int64) for one in (seen.which, seen.turn, seen.when))
    # The feed deals instruments out to its links in turn.
    link, place = which % links, which // links
    return np.asarray(when - sent[link, turn - 1, place // per_frame])


def main(seconds: str = "60", per_frame: str = "100") -> int:
    """Measure and print a row; the exit code is 1 when the goal is missed."""
    row = measured(int(seconds), int(per_frame))
    print(json.dumps(row))
    return int(not row["met"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
