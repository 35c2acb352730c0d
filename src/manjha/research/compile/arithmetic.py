"""Python's arithmetic on 64 bits, for compiled strategies.

Where Python would raise or go on with larger integers, the run stops (`stop`) and the event engine does it instead;
what is computed until the run has noticed does not matter.
"""

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from manjha.research.kernel.records import UNLIKE
from manjha.research.kernel.scalars import Rec, inline, njit

LARGE, ZERO, NOT_FINITE, AHEAD, NOT_WHOLE, NO_PRICE, TOO_MUCH = range(7)
REASONS = (
    "a number beyond 64 bits, or beyond what a float holds exactly",
    "a division by zero",
    "a number that is not finite, or the root of a negative one",
    "a line read at a bar that has not closed",
    "a quantity that is no whole number",
    "a price that is not above zero and below ten crore rupees",
    "a target beyond what a position can be",
)
"""Why a run was stopped, by number."""
EXACT = 2**53
"""Up to here every integer is a float."""
NAN, INF = math.nan, math.inf
KINDS = 8
INT_MIN = -(2**63)


@inline
def stop(k: Rec, line: int, reason: int) -> None:
    """Stop the run at a line of the strategy; the first reason counts."""
    if k.status == 0:
        k.status, k.stopped = UNLIKE, line * KINDS + reason


# ---- integers


def _told(operation: str) -> Callable[[int, int], tuple[int, bool]]:
    """Return the compiled function that gives a sum, difference or product, and whether it is beyond 64 bits.

    What numba makes of + lets the compiler take for granted that nothing wraps, and drop every check for it.
    """

    def told(_typing: Any, a: Any, b: Any) -> Any:  # noqa: ARG001 - numba asks for their types
        kind = types.Tuple((types.int64, types.boolean))  # type: ignore[no-untyped-call]

        def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            both = getattr(builder, f"{operation}_with_overflow")(*arguments)
            wraps = context.cast(builder, builder.extract_value(both, 1), types.boolean, types.boolean)
            return context.make_tuple(builder, kind, (builder.extract_value(both, 0), wraps))

        return kind(types.int64, types.int64), code

    return cast("Callable[[int, int], tuple[int, bool]]", intrinsic(told))


_sum, _difference, _product = _told("sadd"), _told("ssub"), _told("smul")


@inline
def add(k: Rec, line: int, a: int, b: int) -> int:
    """Return a + b."""
    c, wraps = _sum(a, b)
    if wraps:
        stop(k, line, LARGE)
    return c


@inline
def take(k: Rec, line: int, a: int, b: int) -> int:
    """Return a - b."""
    c, wraps = _difference(a, b)
    if wraps:
        stop(k, line, LARGE)
    return c


@inline
def times(k: Rec, line: int, a: int, b: int) -> int:
    """Return a × b."""
    c, wraps = _product(a, b)
    if wraps:
        stop(k, line, LARGE)
    return c


@inline
def floor_div(k: Rec, line: int, a: int, b: int) -> int:
    """Return a // b, rounded down."""
    if b == 0:
        stop(k, line, ZERO)
        return 0
    if b == -1:
        return take(k, line, 0, a)
    return a // b


@inline
def rest(k: Rec, line: int, a: int, b: int) -> int:
    """Return a % b, with the sign of b."""
    if b == 0:
        stop(k, line, ZERO)
        return 0
    if b == -1:
        return 0
    return a % b


@inline
def size(k: Rec, line: int, a: int) -> int:
    """Return abs(a)."""
    return take(k, line, 0, a) if a < 0 else a


# ---- floats


@inline
def exact(k: Rec, line: int, a: int) -> float:
    """Return an integer as the float that equals it."""
    if not -EXACT <= a <= EXACT:
        stop(k, line, LARGE)
    return float(a)


@inline
def bounded(k: Rec, line: int, a: float) -> float:
    """Return what may be an integer in Python, where a float is sure to equal it."""
    if not -EXACT <= a <= EXACT and math.isfinite(a):
        stop(k, line, LARGE)
    return a


@inline
def divide(k: Rec, line: int, a: float, b: float) -> float:
    """Return a / b."""
    if b == 0.0:
        stop(k, line, ZERO)
        return 0.0
    return a / b


@njit
def float_rest(k: Rec, line: int, a: float, b: float) -> float:
    """Return a % b, as Python's floats have it."""
    if b == 0.0:
        stop(k, line, ZERO)
        return 0.0
    left = float(np.fmod(a, b))
    if left == 0.0:
        return math.copysign(0.0, b)
    return left + b if (b < 0.0) != (left < 0.0) else left


@njit
def float_floor_div(k: Rec, line: int, a: float, b: float) -> float:
    """Return a // b, as Python's floats have it."""
    if b == 0.0:
        stop(k, line, ZERO)
        return 0.0
    left = float(np.fmod(a, b))
    ratio = (a - left) / b
    if left != 0.0 and (b < 0.0) != (left < 0.0):
        ratio -= 1.0
    if ratio == 0.0:
        return math.copysign(0.0, a / b)
    steps = float(np.floor(ratio))
    return steps + 1.0 if ratio - steps > 0.5 else steps


@inline
def root(k: Rec, line: int, a: float) -> float:
    """Return math.sqrt(a)."""
    if a < 0.0:
        stop(k, line, NOT_FINITE)
        return 0.0
    return math.sqrt(a)


@inline
def whole(k: Rec, line: int, a: float) -> int:
    """Return a float without a fraction as an integer."""
    if not math.isfinite(a):
        stop(k, line, NOT_FINITE)
        return 0
    if not -9.2e18 < a < 9.2e18:
        stop(k, line, LARGE)
        return 0
    return int(a)


@inline
def rounded(k: Rec, line: int, a: float) -> int:
    """Return round(a): to the nearest, halves to even."""
    return whole(k, line, np.rint(a))


@inline
def floor(k: Rec, line: int, a: float) -> int:
    """Return math.floor(a)."""
    return whole(k, line, np.floor(a))


@inline
def ceil(k: Rec, line: int, a: float) -> int:
    """Return math.ceil(a)."""
    return whole(k, line, np.ceil(a))


@inline
def lower(a: Any, b: Any) -> Any:
    """Return min(a, b): the first where neither is below the other."""
    return b if b < a else a


@inline
def higher(a: Any, b: Any) -> Any:
    """Return max(a, b): the first where neither is above the other."""
    return b if b > a else a


WRITTEN = (
    "INF", "NAN", "add", "bounded", "ceil", "divide", "exact", "float_floor_div", "float_rest", "floor", "floor_div",
    "higher", "lower", "rest", "root", "rounded", "size", "take", "times", "whole",
)  # fmt: skip
"""The words that a generated file may take from here."""
