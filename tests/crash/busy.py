"""A strategy that always does something: enters, protects, changes, cancels and closes, by its seed and bar alone."""

import random
from typing import ClassVar

from manjha.domain.orders import Product
from manjha.strategy.context import Context, Market
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param


class Busy(Strategy):
    """Acts in each of its instruments at each bar."""

    name: ClassVar[str] = "busy"
    product: ClassVar[Product] = Product.MIS
    instruments_max: ClassVar[int] = 0
    seed: int = param(0, low=0, high=2**31 - 1)

    def on_bar(self, ctx: Context) -> None:
        """Do something in every instrument."""
        rng = random.Random(self.seed * 1_000_003 + ctx.position_index)
        for market in ctx.markets.values():
            choice, close, resting = rng.random(), market.close[-1], market.orders()
            if len(resting) > 8 or choice < 0.2:
                market.cancel()
            elif choice < 0.35 and resting:
                order = rng.choice(resting)
                if order.limit:
                    market.modify(order, limit=close * (1 + rng.uniform(-0.004, 0.004)))
            elif choice < 0.45:
                market.close_position()
            else:
                self._enter(rng, market, close)

    def _enter(self, rng: random.Random, market: Market, close: float) -> None:
        side = rng.choice([1, -1])
        terms: dict[str, float] = {}
        if rng.random() < 0.6:
            terms["limit"] = close * (1 - side * rng.uniform(0, 0.003))
        if rng.random() < 0.5:
            terms["stop"] = close * (1 - side * rng.uniform(0.004, 0.01))
            terms["target"] = close * (1 + side * rng.uniform(0.004, 0.01))
        (market.buy if side > 0 else market.sell)(rng.randint(1, 40), **terms)
