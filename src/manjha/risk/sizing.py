"""How much to trade, exactly: from a policy, a signal or a weight to a signed quantity in whole lots.

Scalar functions on plain integers; the event engine and the compiled kernel call the same ones. Fractions are in 1e-9.
"""

from collections.abc import Sequence
from itertools import pairwise

from manjha.domain.money import Qty
from manjha.domain.sizing import (
    NANO,
    CapitalFraction,
    FixedQty,
    RiskPerTrade,
    SizingPolicy,
    TargetUnit,
    VolatilityTarget,
)
from manjha.orders.planning import to_lots

RETURN_ONE = 1_000_000
"""One, in the parts per million that daily returns are measured in."""
_PART = 100_000
"""What a share of equity is split by, so that its products stay inside int64."""


def qty_for_value(value: int, px: int, lot: int) -> int:
    """Return the largest whole-lot quantity whose turnover at `px` is at most `value`; 0 for a value below a lot."""
    if px <= 0 or value <= 0:
        return 0
    return value // px // lot * lot


def part_of_equity(equity: int, fraction: int) -> int:
    """Return equity × fraction (1e-9), rounded down; by wholes and rest, for the compiled kernel's int64."""
    whole = equity // NANO
    return whole * fraction + (equity - whole * NANO) * fraction // NANO


def qty_for_fraction(equity: int, fraction: int, px: int, lot: int) -> int:
    """Return the whole-lot quantity worth a fraction (1e-9) of equity."""
    return qty_for_value(part_of_equity(equity, fraction), px, lot)


def qty_for_risk(equity: int, fraction: int, px: int, stop: int, lot: int) -> int:
    """Return the whole-lot quantity that loses at most a fraction (1e-9) of equity between `px` and `stop`."""
    distance = abs(px - stop)
    if distance == 0 or stop == 0:
        return 0
    return qty_for_value(part_of_equity(equity, fraction), distance, lot)


def daily_volatility_ppm(closes: Sequence[int]) -> int:
    """Return the root mean square of daily returns in parts per million; closes oldest first, in 1e-4 rupee."""
    returns = [return_ppm(before, now) for before, now in pairwise(closes) if before]
    if not returns:
        return 0
    return whole_root(sum(r * r for r in returns) // len(returns))


def return_ppm(before: int, now: int) -> int:
    """Return the change from one close to the next in parts per million, rounded down; `before` is positive."""
    return (now - before) * RETURN_ONE // before


def whole_root(square: int) -> int:
    """Return the largest whole number whose square is at most `square`, 0 below 1; in steps that can be compiled."""
    if square < 1:
        return 0
    root = 1
    while root < square // root:
        root *= 2
    # From above each step is nearer, and the last one is the root (Newton).
    better = (root + square // root) // 2
    while better < root:
        root = better
        better = (root + square // root) // 2
    return root


def annual_ppm(daily: int, annual_days: int) -> int:
    """Return the volatility of a year of so many days, in parts per million, from that of a day."""
    return whole_root(daily * daily * annual_days)


def value_for_volatility(equity: int, annual: int, volatility: int) -> int:
    """Return what is worth equity × annual (1e-9) ÷ volatility (parts per million, a year), rounded down.

    By wholes and rests, for the compiled kernel's int64: while volatility and the result fit, so do all products.
    """
    # A share in 1e-9 over one in 1e-6.
    per = volatility * (NANO // RETURN_ONE)
    whole, coarse = equity // per, annual // _PART
    rest = equity - whole * per
    parts = rest * coarse // per
    left = (rest * coarse - parts * per) * _PART + rest * (annual - coarse * _PART)
    return whole * annual + parts * _PART + left // per


def qty_for_volatility(equity: int, policy: VolatilityTarget, closes: Sequence[int], px: int, lot: int) -> int:
    """Return the whole-lot quantity whose annualised volatility is the policy's share of equity.

    0 while there are fewer than two closes or the price does not move.
    """
    daily = daily_volatility_ppm(closes[-policy.lookback - 1 :])
    if daily == 0:
        return 0
    value = value_for_volatility(equity, policy.annual, annual_ppm(daily, policy.annual_days))
    return qty_for_value(value, px, lot)


def needs_closes(policy: SizingPolicy) -> bool:
    """Tell whether sizing by this policy looks at past daily closes."""
    return isinstance(policy, VolatilityTarget)


def entry_qty(policy: SizingPolicy, *, equity: int, px: int, stop: int, lot: int, closes: Sequence[int] = ()) -> Qty:
    """Return the positive whole-lot quantity that a policy gives for an entry at `px`; 0 when it gives none."""
    match policy:
        case FixedQty(qty=qty):
            return to_lots(qty, lot)
        case CapitalFraction(fraction=fraction):
            return Qty(qty_for_fraction(equity, fraction, px, lot))
        case RiskPerTrade(fraction=fraction):
            return Qty(qty_for_risk(equity, fraction, px, stop, lot))
        case VolatilityTarget():
            return Qty(qty_for_volatility(equity, policy, closes, px, lot))


def target_qty(unit: TargetUnit, value: int, *, equity: int, px: int, lot: int, full: int) -> Qty:
    """Return the signed quantity that a target means. `value` in 1e-9 of the unit.

    `full` is the positive quantity that a signal of 1 stands for: what the sizing policy gives for an entry.
    """
    if unit is TargetUnit.QTY:
        return to_lots(whole_units(value), lot)
    if unit is TargetUnit.LOTS:
        return Qty(whole_units(value) * lot)
    if unit is TargetUnit.WEIGHT:
        return Qty(qty_for_weight(equity, value, px, lot))
    return to_lots(qty_for_signal(full, value), lot)


def whole_units(value: int) -> int:
    """Return a signed number of 1e-9 as whole units, half away from zero."""
    units = (abs(value) + NANO // 2) // NANO
    return -units if value < 0 else units


def qty_for_weight(equity: int, value: int, px: int, lot: int) -> int:
    """Return the signed whole-lot quantity worth a signed weight (1e-9) of equity."""
    qty = qty_for_fraction(equity, abs(value), px, lot)
    return -qty if value < 0 else qty


def qty_for_signal(full: int, value: int) -> int:
    """Return the signed part of a full quantity that a signal (1e-9) stands for, rounded towards zero."""
    # By wholes and rest, so that no product leaves int64 where a price of nearly nothing makes the quantity huge.
    whole, part = full // NANO, abs(value)
    qty = whole * part + (full - whole * NANO) * part // NANO
    return -qty if value < 0 else qty
