"""Products beyond 64 bits in compiled code equal Python's; amounts of wholes and rest round as `divide` does."""

from typing import TYPE_CHECKING, cast

import numba
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manjha.domain.money import divide
from manjha.research.kernel import wide

if TYPE_CHECKING:
    from collections.abc import Callable

LARGE = 2**63 - 1
Natural = st.integers(0, LARGE)


def _quotient(a: int, b: int, c: int) -> tuple[int, int]:  # pragma: no cover - compiled
    return wide.multiply_divide(a, b, c)


def _product_rounded(amount: int, rate: int, unit: int) -> int:  # pragma: no cover - compiled
    high, low = wide.times(amount, rate)
    high, low = wide.plus(high, low, 0, 999_999_999)
    return wide.half_up(high, low, unit)


quotient = cast("Callable[[int, int, int], tuple[int, int]]", numba.njit(_quotient))
product_rounded = cast("Callable[[int, int, int], int]", numba.njit(_product_rounded))


@settings(deadline=None, max_examples=300)
@example(LARGE, LARGE, LARGE)
@example(LARGE, 2, LARGE)
@given(a=Natural, b=Natural, c=st.integers(1, LARGE))
def test_multiply_and_divide_is_exact(a: int, b: int, c: int) -> None:
    if a * b // c <= LARGE:
        assert quotient(a, b, c) == divmod(a * b, c)


@settings(deadline=None, max_examples=300)
@given(amount=st.integers(0, 9 * 10**17), rate=st.integers(0, 10**9), unit=st.sampled_from([1, 100, 10_000]))
def test_wholes_and_rest_round_half_up(amount: int, rate: int, unit: int) -> None:
    assert product_rounded(amount, rate, unit) == divide(amount * rate + 999_999_999, 10**9 * unit) * unit
