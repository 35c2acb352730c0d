"""The tax estimate, one rule after the other. Cess of 4 % is on top of each tax."""

import pytest

from manjha.domain.instrument import Kind
from manjha.domain.moments import at, parse_day
from manjha.domain.money import RUPEE
from manjha.domain.orders import Fill, Product
from manjha.research.metrics.tax import TaxLine, tax_estimate
from manjha.research.round_trips import round_trips
from tests.fakes.results import fill, result_of, share

NOON = 12 * 3_600 * 1_000_000_000


def trade(number: int, bought: str, sold: str, gain: int, *, product: Product = Product.CNC) -> list[Fill]:
    days = [at(parse_day(day), NOON) + number for day in (bought, sold)]
    return [
        fill(2 * number, 1, 1, 10_00_000, days[0], product=product, order=f"i{number}"),
        fill(2 * number + 1, -1, 1, 10_00_000 + gain, days[1] + 1, product=product, order=f"o{number}"),
    ]


def lines(*trades: list[Fill], kind: Kind = Kind.EQUITY, stt: int = 0) -> tuple[TaxLine, ...]:
    instrument = share("A", kind=kind)
    fills = sorted((item for pair in trades for item in pair), key=lambda item: item.ts_ns)
    renamed = [fill_in(item, instrument.id) for item in fills]
    charges = [[0, stt, 0, 0, 0, 0, 0, 0, 0] for _ in fills]
    result = result_of(renamed, charges=charges, instruments=[instrument])
    return tax_estimate(result, round_trips(result).closed, 0.30)


def fill_in(item: Fill, instrument: str) -> Fill:
    return fill(
        *(int(item.id[1:]), int(item.side), item.qty, item.px / RUPEE, item.ts_ns),
        instrument=instrument,
        product=item.product,
        order=item.order_id,
    )


def taxes(found: tuple[TaxLine, ...]) -> list[tuple[str, str, float, float]]:
    return [(line.year, line.kind, line.income / RUPEE, line.tax / RUPEE) for line in found]


@pytest.mark.parametrize("product", [Product.MIS, Product.CNC])
def test_the_same_day_is_speculation(product: Product) -> None:
    # 1000 × 30 % × 1.04
    found = lines(trade(1, "2025-06-02", "2025-06-02", 1_000, product=product))
    assert taxes(found) == [("2025-26", "speculative", 1_000, 312)]


def test_a_speculative_loss_is_not_taxed() -> None:
    assert taxes(lines(trade(1, "2025-06-02", "2025-06-02", -500))) == [("2025-26", "speculative", -500, 0)]


@pytest.mark.parametrize("kind", [Kind.FUTURE, Kind.OPTION])
def test_derivatives_are_business(kind: Kind) -> None:
    found = lines(trade(1, "2025-06-02", "2025-06-02", 1_000, product=Product.NRML), kind=kind)
    assert taxes(found) == [("2025-26", "business (F&O)", 1_000, 312)]


def test_short_term_rates_by_the_day_of_sale() -> None:
    # 1000 × 15 % × 1.04 up to 22 July 2024, 20 % from the 23rd.
    assert taxes(lines(trade(1, "2024-05-02", "2024-07-22", 1_000))) == [("2024-25", "short-term gain", 1_000, 156)]
    assert taxes(lines(trade(1, "2024-05-02", "2024-07-23", 1_000))) == [("2024-25", "short-term gain", 1_000, 208)]


def test_twelve_months_to_the_day_are_short_term() -> None:
    assert lines(trade(1, "2024-08-01", "2025-08-01", 1))[0].kind == "short-term gain"
    assert lines(trade(1, "2024-08-01", "2025-08-02", 1))[0].kind == "long-term gain"


def test_long_term_gains_have_an_exemption() -> None:
    # (2,25,000 − 1,25,000) × 12.5 % × 1.04
    found = lines(trade(1, "2024-01-01", "2025-06-02", 2_25_000))
    assert taxes(found) == [("2025-26", "long-term gain", 2_25_000, 13_000)]


def test_the_exemption_before_2024() -> None:
    # (2,00,000 − 1,00,000) × 10 % × 1.04
    assert taxes(lines(trade(1, "2022-01-03", "2023-06-01", 2_00_000)))[0][3] == 10_400


def test_a_short_term_loss_offsets_a_long_term_gain() -> None:
    # (2,25,000 − 25,000 − 1,25,000) × 12.5 % × 1.04
    found = lines(trade(1, "2024-01-01", "2025-06-02", 2_25_000), trade(2, "2025-06-03", "2025-06-20", -25_000))
    assert taxes(found) == [("2025-26", "short-term gain", -25_000, 0), ("2025-26", "long-term gain", 2_25_000, 9_750)]


def test_a_loss_at_one_rate_eats_the_gain_at_the_other() -> None:
    # 1000 at 20 % less 400 at 15 %: 600 × 20 % × 1.04.
    found = lines(trade(1, "2024-05-02", "2024-06-03", -400), trade(2, "2024-08-01", "2024-09-02", 1_000))
    assert taxes(found) == [("2024-25", "short-term gain", 600, 124.8)]


def test_stt_is_no_cost_of_a_capital_gain_but_of_business() -> None:
    # ₹10 a fill: gain 1000 − 20 + 20 against 1000 − 20.
    assert lines(trade(1, "2025-05-02", "2025-06-02", 1_000), stt=10 * RUPEE)[0].income == 1_000 * RUPEE
    assert lines(trade(1, "2025-06-02", "2025-06-02", 1_000), stt=10 * RUPEE)[0].income == 980 * RUPEE


def test_years_run_from_april_to_march() -> None:
    found = lines(trade(1, "2025-03-03", "2025-03-31", 100), trade(2, "2025-03-03", "2025-04-01", 100))
    assert [line.year for line in found] == ["2024-25", "2025-26"]
