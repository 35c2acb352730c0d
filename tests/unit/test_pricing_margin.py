"""The margin model against Kite's basket sample (`margin_test_vectors.json`, ours) and against plain sense."""

import json
from pathlib import Path

import pytest

from manjha.domain.errors import DataError
from manjha.domain.instrument import Right
from manjha.domain.money import RUPEE, Px, Qty, parse_cash, parse_px
from manjha.market.margin_rules import derivative_margin, futures_requirement
from manjha.pricing.margin import DerivativeLeg, MarginParams, derivatives_requirement
from tests.fakes.market_rules import day, shipped_rules

VECTORS = json.loads((Path(__file__).parents[1] / "golden" / "margin_test_vectors.json").read_text("utf-8"))
SPOT = parse_px(VECTORS["inputs"]["implied_spot"])
YEARS = VECTORS["inputs"]["days_to_expiry"] / 365
MODEL = VECTORS["model"]


def nano(text: str) -> int:
    return int(text.replace("0.", "").ljust(9, "0"))


PARAMS = MarginParams(
    spot=SPOT,
    scan_range=nano(MODEL["psr"]),
    exposure=nano(MODEL["elm"]),
    volatility_range=nano(MODEL["vsr"]),
    rate=float(MODEL["rate"]),
)
SHORT = DerivativeLeg(Qty(-50), parse_px("53.475"), YEARS, Right.CALL, parse_px("20600"))
LONG = DerivativeLeg(Qty(50), parse_px("10.425"), YEARS, Right.CALL, parse_px("20700"))


def within(amount: int, rupees: str, percent: float) -> bool:
    expected = parse_cash(rupees)
    return abs(amount - expected) <= expected * percent / 100


@pytest.mark.parametrize(
    ("legs", "model", "kite"),
    [([SHORT], "span_naked", "short_leg_alone"), ([SHORT, LONG], "span_hedged", "basket_final")],
)
def test_span_meets_the_models_own_figure_and_kites(legs: list[DerivativeLeg], model: str, kite: str) -> None:
    margin = derivatives_requirement(legs, PARAMS)
    assert within(margin.span, MODEL[model], 0.5)
    assert within(margin.span, VECTORS["kite"][kite]["span"], 2)


@pytest.mark.parametrize("legs", [[SHORT], [SHORT, LONG]])
def test_exposure_is_exact(legs: list[DerivativeLeg]) -> None:
    assert derivatives_requirement(legs, PARAMS).exposure == parse_cash("29151.2250")


def test_totals_meet_kites() -> None:
    alone, basket = derivatives_requirement([SHORT], PARAMS), derivatives_requirement([SHORT, LONG], PARAMS)
    assert within(alone.total, VECTORS["kite"]["short_leg_alone"]["total"], 2)
    assert within(basket.basket, VECTORS["kite"]["basket_final"]["total"], 2)
    assert basket.premium == parse_cash(VECTORS["kite"]["basket_final"]["option_premium"])


def test_a_long_option_needs_its_premium_only() -> None:
    margin = derivatives_requirement([LONG], PARAMS)
    assert (margin.span, margin.exposure, margin.total) == (0, 0, parse_cash("521.25"))


def test_a_lone_future_needs_scan_and_exposure_and_the_scalar_agrees() -> None:
    margin = derivatives_requirement([DerivativeLeg(Qty(50), SPOT, YEARS)], PARAMS)
    notional = SPOT * 50
    assert margin.exposure == parse_cash("29151.225")
    assert abs(margin.span - notional * PARAMS.scan_range // 10**9) <= 1
    assert abs(margin.total - futures_requirement(notional, PARAMS.scan_range, PARAMS.exposure)) <= 1


def test_a_calendar_spread_needs_far_less_than_its_legs() -> None:
    near, far = DerivativeLeg(Qty(50), SPOT, 10 / 365), DerivativeLeg(Qty(-50), SPOT, 40 / 365)
    spread = derivatives_requirement([near, far], PARAMS)
    notional = SPOT * 50
    assert spread.span == notional // 100
    assert spread.exposure == -(-notional // 100)


def test_no_calendar_offset_for_the_leg_that_expires_today() -> None:
    near = DerivativeLeg(Qty(50), SPOT, 0.0, expires_today=True)
    far = DerivativeLeg(Qty(-50), SPOT, 30 / 365)
    together = derivatives_requirement([near, far], PARAMS)
    apart = [derivatives_requirement([leg], PARAMS) for leg in (near, far)]
    assert together.span == sum(margin.span for margin in apart)
    assert together.exposure == sum(margin.exposure for margin in apart)


def test_expiry_day_adds_exposure_to_short_index_options() -> None:
    row = derivative_margin(shipped_rules(), "index", day("2024-11-21"))
    params = MarginParams(SPOT, row.scan_range, row.exposure, row.expiry_exposure)
    leg = DerivativeLeg(Qty(-50), parse_px("10"), 0.001, Right.CALL, parse_px("20600"))
    today = DerivativeLeg(Qty(-50), parse_px("10"), 0.001, Right.CALL, parse_px("20600"), expires_today=True)
    extra = derivatives_requirement([today], params).exposure - derivatives_requirement([leg], params).exposure
    assert extra == SPOT * 50 * 2 // 100


def test_expiry_day_exposure_began_2024_11_20() -> None:
    rows = [derivative_margin(shipped_rules(), "index", day(text)) for text in ("2024-11-19", "2024-11-20")]
    assert [row.expiry_exposure for row in rows] == [0, 20_000_000]


def test_a_premium_below_intrinsic_value_counts_without_volatility() -> None:
    leg = DerivativeLeg(Qty(-50), parse_px("900"), YEARS, Right.CALL, parse_px("18000"))
    assert derivatives_requirement([leg], PARAMS).span > 0


def test_short_option_minimum_binds_for_far_options() -> None:
    params = MarginParams(SPOT, PARAMS.scan_range, PARAMS.exposure, short_option_min=30_000_000)
    leg = DerivativeLeg(Qty(-50), parse_px("0.05"), YEARS, Right.CALL, parse_px("40000"))
    assert derivatives_requirement([leg], params).span == SPOT * 50 * 3 // 100


def test_a_price_of_zero_is_refused() -> None:
    with pytest.raises(DataError, match="positive price"):
        derivatives_requirement([SHORT], MarginParams(Px(0), 1, 1))


def test_futures_requirement_rounds_each_part_up() -> None:
    assert futures_requirement(1, 83_000_000, 30_000_000) == 2
    assert futures_requirement(100 * RUPEE, 100_000_000, 20_000_000) == 12 * RUPEE
    assert futures_requirement(9 * 10**18, 10**9, 10**9) == 18 * 10**18
