"""What a position in shares requires of cash, by product and date; the whole is exact."""

from manjha.domain.errors import UsageError
from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash
from manjha.domain.orders import Product
from manjha.domain.sizing import NANO
from manjha.market.rows import DerivativeMarginRow
from manjha.market.rules import MarketRules, in_force, keyed

SPREAD_CHARGE = 10_000_000
"""1 % of the far leg of a calendar spread, in 1e-9."""


def cash_requirement(
    rules: MarketRules, product: Product, day: TradingDay, value: int, *, own_fraction: int = 0
) -> Cash:
    """Return the cash that a position in shares of `value` (1e-4 rupee) needs, rounded up; charges come on top.

    CNC needs its value, MIS the fraction that SEBI's peak-margin phase of the day demands, MTF the own part. A share
    whose VaR + ELM is known to be higher needs `own_fraction` (in 1e-9) instead.

    Raises
    ------
    UsageError
        The product is NRML, which is for derivatives.
    OutsideTable
        The day lies outside the margin table.
    """
    return scaled_up(value, max(margin_fraction(rules, product, day), own_fraction))


def margin_fraction(rules: MarketRules, product: Product, day: TradingDay) -> int:
    """Return the part of a share position's value that must be there, in 1e-9. Raises as `cash_requirement` does."""
    match product:
        case Product.CNC:
            return NANO
        case Product.MIS:
            return in_force(rules.intraday_margin, day, "intraday_margin").fraction
        case Product.MTF:
            return in_force(rules.mtf_margin, day, "mtf_margin").fraction
        case Product.NRML:
            raise UsageError("shares cannot be held as NRML", hint="Use CNC, MIS or MTF.")


def derivative_margin(rules: MarketRules, asset: str, day: TradingDay) -> DerivativeMarginRow:
    """Return the default margin parameters of derivatives on an "index" or "equity". Raises `OutsideTable`."""
    rows = keyed((row for row in rules.derivative_margin if row.asset == asset), "derivative_margin", asset)
    return in_force(rows, day, "derivative_margin", asset)


def futures_requirement(notional: int, scan_range: int, exposure: int) -> int:
    """Return scan + exposure margin of a lone futures position, each rounded up; fractions in 1e-9, at most one.

    Plain integers inside int64 for notionals up to `CASH_MAX`, so that the compiled kernel runs the same function.
    """
    whole = notional // 1_000_000_000
    rest = notional - whole * 1_000_000_000
    scan = whole * scan_range + (rest * scan_range + 999_999_999) // 1_000_000_000
    return scan + whole * exposure + (rest * exposure + 999_999_999) // 1_000_000_000


def paired(long_from: int, long: int, short_from: int, short: int) -> int:
    """Return how many units of a long and a short future make a calendar spread.

    Units are counted through the expiries, nearest first, on each side: the first unit bought is paired with the first
    unit sold. `long_from` and `short_from` are the units before these two positions.
    """
    return max(0, min(long_from + long, short_from + short) - max(long_from, short_from))


def spread_requirement(far: int) -> int:
    """Return what a calendar spread adds to the scan: a part of the notional of its far leg, rounded up."""
    return scaled_up(far, SPREAD_CHARGE)


def futures_exposure(outright: int, far: int, exposure: int) -> int:
    """Return exposure margin of outright futures and of spreads, which pay a third of their far legs, rounded up.

    Notionals in 1e-4 rupee, `exposure` in 1e-9; inside int64 as `futures_requirement`.
    """
    thirds = 3 * outright + far
    whole = thirds // 3_000_000_000
    rest = thirds - whole * 3_000_000_000
    return whole * exposure + (rest * exposure + 2_999_999_999) // 3_000_000_000


def scaled_up(amount: int, fraction: int) -> Cash:
    """Return amount × fraction (1e-9), rounded up; neither is negative.

    Inside int64 for amounts up to `CASH_MAX` and fractions up to one, for the compiled kernel.
    """
    whole = amount // 1_000_000_000
    rest = (amount - whole * 1_000_000_000) * fraction
    return Cash(whole * fraction + (rest + 999_999_999) // 1_000_000_000)
