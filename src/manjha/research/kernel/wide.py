"""Products of two int64 that need 128 bits, exactly, and amounts kept as wholes and rest."""

import numpy as np

from manjha.research.kernel.scalars import inline, njit

LARGE = 2**63 - 1
NANO = 1_000_000_000
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ONE = np.uint64(1)
_TOP = np.uint64(63)


@njit
def multiply_divide(a: int, b: int, c: int) -> tuple[int, int]:
    """Return a × b ÷ c rounded down, and the rest. None is negative, c is positive; the quotient fits int64."""
    if a == 0 or b <= LARGE // a:
        quotient = a * b // c
        return quotient, a * b - quotient * c
    return _long(np.uint64(a), np.uint64(b), np.uint64(c))


@njit
def _long(a: np.uint64, b: np.uint64, c: np.uint64) -> tuple[int, int]:
    """Multiply by halves, then divide bit by bit."""
    a_low, a_high, b_low, b_high = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    low = a_low * b_low
    middle = a_high * b_low + (low >> _HALF)
    cross = a_low * b_high + (middle & _LOW)
    high = a_high * b_high + (middle >> _HALF) + (cross >> _HALF)
    low = (cross << _HALF) | (low & _LOW)
    rest, quotient = high % c, np.uint64(0)
    for _ in range(64):
        rest = (rest << _ONE) | (low >> _TOP)
        low = low << _ONE
        quotient = quotient << _ONE
        if rest >= c:
            rest -= c
            quotient |= _ONE
    return np.int64(quotient), np.int64(rest)  # type: ignore[return-value]


@inline
def times(amount: int, rate: int) -> tuple[int, int]:
    """Return amount × rate as whole billions and rest. Neither is negative; the rate is at most a billion."""
    whole = amount // NANO
    rest = (amount - whole * NANO) * rate
    carried = rest // NANO
    return whole * rate + carried, rest - carried * NANO


@inline
def plus(high: int, low: int, more_high: int, more_low: int) -> tuple[int, int]:
    """Add two amounts of whole billions and rest."""
    low += more_low
    if low >= NANO:
        return high + more_high + 1, low - NANO
    return high + more_high, low


@inline
def half_up(high: int, low: int, unit: int) -> int:
    """Return an amount of billions rounded half up to a multiple of `unit` billions, in billions."""
    whole = high // unit
    rest = (high - whole * unit) * NANO + low
    return (whole + 1) * unit if 2 * rest >= unit * NANO else whole * unit
