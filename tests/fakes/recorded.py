"""Recorded runs: a strategy that does a bit of everything and remembers it, and one made again for a replay."""

from typing import Any, ClassVar

import msgspec
import numpy as np

from manjha.domain.moments import TradingDay
from manjha.domain.money import RUPEE, Cash
from manjha.domain.orders import Fill, Product, Side
from manjha.ports.journal import Journal
from manjha.ports.segments import MarketSegments
from manjha.research.backtest import BACKTEST, BacktestSpec, run_backtest
from manjha.risk.control_limits import ControlLimits
from manjha.risk.governor import RateLimits
from manjha.risk.profit import ProfitRule
from manjha.risk.protections import CooldownPeriod, StopLossGuard
from manjha.services.recorded_backtests import Recording
from manjha.services.replays import Recorded, Replays, RunReplayed, recorded_runs
from manjha.strategy.context import Context, Market
from manjha.strategy.indicators import sma
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param
from tests.fakes.hand_made import spec_of
from tests.fakes.journals import MemoryJournal, SharedMemory
from tests.fakes.random_runs import pick, random_bars, random_terms
from tests.fakes.segments import MemorySegments


class Restless(Strategy):
    """Draws what it does from a number that it carries along, with every kind of order, timers and callbacks."""

    instruments_max: ClassVar[int] = 0
    luck: int = param(1)

    def init(self, ctx: Context) -> None:
        self.averages = {
            name: ctx.indicator(sma, "close", market=market, length=3) for name, market in ctx.markets.items()
        }
        self.main = ctx.market
        self.state = self.luck
        self.seen: list[int] = []
        self.bought: dict[str, list[tuple[int, float]]] = {}
        self.sides: set[Side] = set()
        self.last: tuple[Any, ...] = (None, True, "none", 2**70)

    def draw(self, upto: int) -> int:
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % upto

    def on_bar(self, ctx: Context) -> None:
        self.seen = [*self.seen[-5:], ctx.position_index]
        for market in ctx.universe.values():
            if market.is_fresh and self.draw(3) == 0:
                self.act(ctx, market)

    def act(self, ctx: Context, market: Market) -> None:
        px, what = market.close[-1], self.draw(10)
        above = px > self.averages[market.instrument.id][-1]
        side = Side.BUY if above or self.product is Product.CNC else Side.SELL
        self.sides.add(side)
        sign = int(side)
        if what < 5 and not market.position:
            limit = (None, px - sign * 0.5, px + sign * 0.5)[self.draw(3)]
            stop, target = px - sign * (2 + self.draw(4)), px + sign * (2 + self.draw(4))
            trail = 1.0 + self.draw(3) if self.draw(2) else None
            exit_ns = ctx.now_ns + (1 + self.draw(9)) * 900 * 10**9 if self.draw(3) == 0 else 0
            near = (
                {"stop": max(stop, 0.5), "target": max(target, 0.5)}
                if limit is None or sign * (limit - stop) > 0
                else {}
            )
            ctx.order(market, side, self.draw(40), limit=limit, trail=trail, exit_ns=exit_ns, **near)
        elif what < 7:
            market.close_position()
        elif what == 7:
            market.cancel()
        elif what == 8:
            for order in market.orders()[:1]:
                market.modify(order, limit=order.limit / 10_000 + 0.05 if order.limit else None)
        else:
            ctx.set_timer(f"{market.instrument.id} {self.draw(2)}", ctx.now_ns + (1 + self.draw(5)) * 450 * 10**9)
        self.last = (market, above, what, self.last[-1] + 1)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        self.bought.setdefault(fill.instrument, []).append((fill.qty, fill.px / 10_000))
        if self.draw(20) == 0:
            ctx.markets[fill.instrument].close_position()

    def on_timer(self, ctx: Context, key: str) -> None:
        market = ctx[key.split(maxsplit=1)[0]]
        if not market.position and key.endswith("1"):
            ctx.order(market, Side.BUY, 5, stop=max(market.close[-1] - 3, 0.5))

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        if ctx.position_index > 0 and self.draw(4) == 0:
            ctx.target(self.draw(5) / 10)

    def universe(self, day: TradingDay, listed: Any) -> Any:
        return [one for at, one in enumerate(listed) if at == 0 or (day + at + self.luck) % 3]


def restless_run(seed: int) -> BacktestSpec:
    """Return a run of `Restless` over a random market under random terms."""
    rng = np.random.default_rng(seed)
    strategy = Restless(luck=seed)
    vars(strategy)["product"] = pick(rng, [Product.CNC, Product.MIS])
    return spec_of(strategy, *random_bars(rng), **random_terms(rng))


def controlled_run(seed: int) -> BacktestSpec:
    """Return a run of `Restless` that controls of every kind hold back."""
    rng = np.random.default_rng(seed + 1)
    controls = ControlLimits(
        gross_value_max=Cash(pick(rng, [0, 100_000, 400_000]) * RUPEE),
        price_age_max_ns=0,
        entries_max=pick(rng, [0, 3]),
        rate=pick(rng, [None, RateLimits(per_second=2, per_minute=4, reserve=20, age_max_ns=300 * 10**9)]),
        profit=(ProfitRule(stop=Cash(pick(rng, [0, 200]) * RUPEE)),),
        protections=(CooldownPeriod(stop_ns=600 * 10**9), StopLossGuard(lookback_ns=10**13, trades=2, stop_ns=10**13)),
    )
    return msgspec.structs.replace(restless_run(seed), controls=controls)


def made_again(strategy: Strategy) -> dict[str, Any]:
    """Let a strategy's class make strategies with the attributes of a dict, which is returned to be filled.

    So what a seeded generator gave in the first run is not drawn again.
    """
    held: dict[str, Any] = {}

    class Again(type(strategy)):  # type: ignore[misc]
        name = strategy.name

        def __init__(self, **_given: object) -> None:
            self.__dict__.update(held)

    strategy.__class__ = Again
    return held


class Tape:
    """A run that was recorded, and how it is replayed."""

    def __init__(
        self,
        spec: BacktestSpec,
        journal: Journal | None = None,
        segments: MarketSegments | None = None,
        snapshot_every: int = 60,
    ) -> None:
        self.shared = SharedMemory(BACKTEST)
        self.journal = journal or MemoryJournal(self.shared)
        self.segments = segments or MemorySegments(BACKTEST)
        self.spec = spec
        recording = Recording(self.journal, self.segments, "again", snapshot_every=snapshot_every)
        held = {} if isinstance(spec.strategy, Restless) else made_again(spec.strategy)
        self.result = recording.run(run_backtest, spec)
        held.update(vars(spec.strategy))
        self.strategy = type(spec.strategy)

    @property
    def runs(self) -> list[Recorded]:
        return recorded_runs(self.journal)

    def replayed(self, *, from_snapshot: bool = False, at: int = -1) -> RunReplayed:
        replays = Replays(self.journal, self.segments, lambda _name: self.strategy, self.spec.rules)
        return replays.replay(self.runs[at], from_snapshot=from_snapshot)

    def cut(self, seq: int) -> "Tape":
        """Return the same, its journal ending at a row, as it was when that row was its last."""
        other = object.__new__(Tape)
        vars(other).update(vars(self))
        other.shared = SharedMemory(BACKTEST)
        other.shared.rows = self.shared.rows[:seq]
        last = other.shared.rows[-1]
        other.shared.head = type(self.shared.head)(BACKTEST, last.epoch, seq, last.hash)
        other.shared.snapshots = [one for one in self.shared.snapshots if one.seq <= seq]
        other.journal = MemoryJournal(other.shared)
        return other
