"""How much to trade: the policies a user chooses from. The arithmetic is in `risk/sizing.py`."""

from enum import StrEnum

import msgspec

from manjha.domain.money import Qty

NANO = 1_000_000_000
"""One, in the integer of 1e-9 that signals, weights and fractions become at the engine's door."""


class FixedQty(msgspec.Struct, frozen=True, tag=True):
    """The same number of units each time (rounded down to lots)."""

    qty: Qty


class CapitalFraction(msgspec.Struct, frozen=True, tag=True):
    """A fraction of equity, in 1e-9, as turnover of the position."""

    fraction: int


class RiskPerTrade(msgspec.Struct, frozen=True, tag=True):
    """Lose at most this fraction of equity (1e-9) if the stop is hit. The order must state a stop."""

    fraction: int


class VolatilityTarget(msgspec.Struct, frozen=True, tag=True):
    """Size so that the position's annualised volatility is this fraction of equity (1e-9).

    Volatility is the root mean square of the last `lookback` daily returns, times the root of `annual_days`.
    """

    annual: int
    lookback: int = 20
    annual_days: int = 252


SizingPolicy = FixedQty | CapitalFraction | RiskPerTrade | VolatilityTarget


class TargetUnit(StrEnum):
    """What the numbers of `Strategy.targets` mean."""

    SIGNAL = "signal"
    WEIGHT = "weight"
    LOTS = "lots"
    QTY = "qty"
