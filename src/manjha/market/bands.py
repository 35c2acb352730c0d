"""Price bands, limit price protection and the index circuit breaker.

A band is a pair of prices, both allowed. Fractions are in 1e-9; a band's low is rounded up to the tick and its high
down, so that a price in the band never leaves the percentage.
"""

from typing import Literal

import msgspec

from manjha.domain.errors import OutsideTable, UsageError
from manjha.domain.instrument import Asset, Instrument, Kind
from manjha.domain.moments import DAY_NS, MINUTE_NS, TradingDay
from manjha.domain.money import Px, Rounding, divide
from manjha.domain.sizing import NANO
from manjha.market.rows import BandStep, PriceProtectionRow
from manjha.market.rules import HOW_TO_ADD, MarketRules, in_force, keyed

DAILY_BANDS = (20_000_000, 50_000_000, 100_000_000, 200_000_000)
"""The daily bands of shares without derivatives: 2, 5, 10 and 20 %."""
FIRST_DYNAMIC_BAND = 100_000_000
"""Shares with derivatives, and futures on them, start the day at ±10 %."""
SLIDES_SINCE = TradingDay(20_045)
"""2024-11-18: when a dynamic band widens on one side, the other side moves along (INDIAN_MARKETS 3.5)."""


class Band(msgspec.Struct, frozen=True, gc=False):
    """The lowest and highest price at which an order is taken, in 1e-4 rupee."""

    low: Px
    high: Px

    def holds(self, px: int) -> bool:
        """Tell whether a price is inside, the limits included."""
        return self.low <= px <= self.high


def band(reference: int, fraction: int, tick: int) -> Band:
    """Return the band of ±fraction around a reference price, on the tick and at least one tick above zero."""
    return Band(Px(band_low(reference, fraction, tick)), Px(band_high(reference, fraction, tick)))


def band_low(reference: int, fraction: int, tick: int) -> int:
    """Return the lowest price of a band, as `band` has it. Plain integers inside int64, for the compiled kernel."""
    part = 1_000_000_000 - fraction
    whole = reference // 1_000_000_000
    low = whole * part + ((reference - whole * 1_000_000_000) * part + 999_999_999) // 1_000_000_000
    return max((low + tick - 1) // tick * tick, tick)


def band_high(reference: int, fraction: int, tick: int) -> int:
    """Return the highest price of a band, as `band` has it. Plain integers inside int64, for the compiled kernel."""
    part = 1_000_000_000 + fraction
    whole = reference // 1_000_000_000
    high = whole * part + (reference - whole * 1_000_000_000) * part // 1_000_000_000
    return max(high // tick * tick, tick)


def protected_limit(reference: int, side: int, fraction: int, amount: int, tick: int) -> int:
    """Return the highest price of a buy (side 1) or the lowest of a sale (−1) under limit price protection.

    By a fraction of the reference (in 1e-9) where there is one, else by an amount. For the compiled kernel, as `band`.
    """
    if fraction:
        return band_high(reference, fraction, tick) if side > 0 else band_low(reference, fraction, tick)
    if side > 0:
        return (reference + amount) // tick * tick
    return (max(reference - amount, tick) + tick - 1) // tick * tick


def opening_band(instrument: Instrument, previous_close: int, fraction: int | None = None) -> Band | None:
    """Return the band at the open, or None where there is no fixed one (index futures and options).

    A share without derivatives needs its daily `fraction` (one of `DAILY_BANDS`); where none is known, None is returned
    and nothing can be said. Raises `UsageError` for a fraction that no share has.
    """
    if (instrument.kind is Kind.FUTURE and instrument.asset is Asset.EQUITY) or instrument.has_derivatives:
        return band(previous_close, FIRST_DYNAMIC_BAND, instrument.tick)
    if instrument.is_derivative or not instrument.is_tradable or fraction is None:
        return None
    if fraction not in DAILY_BANDS:
        raise UsageError("a daily price band is 2, 5, 10 or 20 %", hint="Give 0.02, 0.05, 0.10 or 0.20 in 1e-9.")
    return band(previous_close, fraction, instrument.tick)


def widening(rules: MarketRules, previous_close: int, step: int, tick: int) -> Px:
    """Return by how much the `step`-th widening (from 1) moves a dynamic band: 5, 5, 3, 3, then 2 % each time."""
    return Px(divide(previous_close * band_step(rules, step).move, NANO * tick, Rounding.DOWN) * tick)


def widened(current: Band, moved: int, side: Literal[1, -1], day: TradingDay) -> Band:
    """Return a dynamic band after it moved up (side 1) or down (-1); since 2024-11-18 both limits move."""
    slides = day >= SLIDES_SINCE
    low = current.low - moved if side < 0 else current.low + (moved if slides else 0)
    high = current.high + moved if side > 0 else current.high - (moved if slides else 0)
    return Band(Px(max(low, 1)), Px(high))


def band_step(rules: MarketRules, step: int) -> BandStep:
    """Return how far the `step`-th widening goes and after how long; past the table's end its last row repeats."""
    if not rules.band_steps:
        raise OutsideTable("table band_steps is empty", hint=HOW_TO_ADD)
    return rules.band_steps[min(step, len(rules.band_steps)) - 1]


def protection_band(rules: MarketRules, instrument: Instrument, day: TradingDay, reference: int) -> Band | None:
    """Return the range of limit price protection of a future or option, or None before 2022-10-31.

    Only the aggressive side is refused by it: a buy above the high, a sale below the low.
    """
    rows = protection_rows(rules, instrument, day)
    if not rows:
        return None
    slab = [row for row in rows if row.above < max(reference, 1) and (not row.up_to or reference <= row.up_to)]
    row = in_force(slab, day, "price_protection", rows[0].kind)
    terms = (row.fraction, row.amount, instrument.tick)
    return Band(Px(protected_limit(reference, -1, *terms)), Px(protected_limit(reference, 1, *terms)))


def protection_rows(rules: MarketRules, instrument: Instrument, day: TradingDay) -> tuple[PriceProtectionRow, ...]:
    """Return the rows of an instrument's limit price protection, of any price and date; none where there is none yet.

    Raises `OutsideTable` where the table has no row of its kind.
    """
    kinds = {Kind.FUTURE: "future", Kind.OPTION: "option"}
    if instrument.kind not in kinds or instrument.asset not in (Asset.EQUITY, Asset.INDEX):
        return ()
    name = f"{'index' if instrument.asset is Asset.INDEX else 'stock'}_{kinds[instrument.kind]}"
    rows = keyed((row for row in rules.price_protection if row.kind == name), "price_protection", name)
    return tuple(rows) if day >= min(row.first for row in rows) else ()


def auction_range(reference: int, fraction: int, tick: int) -> Band:
    """Return the range of the closing auction around its reference; `fraction` is the session's `auction_band`."""
    return band(reference, fraction, tick)


def automatic_protection(rules: MarketRules, instrument: Instrument, day: TradingDay, last_price: int) -> int:
    """Return the broker's automatic market protection (−1 in an order) as a fraction in 1e-9."""
    kind = "option" if instrument.kind is Kind.OPTION else "other"
    rows = keyed((row for row in rules.market_protection if row.kind == kind), "market_protection", kind)
    slab = [row for row in rows if row.at_least <= last_price and (not row.below or last_price < row.below)]
    return in_force(slab, day, "market_protection", kind).fraction


def halt_ns(rules: MarketRules, fall: int, clock: int) -> int:
    """Return how long trading halts when an index has moved by `fall` (1e-9) at a clock time; 0 is no halt.

    The largest breached level decides. A halt for the rest of the day is returned as the time to midnight; every other
    halt is followed by 15 minutes of pre-open. How the hours of 2026 change the late rows is not known.
    """
    breached = [row for row in rules.circuit_breakers if row.fall <= fall and row.after <= clock < row.before]
    if not breached:
        return 0
    row = max(breached, key=lambda row: row.fall)
    return DAY_NS - clock if row.halt_minutes < 0 else row.halt_minutes * MINUTE_NS
