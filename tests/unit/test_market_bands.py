"""Price bands, price protection, circuit breakers and cash margins."""

import pytest

from manjha.domain.errors import OutsideTable, UsageError
from manjha.domain.instrument import Asset, Instrument
from manjha.domain.moments import MINUTE_NS, format_day, parse_clock
from manjha.domain.money import parse_cash, parse_px
from manjha.domain.orders import Product
from manjha.market.bands import (
    DAILY_BANDS,
    SLIDES_SINCE,
    Band,
    auction_range,
    automatic_protection,
    band,
    band_step,
    halt_ns,
    opening_band,
    protection_band,
    widened,
    widening,
)
from manjha.market.margin_rules import cash_requirement
from tests.fakes.market_rules import day, future, index, option, share, shipped_rules

RULES = shipped_rules()
STOCK_FUT, STOCK_CALL = future("SBIN", asset=Asset.EQUITY), option("SBIN", "800", asset=Asset.EQUITY)


def rupees(low: str, high: str) -> Band:
    return Band(parse_px(low), parse_px(high))


@pytest.mark.parametrize(
    ("fraction", "low", "high"),
    list(zip(DAILY_BANDS, ("98.05", "95.05", "90.05", "80.05"), ("102.05", "105.05", "110.05", "120.05"), strict=True)),
)
def test_a_daily_band_never_leaves_its_percentage(fraction: int, low: str, high: str) -> None:
    """Of 100.05: 2 % is 98.049 to 102.051, 5 % 95.0475 to 105.0525, and so on; limits lie inside, on the tick."""
    assert opening_band(share(), parse_px("100.05"), fraction) == rupees(low, high)


def test_shares_with_derivatives_open_at_ten_percent() -> None:
    assert opening_band(share(fno=True), parse_px("100")) == rupees("90", "110")
    assert opening_band(STOCK_FUT, parse_px("100")) == rupees("90", "110")


def test_what_has_no_fixed_band() -> None:
    assert opening_band(share(), parse_px("100")) is None
    assert opening_band(future(), parse_px("24000")) is None
    assert opening_band(option(), parse_px("100")) is None
    assert opening_band(index(), parse_px("24000")) is None


def test_an_odd_daily_band_is_refused() -> None:
    with pytest.raises(UsageError, match="2, 5, 10 or 20"):
        opening_band(share(), parse_px("100"), 70_000_000)


def test_a_band_holds_its_limits() -> None:
    found = rupees("90", "110")
    assert [found.holds(parse_px(px)) for px in ("89.95", "90", "110", "110.05")] == [False, True, True, False]


def test_dynamic_bands_slide_since_2024_11_18() -> None:
    assert format_day(SLIDES_SINCE) == "2024-11-18"
    moved = widening(RULES, parse_px("100"), 1, 500)
    assert widened(rupees("90", "110"), moved, 1, day("2024-11-14")) == rupees("90", "115")
    assert widened(rupees("90", "110"), moved, 1, day("2024-11-18")) == rupees("95", "115")
    assert widened(rupees("90", "110"), moved, -1, day("2024-11-14")) == rupees("85", "110")
    assert widened(rupees("90", "110"), moved, -1, day("2024-11-18")) == rupees("85", "105")


def test_steps_of_a_dynamic_band() -> None:
    steps = [band_step(RULES, n) for n in range(1, 8)]
    assert [step.move for step in steps] == [n * 10_000_000 for n in (5, 5, 3, 3, 2, 2, 2)]
    assert [step.cooling_minutes for step in steps] == [15, 15, 30, 30, 60, 60, 60]


PROTECTION = [
    (option(), "40", "20", "60"),
    (option(), "10", "0.05", "30"),
    (option(), "100", "60", "140"),
    (STOCK_CALL, "50", "30", "70"),
    (future(), "24000", "23520", "24480"),
    (future(), "9000", "8800", "9200"),
    (STOCK_FUT, "1000", "970", "1030"),
    (STOCK_FUT, "40", "38.5", "41.5"),
]


@pytest.mark.parametrize(("instrument", "reference", "low", "high"), PROTECTION)
def test_limit_price_protection(instrument: Instrument, reference: str, low: str, high: str) -> None:
    assert protection_band(RULES, instrument, day("2026-11-20"), parse_px(reference)) == rupees(low, high)


def test_no_price_protection_for_shares_or_before_it_began() -> None:
    assert protection_band(RULES, share(), day("2026-11-20"), parse_px("100")) is None
    assert protection_band(RULES, option(), day("2022-10-28"), parse_px("100")) is None
    assert protection_band(RULES, option(), day("2022-10-31"), parse_px("100")) is not None


def test_the_closing_auction_keeps_within_three_percent() -> None:
    assert auction_range(parse_px("1000"), 30_000_000, 500) == rupees("970", "1030")


def test_a_band_stays_above_zero() -> None:
    assert band(parse_px("0.05"), 400_000_000, 500) == rupees("0.05", "0.05")


@pytest.mark.parametrize(
    ("instrument", "last", "percent"),
    [(share(), "99.95", 2), (share(), "100", 1), (option(), "9.95", 5), (option(), "10", 3), (option(), "500", 1)],
)
def test_automatic_protection(instrument: Instrument, last: str, percent: int) -> None:
    assert automatic_protection(RULES, instrument, day("2026-11-20"), parse_px(last)) == percent * 10_000_000


@pytest.mark.parametrize(
    ("percent", "clock", "minutes"),
    [
        (9, "10:00", 0),
        (10, "12:59", 45),
        (10, "13:00", 15),
        (10, "14:30", 0),
        (15, "12:59", 105),
        (15, "13:59", 45),
        (15, "14:00", 600),
        (20, "09:30", 870),
    ],
)
def test_index_circuit_breaker(percent: int, clock: str, minutes: int) -> None:
    assert halt_ns(RULES, percent * 10_000_000, parse_clock(clock)) == minutes * MINUTE_NS


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("2020-11-30", 5),
        ("2020-12-01", 5),
        ("2021-02-26", 5),
        ("2021-03-01", 10),
        ("2021-06-01", 15),
        ("2021-08-31", 15),
        ("2021-09-01", 20),
    ],
)
def test_intraday_margin_follows_the_peak_margin_phases(text: str, percent: int) -> None:
    value = parse_cash("100000")
    assert cash_requirement(RULES, Product.MIS, day(text), value) == value * percent // 100


def test_margin_is_rounded_up_and_a_riskier_share_needs_more() -> None:
    at = day("2026-11-20")
    assert cash_requirement(RULES, Product.MIS, at, 1) == 1
    assert cash_requirement(RULES, Product.MIS, at, parse_cash("100"), own_fraction=350_000_000) == parse_cash("35")
    assert cash_requirement(RULES, Product.CNC, at, parse_cash("100")) == parse_cash("100")
    assert cash_requirement(RULES, Product.MTF, at, parse_cash("100")) == parse_cash("25")


def test_shares_are_not_carried_as_nrml() -> None:
    with pytest.raises(UsageError, match="NRML"):
        cash_requirement(RULES, Product.NRML, day("2026-11-20"), 1)


def test_funded_delivery_before_its_table_is_no_guess() -> None:
    with pytest.raises(OutsideTable, match="mtf_margin covers 2024-10-31"):
        cash_requirement(RULES, Product.MTF, day("2024-10-31"), 1)
