"""Live days of a strategy that asks for groups of legs, and what must hold of them at every step."""

import random
from collections.abc import Callable
from typing import ClassVar

from manjha.domain.moments import MINUTE_NS
from manjha.domain.orders import Leg, LegGroup, Product, Side
from manjha.orders.legs import LEAVING, OVER
from manjha.research.backtest import BacktestSpec
from manjha.strategy.context import Context, Market
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param
from tests.fakes.hand_made import spec_of
from tests.simulation.day import LIMITS, Day
from tests.simulation.process import Process


class LegChancer(Strategy):
    """Sells one share against another by chance; its choices follow from seed and bar alone."""

    name: ClassVar[str] = "leg-chancer"
    product: ClassVar[Product] = Product.MIS
    instruments_max: ClassVar[int] = 0
    seed: int = param(0, low=0, high=2**31 - 1)

    def on_bar(self, ctx: Context) -> None:
        """Ask for a group where there is none, or end it."""
        rng = random.Random(self.seed * 1_000_003 + ctx.position_index)
        if not ctx.groups() and rng.random() < 0.7:
            bought, sold = rng.sample(list(ctx.markets.values()), 2)
            legs = (self._leg(rng, sold, Side.SELL), self._leg(rng, bought, Side.BUY))
            combined = ctx.combined(stop=rng.uniform(5, 50)) if rng.random() < 0.5 else None
            patience = rng.choice((5, 60, 200)) * MINUTE_NS // 60
            group = LegGroup(legs, units=rng.randint(1, 9), combined=combined, reentries=1, patience_ns=patience)
            ctx.legs(group)
        elif rng.random() < 0.1:
            ctx.close_legs()

    def _leg(self, rng: random.Random, market: Market, side: Side) -> Leg:
        terms = {"stop": market.close[-1] * (1 - side * rng.uniform(0.002, 0.01))} if rng.random() < 0.4 else {}
        return market.leg(side, rng.randint(1, 3), **terms)


class LegDay(Day):
    """A day of groups of legs. `phases` are those that were seen."""

    strategy: ClassVar[str] = LegChancer.name

    def __init__(self, seed: int, mutate: Callable[[Day], None] | None = None) -> None:
        super().__init__(seed, mutate)
        self.phases: set[str] = set()

    def spec(self) -> BacktestSpec:
        """Return what the run is made of."""
        return spec_of(LegChancer(seed=self.seed % 2**31), *self.bars, limits=LIMITS, controls=self.controls)

    def check(self, process: Process) -> None:
        """Look at the groups, then at all else."""
        state = process.state
        for saga in state.groups.values():
            self.phases.add(saga.phase)
            assert (saga.id in state.sagas) is (saga.phase not in OVER), saga.phase
            assert saga.phase not in OVER or not any(leg.held for leg in saga.legs)
        for saga in state.sagas.values():
            sold = any(leg.held > 0 for leg in saga.legs if not leg.is_bought)
            hedged = all(leg.held == leg.target for leg in saga.legs if leg.is_bought)
            assert not sold or hedged or saga.phase in LEAVING, saga
        for name in self.marks:
            legs = [leg for saga in state.groups.values() if (leg := saga.leg_in(name))]
            assert sum(int(leg.leg.side) * leg.held for leg in legs) == state.held(name, Product.MIS), legs
        super().check(process)
