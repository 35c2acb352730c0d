"""Money, prices and quantities as exact integers.

`Px` and `Cash` count 1e-4 rupee (currency ticks are 0.0025, so paise are too coarse); `Qty` counts units of the
quoted price (shares, or contracts times multiplier), so that `px * qty` is turnover in every segment.
Inputs are bounded at the doors because the compiled kernel computes in int64, which wraps silently.
"""

from decimal import Decimal, InvalidOperation
from enum import IntEnum
from typing import NewType

from manjha.domain.errors import DataError

Px = NewType("Px", int)
Cash = NewType("Cash", int)
Qty = NewType("Qty", int)

RUPEE = 10_000
"""Units in one rupee."""
PAISA = 100
"""Units in one paisa."""
PX_MAX = 10**12
"""Largest price taken: ₹10 crore. Together with QTY_MAX a turnover stays inside int64."""
QTY_MAX = 10**9
"""Largest quantity taken in one order or bar of a traded instrument (index volumes are not orders)."""
CASH_MAX = 9 * 10**18
"""Largest amount that fits int64 with head-room."""


class Rounding(IntEnum):
    """How a quotient becomes an integer. Values are stable: the compiled kernel uses the numbers."""

    HALF_UP = 0
    DOWN = 1
    UP = 2
    EXACT = 3


def divide(numerator: int, denominator: int, rounding: Rounding = Rounding.HALF_UP) -> int:
    """Divide exactly and round once. Half up means away from zero, as on a contract note.

    Raises
    ------
    DataError
        The quotient is not whole and `rounding` is `EXACT`.
    """
    quotient, rest = divmod(abs(numerator), denominator)
    if rest:
        if rounding == Rounding.EXACT:
            raise DataError(f"{numerator} is not a multiple of {denominator}")
        if rounding == Rounding.UP or (rounding == Rounding.HALF_UP and 2 * rest >= denominator):
            quotient += 1
    return quotient if numerator >= 0 else -quotient


def scale(amount: int, numerator: int, denominator: int, rounding: Rounding = Rounding.HALF_UP) -> int:
    """Return amount × numerator ÷ denominator, rounded once."""
    return divide(amount * numerator, denominator, rounding)


def proportion(amount: int, part: int, whole: int) -> int:
    """Return amount × part ÷ whole, rounded down, for 0 ≤ part ≤ whole.

    By wholes and rest, so that no product exceeds int64 in the compiled kernel while `whole` is a quantity.
    """
    each = amount // whole
    return each * part + (amount - each * whole) * part // whole


def parse_px(text: str) -> Px:
    """Read a price in rupees ("1234.56", "1,234.56") exactly.

    Raises
    ------
    DataError
        No number, finer than 1e-4 rupee, or beyond `PX_MAX`.
    """
    value = _parse(text, "price")
    if abs(value) > PX_MAX:
        raise DataError(f"expected a price below ₹10 crore, was {text!r}")
    return Px(value)


def parse_cash(text: str) -> Cash:
    """Read an amount in rupees exactly. Raises `DataError` like `parse_px`."""
    return Cash(_parse(text, "amount"))


def format_px(px: int) -> str:
    """Write a price in rupees with at least two and at most four decimals: "1234.50", "82.1025"."""
    sign = "-" if px < 0 else ""
    whole, rest = divmod(abs(px), RUPEE)
    decimals = f"{rest:04d}"
    return f"{sign}{whole}.{decimals[:2]}{decimals[2:].rstrip('0')}"


def format_cash(cash: int, *, grouping: bool = False) -> str:
    """Write an amount in rupees. With `grouping`, Indian style to the paisa: "12,34,567.89"."""
    if not grouping:
        return format_px(cash)
    paise = divide(cash, PAISA)
    whole, rest = divmod(abs(paise), 100)
    head, tail = str(whole)[:-3], str(whole)[-3:]
    parts: list[str] = []
    while head:
        parts.insert(0, head[-2:])
        head = head[:-2]
    return f"{'-' if paise < 0 else ''}{','.join([*parts, tail])}.{rest:02d}"


def round_to_tick(px: int, tick: int, rounding: Rounding = Rounding.HALF_UP) -> Px:
    """Put a price onto the tick grid."""
    return Px(divide(px, tick, rounding) * tick)


def px_to_float(px: int) -> float:
    """Give a price in rupees to an indicator. The only way from a price to a float."""
    return px / RUPEE


def px_from_float(rupees: float, tick: int, rounding: Rounding = Rounding.HALF_UP) -> Px:
    """Take a price from a strategy's float, onto the tick grid. The only way from a float to a price.

    The float is first rounded to 1e-4 rupee (half even, as the strategy printed it), so that
    `px_from_float(1234.55, 500)` is exact whatever the binary form; then to the tick.

    Raises
    ------
    DataError
        NaN, infinite, or beyond `PX_MAX`.
    """
    scaled = rupees * RUPEE
    if not -PX_MAX <= scaled <= PX_MAX:
        raise DataError(f"expected a finite price below ₹10 crore, was {rupees!r}")
    units = round(scaled)
    return round_to_tick(units, tick, rounding) if units % tick else Px(units)


def _parse(text: str, what: str) -> int:
    cleaned = text.strip().replace(",", "").removeprefix("₹")
    try:
        value = Decimal(cleaned) * RUPEE
    except InvalidOperation:
        raise DataError(f"expected {what} in rupees, was {text!r}") from None
    if not value.is_finite() or value != value.to_integral_value():
        raise DataError(f"expected {what} in rupees with at most four decimals, was {text!r}")
    return int(value)
