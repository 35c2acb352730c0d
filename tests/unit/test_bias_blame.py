"""The cause that is named is the bar, the series and the column that was planted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from manjha.domain.errors import DataError, UsageError
from manjha.research.bias.detector import Detector
from manjha.research.bias.findings import BiasReport, Finding, FindingKind
from manjha.research.bias.functions import feature_subject, function_subject, indicator_subject
from manjha.research.bias.quick import run_checked
from manjha.research.bias.subjects import StrategySubject
from manjha.research.bias.words import format_bias, sentence, to_dict
from manjha.strategy.context import Context
from manjha.strategy.indicators import INDICATORS
from manjha.strategy.interface import Entries, History
from tests.fakes.leaks.cases import Case, follow, spec_for
from tests.fakes.leaks.leaks_in_time import CoarseBarEarly, OtherShareAhead, Survivors
from tests.fakes.leaks.leaks_in_windows import LimitAtTheNextLow, NegativeShift, ShiftedLine

BARS = spec_for(NegativeShift).bars[0]


def found(case: type[Case], points: int = 6) -> list[Finding]:
    return list(Detector(StrategySubject(spec_for(case)), count=points).check().findings)


def function(call: Any, **params: Any) -> BiasReport:
    return Detector(function_subject(call, BARS, "NSE:ALPHA", params), count=6).check()


def test_a_shift_of_one_is_blamed_on_the_close_of_the_next_bar() -> None:
    (one,) = found(NegativeShift)
    assert one.cause is not None
    assert one.cause.columns == ("close",)
    assert one.cause.series == ("NSE:ALPHA",)
    assert one.cause.interval == "15m"
    assert one.cause.first_ns == one.cause.last_ns
    closes = np.asarray(BARS.ts_close_ns)
    assert closes[np.searchsorted(closes, one.ts_ns) + 1] == one.cause.last_ns
    assert one.arrays == ("signal",)
    assert "changes when the close of the bar of" in sentence(one)


def test_a_line_is_named_beside_the_orders_that_follow_it() -> None:
    assert [one.item for one in found(ShiftedLine)] == ["ahead", "orders"]


def test_the_price_of_an_order_counts() -> None:
    (one,) = found(LimitAtTheNextLow, points=12)
    assert "limit" in one.before
    assert one.cause is not None
    assert one.cause.columns == ("low",)


def test_a_moment_to_leave_at_is_told_as_one() -> None:
    class LeavesAtTheHigh(NegativeShift):
        def entries(self, history: History) -> Entries:
            high = history.column("high")[:, 0]
            ahead = [at + int(np.argmax(high[at : at + 9])) for at in range(len(high))]
            side = np.where(np.arange(len(high)) % 9, 0.0, 1.0)
            return Entries(side=side, exit_ns=history.ts_ns[ahead])

    line, order = found(LeavesAtTheHigh)
    assert line.item.startswith("entry's exit_ns")
    assert line.before[:3] == line.after[:3] == "202"
    assert ", until 202" in order.before
    assert order.before != order.after


def test_the_other_share_and_the_other_interval_are_named() -> None:
    (other,), (coarse,) = found(OtherShareAhead), found(CoarseBarEarly, points=12)
    assert other.cause is not None
    assert other.cause.series == ("NSE:BETA",)
    assert coarse.cause is not None
    assert coarse.cause.interval == "60m"


def test_what_only_missing_bars_show_is_said_so() -> None:
    (one,) = found(Survivors)
    assert one.cause is not None
    assert one.cause.is_missing
    assert "missing" in sentence(one)


class Dice(Case):
    """Throws dice without a seed."""

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, np.random.default_rng().random() - 0.5)


def test_chance_cannot_be_judged() -> None:
    (one,) = found(Dice)
    assert one.kind is FindingKind.CHANCE


class Fragile(Case):
    """Cannot be run on a few bars, and does nothing wrong."""

    def init(self, ctx: Context) -> None:
        self.mean = float(np.mean([ctx.market.series.floats("close")[200]]))

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, ctx.close[-1] - ctx.close[-2])


def test_runs_that_fail_are_counted_and_not_blamed() -> None:
    report = Detector(StrategySubject(spec_for(Fragile)), count=6).check()
    assert not report.is_biased
    assert any("say nothing" in warning for warning in report.warnings)


KNOWN = np.asarray(BARS.close) / 10_000


class Brittle(Case):
    """Runs on the whole sample only."""

    def init(self, ctx: Context) -> None:
        close = ctx.market.series.floats("close")
        if not np.array_equal(close, KNOWN):
            raise ValueError("these are not the bars that I know")

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, ctx.close[-1] - ctx.close[-2])


def test_what_runs_on_nothing_else_is_not_called_clean() -> None:
    report = Detector(StrategySubject(spec_for(Brittle)), count=6).check()
    assert not report.is_biased
    assert not report.is_checked
    assert "NOT CHECKED" in format_bias(report)
    assert not to_dict(report)["checked"]


def test_what_decides_nothing_is_not_called_clean() -> None:
    report = Detector(StrategySubject(spec_for(Case)), count=6).check()
    assert "NOT CHECKED" in format_bias(report)


def test_a_backtest_says_that_its_beginning_could_not_be_checked() -> None:
    warnings = run_checked(spec_for(Brittle)).warnings
    assert any(
        each.startswith("could not be checked for looking ahead: ") and "not the bars" in each for each in warnings
    )


# ---- functions


def centred(close: Any, length: int = 5) -> Any:
    return np.convolve(close, np.ones(length) / length, "same")


def drift(columns: Mapping[str, Any]) -> Any:
    return {"past": np.diff(columns["close"], prepend=np.nan), "mean": columns["volume"] - columns["volume"].mean()}


def test_a_users_function_is_blamed_by_column() -> None:
    (one,) = function(centred, length=3).findings
    assert one.item == "centred"
    assert one.cause is not None
    assert one.cause.columns == ("close",)


def test_a_feature_of_all_columns_is_judged_output_by_output() -> None:
    (one,) = function(drift).findings
    assert one.item == "mean"
    assert one.cause is not None
    assert one.cause.columns == ("volume",)


def test_a_feature_may_have_columns_of_any_name() -> None:
    columns = {"pcr": np.sin(np.arange(120.0)), "vix": np.cos(np.arange(120.0))}
    clean = feature_subject("spread", lambda c: c["pcr"] - c["vix"], columns)
    ahead = feature_subject("rank", lambda c: np.argsort(np.argsort(c["vix"])), columns)
    assert not Detector(clean, count=8).check().is_biased
    (one,) = Detector(ahead, count=8).check().findings
    assert one.cause is not None
    assert one.cause.columns == ("vix",)


@pytest.mark.parametrize("name", ["sma", "supertrend", "heikin_ashi", "vwap", "obv"])
def test_indicators_of_the_registry_are_clean(name: str) -> None:
    report = Detector(indicator_subject(INDICATORS[name], BARS, "NSE:ALPHA", {}), count=6).check()
    assert not report.is_biased


def test_a_recursive_average_is_warned_of_and_not_blamed() -> None:
    report = Detector(indicator_subject(INDICATORS["ema"], BARS, "NSE:ALPHA", {"length": 40}), count=6).check()
    assert not report.is_biased
    assert any("`ema` depends on where the data begin" in warning for warning in report.warnings)


def test_a_function_that_wants_no_column_is_refused() -> None:
    with pytest.raises(UsageError, match="expected names of columns"):
        function(lambda price, size: price)
    with pytest.raises(UsageError, match="no parameter 'lenght'"):
        function(centred, lenght=3)
    with pytest.raises(UsageError, match="shape"):
        function(lambda close: close[1:])


def test_too_few_bars_are_an_error_with_a_next_step() -> None:
    with pytest.raises(DataError, match="nothing comes after it"):
        Detector(indicator_subject(INDICATORS["sma"], BARS, "", {"length": 250}), count=6).check()


def test_the_report_is_the_same_twice_and_says_the_same_in_json() -> None:
    one, two = (Detector(StrategySubject(spec_for(NegativeShift)), count=6, seed=3).check() for _ in range(2))
    assert one == two
    told = to_dict(one)
    assert told["biased"] is True
    assert told["findings"][0]["cause"]["columns"] == ["close"]
    assert told["findings"][0]["says"] in format_bias(one)
