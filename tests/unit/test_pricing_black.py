"""Option formulas against published figures and against themselves."""

from math import exp

import pytest

from manjha.domain.errors import DataError
from manjha.domain.instrument import Right
from manjha.pricing.black import European, greeks, implied_vol, on_future, on_spot, price

CALL, PUT = Right.CALL, Right.PUT


def test_black_scholes_meets_hulls_example() -> None:
    """Hull, Options, Futures and Other Derivatives, example 15.6: call 4.76, put 0.81."""
    assert price(on_spot(CALL, 42, 40, 0.5, 0.1), 0.2) == pytest.approx(4.7594, abs=5e-5)
    assert price(on_spot(PUT, 42, 40, 0.5, 0.1), 0.2) == pytest.approx(0.8086, abs=5e-5)


def test_black_76_meets_hulls_example() -> None:
    """Hull, example 18.6: put on a future 20, strike 20, four months, 9 %, volatility 25 %: 1.12."""
    assert price(on_future(PUT, 20, 20, 4 / 12, 0.09), 0.25) == pytest.approx(1.12, abs=5e-3)


def test_greeks_meet_hulls_example() -> None:
    """Hull, chapter 19: stock 49, strike 50, 5 %, 20 %, 20 weeks."""
    found = greeks(on_spot(CALL, 49, 50, 0.3846, 0.05), 0.2)
    assert found.delta == pytest.approx(0.522, abs=1e-3)
    assert found.gamma == pytest.approx(0.066, abs=1e-3)
    assert found.theta == pytest.approx(-4.31, abs=1e-2)
    assert found.vega == pytest.approx(12.1, abs=5e-2)
    assert found.rho == pytest.approx(8.91, abs=1e-2)


def test_at_expiry_an_option_is_worth_its_intrinsic_value() -> None:
    assert price(on_spot(CALL, 110, 100, 0, 0.05), 0.3) == 10
    assert price(on_spot(PUT, 110, 100, 0, 0.05), 0.3) == 0
    assert greeks(on_spot(CALL, 110, 100, 0, 0.05), 0.3).delta == 1
    assert greeks(on_spot(PUT, 100, 100, 0, 0.05), 0.3).delta == -0.5


@pytest.mark.parametrize("premium", [-1.0, 0.0, 9.0, 200.0, float("nan"), float("inf")])
def test_a_premium_without_volatility_is_refused(premium: float) -> None:
    option = on_spot(CALL, 110, 100, 0.25, 0.0)
    with pytest.raises(DataError, match="no volatility"):
        implied_vol(option, premium)


def test_no_volatility_at_expiry() -> None:
    with pytest.raises(DataError, match="no volatility"):
        implied_vol(on_spot(CALL, 110, 100, 0, 0.0), 12.0)


@pytest.mark.parametrize("bad", [European(CALL, 0, 1, 1, 0), European(CALL, 1, 0, 1, 0), European(CALL, 1, 1, -1, 0)])
def test_an_impossible_option_is_refused(bad: European) -> None:
    with pytest.raises(DataError, match="positive forward"):
        price(bad, 0.2)


def test_dividends_lower_the_forward() -> None:
    assert on_spot(CALL, 100, 100, 1, 0.05, 0.02).forward == pytest.approx(100 * exp(0.03))
