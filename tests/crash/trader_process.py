"""Traders to be killed: each a process of its own, forked from one that has loaded everything and does nothing else.

Run as `python -m tests.crash.trader_process FOLDER SEED JOURNAL PORT`. A line of JSON on its stdin starts a trader:
`{"point": …, "nth": …, "signal": …}`, with an empty point for one that nothing strikes from inside. It says `started
PID`, and `ended PID STATUS` when that one has ended. Traders leave signs in FOLDER/signs: born, compared, at a point,
ended.
"""

import asyncio
import importlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from manjha.app.bootstrap import journal_to_write, kill_switch, market_segments
from manjha.app.cli.errors import guarded
from manjha.app.settings import load_settings
from manjha.app.trading.account_parts import leader_lock
from manjha.app.trading.live import Broker, remote_session
from manjha.app.trading.loop import Loop, People
from manjha.app.trading.remote import Pace
from manjha.app.trading.session import Around, Session
from manjha.app.trading.steady_clock import SteadyClock
from manjha.domain.commands import CallPerson
from manjha.domain.controls import Status
from manjha.domain.events import Event
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.orders import AccountId, Origin, RunId, StrategyId
from manjha.domain.ticks import Tick
from manjha.engine.handlers.broker import desk_of
from manjha.engine.state import EngineState
from manjha.ports.feed import FeedHealth
from manjha.ports.journal import Journal
from manjha.ports.kill_switch import KillSwitch
from manjha.ports.segments import MarketSegments
from manjha.research.growing_run import prepare_growing
from manjha.services.code_hash import code_hash
from manjha.services.live_runs import LivePlan
from tests.crash import armed, busy
from tests.crash.broker_client import BrokerClient
from tests.crash.market import BAR_S, DAY, END_NS, LATEST_NS, OPEN_NS, SHARES, MarketClock, ticks_of
from tests.fakes.hand_made import flat, minutes, spec_of

STIR_S = 0.01
SNAPSHOT_EVERY = 80
"""Rows from one snapshot to the next: these days are short."""
PACE = Pace(answer_s=1.0, read_s=2.0, read_gap_s=0.01, hints_again_s=0.1)
"""By the machine's seconds, of which the market's are a small part."""


class MarketFeed:
    """Implements `ports.feed.Feed`: ticks as the market's clock comes to them; those of the past are missed."""

    def __init__(self, ticks: Iterable[Tick], clock: MarketClock, is_calm: Callable[[], bool]) -> None:
        self._ticks, self._clock, self._is_calm = ticks, clock, is_calm

    async def ticks(self) -> AsyncIterator[Tick]:
        """Yield ticks until the account need not be watched any more."""
        born_ns = self._clock.now_ns()
        for tick in self._ticks:
            if tick.ts_ns >= born_ns:
                await self._until(tick.ts_ns)
                yield tick
        # On a busy machine a turn may take minutes of the market.
        for ts_ns in range(END_NS, LATEST_NS, SECOND_NS):
            await self._until(ts_ns)
            if self._is_calm():
                return

    async def _until(self, ts_ns: int) -> None:
        # The market may go quicker meanwhile: it is looked at anew after a moment.
        left_ns = ts_ns - self._clock.now_ns()
        while left_ns > 0:
            await asyncio.sleep(min(left_ns / self._clock.speed / SECOND_NS, 0.05))
            left_ns = ts_ns - self._clock.now_ns()

    def health(self) -> FeedHealth:
        """Return nothing of interest."""
        return FeedHealth(True, 0, TsNs(0), TsNs(0))

    async def close(self) -> None:
        """Do nothing."""


def account_of(seed: int) -> AccountId:
    """Return whose account is traded: several may lie in one database."""
    return AccountId(f"CR{seed:06}")


def plan_of(seed: int) -> LivePlan:
    """Return what is traded: the busy strategy on some shares, after an hour of history."""
    bars = [minutes(share, [flat(500.0)] * 40, length=BAR_S) for share in SHARES]
    spec = spec_of(busy.Busy(seed=seed), *bars)
    origin = Origin(account_of(seed), StrategyId(spec.strategy.name), RunId(f"crash-{seed}"))
    return LivePlan(spec, origin, str(Path(busy.__file__)), OPEN_NS, snapshot_every=SNAPSHOT_EVERY)


class Trader:
    """One life of a trader."""

    def __init__(self, folder: Path, seed: int, where: str, port: int) -> None:
        self.folder, self.where, self.port, self.account = folder, where, port, account_of(seed)
        self.clock = MarketClock(folder / "clock")
        self.plan, self.ticks = plan_of(seed), ticks_of(seed)
        self.signs = os.open(folder / "signs", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.state: EngineState | None = None
        self._compared = False

    def sign(self, what: str, **more: object) -> None:
        """Leave a sign."""
        line = {"pid": os.getpid(), "what": what, "mono_ns": time.monotonic_ns()} | more
        os.write(self.signs, json.dumps(line).encode() + b"\n")

    def trade(self) -> None:
        """Trade until the day is over."""
        self.sign("born")
        settings = load_settings()
        lock = leader_lock(self.where, self.account)
        lock.acquire()
        journal = journal_to_write(self.where, self.account)
        segments = market_segments(settings, self.where, self.account)
        state = asyncio.run(self._trade((journal, segments), kill_switch(settings)))
        self.sign("ended", report=report_of(state))
        segments.close()
        journal.close()
        lock.release()

    async def _trade(self, storage: tuple[Journal, MarketSegments], kill: KillSwitch) -> EngineState:
        broker = Broker(BrokerClient(self.port), PACE)
        around = Around(time.monotonic_ns, _nobody, kill.thrown, self._seen)
        session = remote_session(self.plan, broker, storage, [DAY], self.clock.now_ns(), around)
        state = self.state = session.trader.state
        feed = MarketFeed(self.ticks, self.clock, lambda: is_calm(state))
        steady = SteadyClock(self.clock.now_ns, self.clock.now_ns)
        loop = Loop(session, feed, People(None, kill), self, steady, follows_clock=True)
        stirring = asyncio.create_task(_stirred(loop))
        try:
            await loop.run()
        finally:
            stirring.cancel()
        return state

    def _seen(self, event: Event, outputs: Iterable[object]) -> None:
        """Leave a sign when the account may trade."""
        desk = None if self.state is None else self.state.desk
        if not self._compared and desk is not None and desk.is_compared:
            self._compared = True
            self.sign("compared")

    def beat(self, session: Session, *, ended: bool) -> None:
        """Leave no vital signs."""

    def status(self, session: Session) -> Status:
        """Tell nobody."""
        return {}


def is_calm(state: EngineState) -> bool:
    """Tell whether nothing is in doubt."""
    desk = desk_of(state)
    return desk.is_compared and not desk.unconfirmed


def _nobody(person: CallPerson) -> None:
    """Call nobody."""


async def _stirred(loop: Loop) -> None:
    """Wake a loop that waits by the machine's seconds: the market's are shorter."""
    while True:
        loop.inbox.stirred.set()
        await asyncio.sleep(STIR_S)


def report_of(state: EngineState) -> dict[str, object]:
    """Return what the trader believes at the end, in plain words and exact numbers (1e-4 rupee)."""
    desk, ledger = desk_of(state), state.portfolio.ledger
    orders = [(one, one.at_broker) for one in state.book.records.values() if one.at_broker is not None]
    return {
        "orders": [
            {
                "id": one.order.id, "tag": at.tag, "number": at.broker_id, "phase": str(one.phase),
                "filled": one.filled, "turnover": one.turnover,
            }
            for one, at in orders
        ],
        "positions": [
            [one.key.instrument, str(one.key.product), one.qty, one.cost, one.realised]
            for one in state.portfolio.positions.values()
        ],
        "external": [[name, str(product), qty] for (name, product), qty in desk.external.items()],
        "initial": int(state.setup.initial),
        "cash": int(ledger.cash),
        "charges": int(ledger.charges().total),
        "unconfirmed": list(desk.unconfirmed),
        "compared": desk.is_compared,
    }  # fmt: skip


def serve(folder: Path, seed: int, where: str, port: int) -> None:
    """Fork a trader for each line, and tell how it ended."""
    trader = Trader(folder, seed, where, port)
    _load(where, trader)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            if asked["point"]:
                armed.arm(asked["point"], asked["nth"], asked["signal"], trader.signs)
            os._exit(guarded(trader.trade, sys.argv))
        _say(f"started {child}")
        _, status = os.waitpid(child, 0)
        _say(f"ended {child} {os.waitstatus_to_exitcode(status)}")


def _load(where: str, trader: Trader) -> None:
    """Load what a trader loads, so that its time is its own; the interpreter's start is not what is measured."""
    prepare_growing(plan_of(0).spec, trader.plan.origin)
    code_hash()
    importlib.import_module("sqlalchemy.dialects.sqlite.pysqlite")
    importlib.import_module("manjha.adapters.system.leader_lock")
    if "://" in where:
        for name in ("psycopg", "sqlalchemy.dialects.postgresql.psycopg", "manjha.adapters.sql.leader_lock"):
            importlib.import_module(name)


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
