"""Sizing by volatility is the plain formula, in steps that stay inside 64 bits."""

from math import isqrt
from typing import TYPE_CHECKING, cast

import numba
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.sizing import NANO
from manjha.research.kernel import scalars
from manjha.research.kernel.records import BOUND
from manjha.research.kernel.refusal import FRACTION_MAX
from manjha.risk.sizing import RETURN_ONE, annual_ppm, value_for_volatility, whole_root

if TYPE_CHECKING:
    from collections.abc import Callable

EQUITIES = st.integers(-BOUND, BOUND)
SHARES = st.integers(0, FRACTION_MAX)
VOLATILITIES = st.integers(1, isqrt(BOUND)) | st.integers(1, 10**6)


@given(st.integers(0, BOUND) | st.integers(0, 10**30))
def test_the_root_is_that_of_the_library(square: int) -> None:
    assert whole_root(square) == isqrt(square)


@given(st.integers(0, 10**9), st.sampled_from([-1, 0, 1]))
def test_around_a_square_it_is_exact(root: int, off: int) -> None:
    assert whole_root(max(root * root + off, 0)) == isqrt(max(root * root + off, 0))
    assert whole_root(-root) == 0


@given(EQUITIES, SHARES, VOLATILITIES)
def test_the_value_is_that_of_the_formula(equity: int, annual: int, volatility: int) -> None:
    assert value_for_volatility(equity, annual, volatility) == equity * annual * RETURN_ONE // volatility // NANO


def _value(equity: int, annual: int, volatility: int) -> int:  # pragma: no cover - compiled
    return scalars.value_for_volatility(equity, annual, volatility)


def _annual(daily: int, days: int) -> int:  # pragma: no cover - compiled
    return scalars.annual_ppm(daily, days)


value_in_64_bits = cast("Callable[[int, int, int], int]", numba.njit(_value))
annual_in_64_bits = cast("Callable[[int, int], int]", numba.njit(_annual))


@settings(deadline=None)
@given(st.integers(0, BOUND), SHARES, VOLATILITIES)
def test_compiled_it_does_not_wrap(equity: int, annual: int, volatility: int) -> None:
    expected = value_for_volatility(equity, annual, volatility)
    if expected <= BOUND:
        assert value_in_64_bits(equity, annual, volatility) == expected


@settings(deadline=None)
@given(st.integers(1, 10**9), st.integers(1, 10**6))
def test_the_volatility_of_a_year_is_compiled_alike_inside_the_bound(daily: int, days: int) -> None:
    assert annual_ppm(daily, days) == isqrt(daily * daily * days)
    if daily * daily * days <= BOUND:
        assert annual_in_64_bits(daily, days) == annual_ppm(daily, days)
