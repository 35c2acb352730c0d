"""A strategy that does anything at all: its choices follow from seed and bar alone, so that a replay repeats them."""

import random
from typing import ClassVar

from manjha.domain.orders import Product
from manjha.strategy.context import Context, Market
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param


class Chancer(Strategy):
    """Buys, sells, protects, changes and cancels by chance."""

    name: ClassVar[str] = "chancer"
    product: ClassVar[Product] = Product.MIS
    instruments_max: ClassVar[int] = 0
    seed: int = param(0, low=0, high=2**31 - 1)

    def on_bar(self, ctx: Context) -> None:
        """Do something in one of the instruments, or nothing."""
        rng = random.Random(self.seed * 1_000_003 + ctx.position_index)
        if rng.random() < 0.4:
            return
        market = rng.choice(list(ctx.markets.values()))
        if rng.random() < 0.07:
            for _ in range(rng.randint(2, 6)):
                some = rng.choice(list(ctx.markets.values()))
                self._enter(rng, some, some.close[-1])
            return
        choice, close = rng.random(), market.close[-1]
        if choice < 0.35:
            self._enter(rng, market, close)
        elif choice < 0.5:
            market.close_position()
        elif choice < 0.6:
            market.cancel()
        elif choice < 0.75 and market.orders():
            order = rng.choice(market.orders())
            if order.limit:
                market.modify(order, limit=close * (1 + rng.uniform(-0.004, 0.004)))
        elif choice < 0.85:
            market.target(rng.choice([-0.02, 0.0, 0.02]))

    def _enter(self, rng: random.Random, market: Market, close: float) -> None:
        side = rng.choice([1, -1])
        terms: dict[str, float] = {}
        if rng.random() < 0.5:
            terms["limit"] = close * (1 - side * rng.uniform(0, 0.003))
        if rng.random() < 0.6:
            terms["stop"] = close * (1 - side * rng.uniform(0.004, 0.01))
            if rng.random() < 0.6:
                terms["target"] = close * (1 + side * rng.uniform(0.004, 0.01))
            if rng.random() < 0.3:
                terms["trail"] = close * 0.006
        (market.buy if side > 0 else market.sell)(rng.randint(1, 40), **terms)
