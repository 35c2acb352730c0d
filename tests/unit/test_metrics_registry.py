"""The list of metrics: complete, wired to the right functions, and the same in the docs."""

import json
import math
from pathlib import Path

import pytest

from manjha.domain.money import RUPEE
from manjha.research.metrics.analysis import Analysis, analyse, document, duration, plain, written
from manjha.research.metrics.daily import Options
from manjha.research.metrics.metric import Metric, Unit
from manjha.research.metrics.registry import GROUPS, METRICS, as_markdown
from tests.fakes.results import FIRST_DAY, NONE, close_of, curve_of, fill, market_result, result_of

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
NAMES = {metric.name: metric for metric in METRICS}

# Four days from 1,00,000: +1, −2, +3, 0 % (the vectors of test_metrics_dispersion). One trade: 10 at 100 → 110, charges
# ₹4 (2 + 2), one still open: 10 short at 110, now 109.06; the rest of the equity is the curve's business.
EQUITY = [1_010_000_000, 989_800_000, 1_019_494_000, 1_019_494_000]
GOLDEN = {
    **{"initial": 1_000_000_000, "final": 1_019_494_000, "net_profit": 19_494_000, "total_return": 0.019494},
    **{"days": 4, "trading_days": 4, "best_day": 0.03, "worst_day": -0.02, "mean_day": 0.005, "positive_days": 0.5},
    **{"mtd": 0.019494, "ytd": 0.019494, "best_month": 0.019494, "worst_year": 0.019494, "positive_months": 1.0},
    **{"volatility": 0.330454233, "downside_deviation": 0.158745079, "var_95": -0.017, "var_99": -0.0194},
    **{"cvar_95": -0.02, "skew": 0.0, "kurtosis": -1.147929, "tail_ratio": 27 / 17},
    **{"max_drawdown": -0.02, "max_drawdown_cash": -20_200_000, "drawdown_days": 2.0, "recovery_days": 1.0},
    **{"drawdowns": 1, "average_drawdown": -0.02, "longest_underwater": 2.0, "ulcer_index": 0.01},
    **{"sharpe": 3.8129335, "smart_sharpe": 2.340229, "sortino": 7.937253933, "omega": 2.0, "gain_to_pain": 1.0},
    **{"psr": 0.66038, "common_sense": 54 / 17, "recovery_factor": 19_494 / 20_200},
    **{"trades": 1, "open_trades": 1, "wins": 1, "losses": 0, "draws": 0, "win_rate": 1.0, "expectancy": 960_000},
    **{"long_trades": 1, "short_trades": 0, "gross_profit": 960_000, "gross_loss": 0, "profit_factor": math.inf},
    **{"average_return": 0.096, "win_streak": 1, "loss_streak": 0, "trades_per_day": 0.25, "trades_per_week": 1.25},
    **{
        "trades_per_month": 5.25,
        "charges": 60_000,
        "charges_stt": 60_000,
        "charges_gst": 0,
        "traded_value": 32_000_000,
    },
    **{"charges_bps": 18.75, "slippage": 1_000, "slippage_bps": 0.3125, "orders": 3, "orders_filled": 3, "fills": 3},
}


def golden_result() -> Analysis:
    first = close_of(FIRST_DAY) - 10
    fills = [
        *(fill(1, 1, 10, 100, first, worse=100), fill(2, -1, 10, 110, first + 5)),
        fill(3, -1, 10, 110, first + 6),
    ]
    charges = [[0, 20_000, 0, 0, 0, 0, 0, 0, 0]] * 3
    curve = curve_of([close_of(FIRST_DAY + day) for day in range(4)], EQUITY)
    return analyse(result_of(fills, charges=charges, curve=curve, marks={"NSE:A": 109.06}))


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_run_gives_the_worked_out_value(name: str) -> None:
    values = golden_result().values
    assert values[name] == pytest.approx(GOLDEN[name], rel=6e-6, abs=1e-9)


# Returns 3, 0, 3, −2 % against 1, −1, 3, −3 % (the vectors of test_metrics_relative), half the bars with ₹50,000 held.
BENCHMARKED = {
    **{"buy_and_hold": -0.00099991, "alpha": 2.52, "beta": 0.9, "correlation": 0.9486832981, "r_squared": 0.9},
    **{"tracking_error": 0.1296148, "information_ratio": 19.442222, "up_capture": 1.5, "down_capture": 0.5},
    **{"exposure_time": 0.5, "max_gross": 500_000_000, "max_leverage": 50_000 / 103_000},
}


@pytest.mark.parametrize("name", BENCHMARKED)
def test_a_run_against_a_benchmark_gives_the_worked_out_value(name: str) -> None:
    curve = curve_of(
        [close_of(FIRST_DAY + day) for day in range(4)],
        [1_030_000_000, 1_030_000_000, 1_060_900_000, 1_039_682_000],
        benchmark=[1_010_000_000, 999_900_000, 1_029_897_000, 999_000_090],
        gross=[0, 500_000_000, 500_000_000, 0],
    )
    values = analyse(result_of(curve=curve)).values
    assert values[name] == pytest.approx(BENCHMARKED[name], rel=1e-6)


def test_annual_figures_of_two_years_stand_on_cagr() -> None:
    # 1,00,000 → 80,000 → 1,21,000 in 730 days: 10 % a year, fell by 20 %; underwater 0, −20 %, 0.
    days = [FIRST_DAY, FIRST_DAY + 300, FIRST_DAY + 729]
    equity = [1_000_000_000, 800_000_000, 1_210_000_000]
    values = analyse(result_of(curve=curve_of([close_of(day) for day in days], equity))).values
    assert values["cagr"] == pytest.approx(0.1)
    assert values["calmar"] == pytest.approx(0.5)
    assert values["martin"] == pytest.approx(0.1 / math.sqrt(0.04 / 3))
    assert values["one_year"] == pytest.approx(0.5125)


def test_names_are_unique_and_groups_complete() -> None:
    assert len(NAMES) == len(METRICS)
    assert {metric.group for metric in METRICS} == set(GROUPS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_says_what_it_is(metric: Metric) -> None:
    assert metric.title
    assert metric.doc.endswith((".", ")"))
    assert "\n" not in metric.doc


def test_the_docs_hold_the_list() -> None:
    assert DOCS.read_text("utf-8").endswith("\n\n" + as_markdown()), "paste registry.as_markdown() into docs/metrics.md"


def test_a_run_without_bars_or_trades_has_every_metric() -> None:
    analysis = analyse(result_of(curve=curve_of([], [])))
    assert set(analysis.values) == set(NAMES)
    assert analysis.values["net_profit"] == 0
    assert math.isnan(analysis.values["sharpe"])
    assert math.isnan(analysis.values["exposure_time"])


def test_money_adds_up_in_the_example() -> None:
    analysis = analyse(market_result(days=30))
    values = analysis.values
    lines = sum(
        value for name, value in values.items() if name.startswith("charges_") and NAMES[name].unit is Unit.MONEY
    )
    assert lines == values["charges"]
    assert values["gross_profit"] + values["gross_loss"] == values["net_profit"]


def test_the_risk_free_rate_lowers_the_sharpe_ratio() -> None:
    result = market_result(days=30)
    plainly, dear = analyse(result).values, analyse(result, Options(risk_free=0.065)).values
    assert dear["sharpe"] < plainly["sharpe"]
    assert Options(risk_free=0.065).daily_risk_free == pytest.approx(0.065 / 252, rel=0.04)


def test_json_has_no_number_that_json_does_not_know() -> None:
    text = json.dumps(document(analyse(result_of(curve=curve_of([], [])))), allow_nan=False)
    assert json.loads(text)["metrics"]["sharpe"] is None


def test_json_writes_money_as_text_and_times_in_ist() -> None:
    content = document(analyse(market_result(days=10)))
    assert content["initial"] == "100000.00"
    assert content["metrics"]["initial"] == "100000.00"
    assert content["start"] == "2025-01-06T09:20:00+05:30"
    assert len(content["daily_equity"]) == 10
    assert len(content["round_trips"]) == content["metrics"]["trades"]
    assert content["simulated"] is True


def test_json_without_rows_is_short() -> None:
    content = document(analyse(market_result(days=10)), rows=False)
    assert not {"orders", "fills", "round_trips", "daily_equity"} & set(content)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("net_profit", -12_345_678_900, "−₹12,34,567.89"),
        ("total_return", -0.0643, "−6.43 %"),
        ("profit_factor", math.inf, "∞"),
        ("sharpe", math.nan, "–"),
        ("sharpe", -1.5, "−1.50"),
        ("beta", 0.0123, "0.0123"),
        ("trades", 12_345, "12,345"),
        ("start", 1_736_135_400_000_000_000, "2025-01-06 09:20"),
        ("average_holding", 5_400_000_000_000, "1 h 30 min"),
        ("drawdown_days", 2.5, "2.5 days"),
        ("slippage_bps", -1.25, "−1.25 bps"),
    ],
)
def test_values_are_written_for_people(name: str, value: float, text: str) -> None:
    assert written(NAMES[name], value) == text


def test_values_are_written_for_machines() -> None:
    assert plain(NAMES["profit_factor"], math.inf) == "Infinity"
    assert plain(NAMES["net_profit"], -5 * RUPEE) == "-5.00"
    assert plain(NAMES["average_holding"], 90_000_000_000) == 90.0


def test_durations_show_their_two_largest_units() -> None:
    assert duration(3 * 86_400e9 + 4 * 3_600e9 + 5e9) == "3 d 4 h"
    assert duration(0) == "0 s"


def test_an_empty_curve_is_an_empty_column() -> None:
    assert len(curve_of([], [])) == len(NONE)
