"""Laws that option formulas keep for any input."""

from math import exp

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.instrument import Right
from manjha.domain.money import Qty, parse_px
from manjha.pricing.black import European, greeks, implied_vol, on_spot, price
from manjha.pricing.margin import DerivativeLeg, MarginParams, derivatives_requirement

OPTIONS = st.builds(
    on_spot,
    st.sampled_from(Right),
    st.floats(50, 200),
    st.floats(60, 160),
    st.floats(0.01, 2),
    st.floats(0, 0.12),
    st.floats(0, 0.05),
)
VOLS = st.floats(0.05, 1.5)


def other_side(option: European) -> European:
    return msgspec.structs.replace(option, right=Right.PUT if option.right is Right.CALL else Right.CALL)


@given(OPTIONS, VOLS)
def test_put_and_call_differ_by_the_discounted_forward(option: European, vol: float) -> None:
    sign = 1 if option.right is Right.CALL else -1
    parity = sign * exp(-option.rate * option.years) * (option.forward - option.strike)
    assert price(option, vol) - price(other_side(option), vol) == pytest.approx(parity, abs=1e-9)


@given(OPTIONS, VOLS)
def test_implied_volatility_gives_the_premium_back(option: European, vol: float) -> None:
    premium = price(option, vol)
    time_value = premium - price(option, 0.0)
    if time_value > 1e-9:
        assert price(option, implied_vol(option, premium)) == pytest.approx(premium, abs=1e-9)


@given(OPTIONS, VOLS, st.floats(0.001, 0.2))
def test_more_volatility_is_never_worth_less(option: European, vol: float, more: float) -> None:
    assert price(option, vol + more) >= price(option, vol) - 1e-12


@given(OPTIONS, VOLS)
def test_delta_and_vega_are_the_slopes_of_the_price(option: European, vol: float) -> None:
    found, h = greeks(option, vol), 1e-5
    up = msgspec.structs.replace(option, forward=option.forward * (1 + h))
    down = msgspec.structs.replace(option, forward=option.forward * (1 - h))
    per_forward = (price(up, vol) - price(down, vol)) / (2 * h * option.forward)
    assert found.delta == pytest.approx(per_forward * exp(option.carry * option.years), abs=1e-4)
    per_vol = (price(option, vol + h) - price(option, vol - h)) / (2 * h)
    assert found.vega == pytest.approx(per_vol, abs=1e-3)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(170, 230), st.integers(1, 60))
def test_a_hedge_never_raises_span_and_span_is_never_negative(lots: int, hedge: int, strike: int, days: int) -> None:
    params = MarginParams(parse_px("20000"), 85_000_000, 30_000_000)
    bought = min(lots, hedge)
    option = on_spot(Right.CALL, 20_000, strike * 100, days / 365, params.rate)
    cover = on_spot(Right.CALL, 20_000, strike * 100 + 500, days / 365, params.rate)
    short = _leg(option, -lots * 50, days)
    naked = derivatives_requirement([short], params)
    hedged = derivatives_requirement([short, _leg(cover, bought * 50, days)], params)
    assert 0 <= hedged.span <= naked.span + 1
    assert hedged.exposure == naked.exposure


def _leg(option: European, qty: int, days: int) -> DerivativeLeg:
    premium = parse_px(f"{max(price(option, 0.15), 0.05):.2f}")
    return DerivativeLeg(Qty(qty), premium, days / 365, option.right, parse_px(f"{option.strike:.2f}"))
