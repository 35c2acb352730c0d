"""Laws that charges keep for any order, and the scalars in int64."""

from fractions import Fraction
from typing import Any

import numba
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.money import CASH_MAX, Cash
from manjha.domain.orders import Product, Side
from manjha.market.bills import BilledLeg, exact_charges
from manjha.market.charges import RateCard, fill_charges, gst_amount, line_amount, order_brokerage, rate_card
from manjha.market.margin_rules import futures_requirement
from tests.fakes.market_rules import day, future, option, share, shipped_rules

RULES = shipped_rules()
CARDS = st.sampled_from(
    [
        rate_card(RULES, instrument, product, day(text))
        for instrument, product in (
            (share(), Product.CNC),
            (share(), Product.MIS),
            (future(), Product.NRML),
            (option(), Product.NRML),
        )
        for text in ("2016-01-04", "2019-06-03", "2021-06-01", "2023-06-01", "2025-06-02", "2026-11-20")
    ]
)
SIDES = st.sampled_from(Side)
TURNOVERS = st.integers(1, 60 * 10**7 * 10**4)


@given(CARDS, SIDES, st.lists(TURNOVERS, min_size=1, max_size=8))
def test_partial_fills_pay_the_brokerage_of_the_whole_order(card: RateCard, side: Side, fills: list[int]) -> None:
    paid, before = 0, 0
    for turnover in fills:
        paid += fill_charges(card, side, turnover, before)[0]
        before += turnover
    assert paid == fill_charges(card, side, before, 0)[0]


@given(CARDS, SIDES, TURNOVERS, st.integers(0, 10**14))
def test_no_line_is_ever_negative(card: RateCard, side: Side, turnover: int, before: int) -> None:
    assert min(fill_charges(card, side, turnover, before)) >= 0


@given(CARDS, SIDES, TURNOVERS, st.integers(0, 10**12))
def test_more_turnover_never_costs_less(card: RateCard, side: Side, turnover: int, more: int) -> None:
    less = fill_charges(card, side, turnover, 0)
    assert all(a <= b for a, b in zip(less, fill_charges(card, side, turnover + more, 0), strict=True))


@given(CARDS, SIDES, TURNOVERS)
def test_booked_lines_lie_within_half_a_unit_of_the_exact_ones(card: RateCard, side: Side, turnover: int) -> None:
    exact = exact_charges(BilledLeg(card, side, Cash(turnover)))
    booked = fill_charges(card, side, turnover, 0)
    names = ("brokerage", "stt", "exchange", "ipft", "sebi", "stamp", "gst")
    for name, amount in zip(names, booked, strict=True):
        # GST is taken of booked lines, so their rounding adds to its own.
        slack = Fraction(1, 2) + (Fraction(3, 4) if name == "gst" else 0)
        assert abs(getattr(exact, name) * 10_000 - amount) <= slack


@given(st.integers(0, CASH_MAX), st.integers(0, 10**9))
def test_a_line_is_rounded_half_up_exactly(turnover: int, rate: int) -> None:
    assert line_amount(turnover, rate) == (turnover * rate * 2 + 10**9) // (2 * 10**9)


def test_compiled_scalars_equal_the_plain_ones() -> None:
    """The kernel wraps these very functions; int64 must hold what Python's integers hold, up to CASH_MAX."""
    scalars: tuple[Any, ...] = (line_amount, gst_amount, order_brokerage, futures_requirement)
    compiled: list[Any] = [numba.njit(scalar) for scalar in scalars]
    rng = np.random.default_rng(20_261_122)
    for turnover in [0, 1, CASH_MAX, *(int(10**x) for x in rng.uniform(0, 18.9, 2_000))]:
        rate, cap, kind = int(rng.integers(0, 10**9 + 1)), int(rng.integers(0, 10**6)), int(rng.integers(0, 3))
        calls = ((turnover, rate), (turnover, rate), (turnover, kind, rate, cap), (turnover // 2, rate, rate // 2))
        for plain, fast, values in zip(scalars, compiled, calls, strict=True):
            assert fast(*values) == plain(*values), (plain, values)
