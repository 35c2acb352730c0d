"""Seeded chance for the synthetic market, and the few functions of it that must not differ between machines.

Only IEEE additions, multiplications, divisions, square roots, rounding and scaling by powers of two are used: each is
exact to the last bit everywhere. numpy's `exp`, matrix products and pairwise sums are not (they follow the processor),
so `exponential` is a polynomial of our own and every running sum is a `cumsum`, which adds in order.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

_LOG2_E = 1.4426950408889634
_LN2_HIGH = 0.693147180369123816490
_LN2_LOW = 1.90821492927058770002e-10
_DEGREE = 13
_BLOCK = 64


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the generator of one purpose: independent of every other, so that adding one changes none."""
    words = [byte for name in names for byte in (*name.encode(), 0)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))


def normals(seed: int, count: int, width: int, *names: str) -> list[Floats]:
    """Return `width` independent columns of standard normals; a longer `count` begins with the same values."""
    table = stream(seed, *names).standard_normal((count, width))
    return [np.ascontiguousarray(table[:, at]) for at in range(width)]


def exponential(x: Floats) -> Floats:
    """Return e to the power of each x (|x| < 700), the same bits on every machine, within 2e-16 relative."""
    halvings = np.rint(x * _LOG2_E)
    rest = x - halvings * _LN2_HIGH
    rest -= halvings * _LN2_LOW
    total = np.full_like(rest, 1.0 / _DEGREE)
    for term in range(_DEGREE - 1, 0, -1):
        total *= rest
        total += 1.0
        total /= term
    total *= rest
    total += 1.0
    scaled: Floats = np.ldexp(total, halvings.astype(np.int32))
    return scaled


def reverting(shocks: Floats, persistence: float, spread: float, start: float) -> Floats:
    """Return a stationary AR(1) path of standard deviation `spread`, driven by standard normal `shocks`.

    `start` is a standard normal too; `persistence` is the share of a value that is left one step later, 0.5 ≤ p < 1.
    """
    count = len(shocks)
    padded = np.zeros((-(-count // _BLOCK), _BLOCK))
    padded.reshape(-1)[:count] = shocks
    # Sums of p^(j-i) shock_i inside a block, then the carry from block to block: no loop over the steps.
    powers = np.cumprod(np.concatenate(([1.0], np.full(_BLOCK, persistence))))
    inside = np.cumsum(padded / powers[:-1], axis=1) * powers[:-1]
    inside *= spread * float(np.sqrt(1.0 - persistence * persistence))
    carry = np.empty(len(padded))
    value = spread * start
    for block in range(len(padded)):
        carry[block] = value
        value = float(inside[block, -1]) + float(powers[-1]) * value
    path: Floats = (inside + powers[1:] * carry[:, None]).reshape(-1)[:count]
    return path
