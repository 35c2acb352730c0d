"""The fill rules: scalar functions on plain integers, one a rule of `docs/fill-rules.md`, and the choices a user has.

The venue calls them bar by bar; a compiled kernel can wrap the same ones. `side` is +1 to buy, -1 to sell; prices in
1e-4 rupee.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.simulator.slippage import NoSlippage, SlippageModel

PPM = 1_000_000
"""One, in the parts per million that participation is stated in."""


class MarketFill(StrEnum):
    """When a market order decided at a bar's close trades."""

    NEXT_OPEN = "next open"
    DECIDING_CLOSE = "deciding close"


class LimitFill(StrEnum):
    """What the market must do for a resting limit order to trade."""

    TOUCH = "touch"
    PENETRATION = "penetration"


class Path(StrEnum):
    """Which way a bar is taken to have gone where its four prices leave it open."""

    WORST = "worst"
    BEST = "best"


class FillRules(msgspec.Struct, frozen=True, kw_only=True):
    """The choices of the rule book. The defaults are the careful ones.

    `participation_ppm` is the largest share of a bar's volume that our orders may trade in all; 0 means any quantity.
    `orders_end_with_day` false lets orders rest until cancelled, as a GTT would.
    """

    market: MarketFill = MarketFill.NEXT_OPEN
    limit: LimitFill = LimitFill.TOUCH
    path: Path = Path.WORST
    participation_ppm: int = PPM
    orders_end_with_day: bool = True


class VenueModels(msgspec.Struct, frozen=True, kw_only=True):
    """The named models of a venue.

    `latency_ns` is from our decision to the exchange's book. `bands` are daily price bands around the previous close,
    in 1e-9, for instruments that have one.
    """

    rules: FillRules = FillRules()
    slippage: SlippageModel = NoSlippage()
    latency_ns: int = 0
    bands: Mapping[InstrumentId, int] = {}


def limit_at_open(side: int, limit: int, opened: int, through: int = 0) -> bool:
    """Tell whether a limit order trades at the open: it is at the limit or better, by `through` at least."""
    return (limit - opened) * side >= through


def stop_at_open(side: int, trigger: int, opened: int) -> bool:
    """Tell whether a stop triggers at the open: the open is at the trigger or beyond (a gap)."""
    return (opened - trigger) * side >= 0


def limit_in_range(side: int, limit: int, low: int, high: int, tick: int) -> bool:
    """Tell whether a limit order trades inside the bar; `tick` 0 for touch, else how far price must go through."""
    return low <= limit - tick if side > 0 else high >= limit + tick


def stop_in_range(side: int, trigger: int, low: int, high: int) -> bool:
    """Tell whether a stop triggers inside the bar."""
    return high >= trigger if side > 0 else low <= trigger


def stop_price(side: int, trigger: int, opened: int) -> int:
    """Return the price of a stop triggered inside the bar: the trigger, or the open if that was beyond it already.

    The latter happens only to a stop that came after the open, as the stop of an entry that gapped.
    """
    return max(trigger, opened) if side > 0 else min(trigger, opened)


def fillable(left: int, volume: int, participation_ppm: int, used: int, lot: int) -> int:
    """Return how much of an order the bar's liquidity allows, in whole lots; `used` is what it gave already."""
    if participation_ppm == 0:
        return left
    free = volume * participation_ppm // PPM - used
    return min(left, free // lot * lot) if free > 0 else 0


def locked(low: int, high: int, band_low: int, band_high: int) -> int:
    """Return +1 when the bar sat on the upper circuit (nobody sells), -1 on the lower (nobody buys), else 0."""
    if low != high:
        return 0
    if band_high and high >= band_high:
        return 1
    return -1 if band_low and low <= band_low else 0
