"""The cheap check of every backtest: a warning with evidence for what looks ahead, and nothing else changes."""

import msgspec
import numpy as np
import pytest

from manjha.research.backtest import run_backtest
from manjha.research.bias.quick import BARS_MAX, LIMIT_MIN, cuts, run_checked
from manjha.research.bias.subjects import Trace, Values
from manjha.research.result import order_list_hash
from tests.fakes.leaks.cases import Case, spec_for
from tests.fakes.leaks.clean_in_time import AnswersFills, Intraday, Timers, UniverseByVolume
from tests.fakes.leaks.clean_in_windows import PastWinners, SlowAverage
from tests.fakes.leaks.leaks_in_samples import MinMaxOfAll, ZScoreOfAll
from tests.fakes.leaks.leaks_in_time import FutureWinners, Survivors
from tests.fakes.leaks.leaks_in_windows import NegativeShift, ShiftedLine

LEAKS = (NegativeShift, ShiftedLine, ZScoreOfAll, MinMaxOfAll, FutureWinners, Survivors)
CLEAN = (SlowAverage, PastWinners, AnswersFills, Intraday, Timers, UniverseByVolume)


@pytest.mark.parametrize("case", LEAKS)
def test_a_leak_is_warned_of_with_its_evidence(case: type[Case]) -> None:
    warnings = run_checked(spec_for(case)).warnings
    assert any(warning.startswith("looks ahead: ") and "manjha bias-check" in warning for warning in warnings)


@pytest.mark.parametrize("case", CLEAN)
def test_a_clean_run_is_the_run_without_the_check(case: type[Case]) -> None:
    plain, checked = run_backtest(spec_for(case)), run_checked(spec_for(case))
    assert checked.warnings == plain.warnings
    assert checked.state_digest == plain.state_digest
    assert order_list_hash(checked) == order_list_hash(plain)


def test_the_strategy_is_left_as_it_was() -> None:
    spec = spec_for(Timers)
    run_checked(spec)
    assert not {"on_timer", "on_session", "on_fill", "universe"} & vars(spec.strategy).keys()


def test_small_weights_are_not_taken_for_a_difference() -> None:
    spec = msgspec.structs.replace(spec_for(PastWinners), strategy=Tiny())
    assert not run_checked(spec).warnings


class Tiny(PastWinners):
    """Holds weights of a ten-thousandth, which are rounded before they are carried out."""

    def targets(self, history):  # type: ignore[no-untyped-def]
        return super().targets(history) / 12_345.6


def flat_trace(count: int, warmup: int) -> Trace:
    closes = np.arange(count, dtype=np.int64)
    return Trace(closes, [], {"line": Values(closes, np.zeros((count, 1)))}, {}, warmup)


@pytest.mark.parametrize(("count", "warmup"), [(250, 0), (617, 200), (10_000, 50), (1_000_000, 20)])
def test_what_is_run_again_is_bounded(count: int, warmup: int) -> None:
    again = cuts(flat_trace(count, warmup), None)
    assert again
    assert sum(again) <= max(count // 10, LIMIT_MIN)
    assert max(again) <= warmup + BARS_MAX


def test_a_run_that_decides_nothing_costs_nothing() -> None:
    assert cuts(Trace(np.arange(50, dtype=np.int64), [], {}, {}), None) == []
