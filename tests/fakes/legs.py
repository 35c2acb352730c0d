"""An index and contracts on it in five-minute bars, written down as closes; strategies of groups of legs on them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from manjha.domain.instrument import Instrument, Right
from manjha.domain.moments import parse_day
from manjha.domain.money import RUPEE, Cash, Px, Qty
from manjha.domain.orders import LegGroup, Product, Side
from manjha.research.backtest import BacktestSpec
from manjha.simulator.fills import FillRules
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import Volume, flat, minutes, spec_of
from tests.fakes.market_rules import index, option

MONDAY, EXPIRY, LOT = parse_day("2024-02-26"), "2024-02-29", 75
NIFTY = index()
CROWD = Cash(10**8 * RUPEE)
"""Money enough for anything here: ten crores."""
Script = Mapping[int, Callable[[Context], None]]


def contract(strike: str, right: Right = Right.CALL, *, freeze: int = 0, expiry: str = EXPIRY) -> Instrument:
    """Return an option on the index with a lot of 75."""
    found = option(strike=strike, right=right, expiry=expiry)
    return msgspec.structs.replace(found, lot=Qty(LOT), freeze=Qty(freeze))


SOLD, HEDGE = contract("22200"), contract("22500")
SOLD_PUT, HEDGE_PUT = contract("21800", Right.PUT), contract("21500", Right.PUT)


class Scripted(Strategy):
    """Do what the script says at the close of a bar."""

    instruments_max: ClassVar[int] = 0
    product: ClassVar[Product] = Product.NRML
    script: ClassVar[Script] = {}

    def on_bar(self, ctx: Context) -> None:
        """Play the script."""
        if ctx.position_index in self.script:
            self.script[ctx.position_index](ctx)


def spread(**terms: Any) -> Callable[[Context], None]:
    """Return what asks for a call sold and a farther one bought; `sold` and `bought` are terms of the legs."""
    sold, bought = terms.pop("sold", {}), terms.pop("bought", {})
    combined = terms.pop("combined", None)

    def ask(ctx: Context) -> None:
        legs = (ctx[SOLD.symbol].leg(Side.SELL, **sold), ctx[HEDGE.symbol].leg(Side.BUY, **bought))
        exits = None if combined is None else ctx.combined(**combined)
        ctx.legs(LegGroup(legs, combined=exits, **terms))

    return ask


def spec_for(
    script: Script,
    contracts: Mapping[Instrument, Sequence[float]],
    *,
    product: Product = Product.NRML,
    thin: Mapping[Instrument, Volume] = {},
    base: type[Strategy] = Scripted,
    **changes: Any,
) -> BacktestSpec:
    """Return five-minute bars of contracts, given as closes from Monday on, beside an index that stands at 22,000."""
    strategy = type("Played", (base,), {"__doc__": "Played.", "script": script, "product": product})()
    rows = max(len(closes) for closes in contracts.values())
    prices: dict[Instrument, Sequence[float]] = {NIFTY: [22_000] * rows} | dict(contracts)
    bars = [
        minutes(one, [flat(px, up=0.05) for px in closes], day=MONDAY, volume=thin.get(one, 10**6))
        for one, closes in prices.items()
    ]
    given: dict[str, Any] = {"initial": CROWD, "contract_notes": False, "fills": FillRules(participation_ppm=0)}
    spec = spec_of(strategy, *bars, **(given | changes))
    return msgspec.structs.replace(spec, instruments=tuple(prices))


def rupees(px: float) -> Px:
    """Return a price in 1e-4 rupee."""
    return Px(round(px * RUPEE))
