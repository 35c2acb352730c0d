"""Sizing by volatility is the plain formula, in steps that stay inside 64 bits."""

from math import isqrt

import numba
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.sizing import NANO
from manjha.research.kernel import scalars
from manjha.research.kernel.records import BOUND
from manjha.research.kernel.refusal import FRACTION_MAX
from manjha.risk.sizing import RETURN_ONE, annual_ppm, value_for_volatility, whole_root

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


@numba.njit
def _in_64_bits(equity: int, annual: int, volatility: int) -> int:  # pragma: no cover - compiled
    return scalars.value_for_volatility(equity, annual, volatility)


@numba.njit
def _annual_in_64_bits(daily: int, days: int) -> int:  # pragma: no cover - compiled
    return scalars.annual_ppm(daily, days)


@given(st.integers(0, BOUND), SHARES, VOLATILITIES)
def test_compiled_it_does_not_wrap(equity: int, annual: int, volatility: int) -> None:
    expected = value_for_volatility(equity, annual, volatility)
    if expected <= BOUND:
        assert _in_64_bits(np.int64(equity), np.int64(annual), np.int64(volatility)) == expected


@given(st.integers(1, 10**9), st.integers(1, 10**6))
def test_the_volatility_of_a_year_is_compiled_alike_inside_the_bound(daily: int, days: int) -> None:
    assert annual_ppm(daily, days) == isqrt(daily * daily * days)
    if daily * daily * days <= BOUND:
        assert _annual_in_64_bits(np.int64(daily), np.int64(days)) == annual_ppm(daily, days)
