"""What a strategy of whole columns reads, and what it may state: every bar, or a few of them."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.bars import BarColumns
from manjha.domain.errors import UsageError
from manjha.domain.moments import day_of
from manjha.domain.orders import Product
from manjha.domain.sizing import TargetUnit
from manjha.research.backtest import BacktestSpec, run_backtest, timeline_of
from manjha.research.kernel.convert import divergence
from manjha.research.kernel.run import KernelMarket, run_kernel
from manjha.research.targets import ColumnHistory, Stated, stated_targets
from manjha.strategy.interface import Changes, Floats, History, Strategy
from tests.fakes.hand_made import days, flat, share_named, spec_of

ALPHA, BETA = (share_named(name) for name in ("ALPHA", "BETA"))
NAN = float("nan")


class Says(Strategy):
    """State what the test wants."""

    product: ClassVar[Product] = Product.CNC
    unit: ClassVar[TargetUnit] = TargetUnit.QTY
    instruments_max: ClassVar[int] = 0
    answer: Callable[[History], Floats | Changes]

    def targets(self, history: History) -> Floats | Changes:
        """Say it."""
        return self.answer(history)


def at(rows: Sequence[Any], values: Sequence[Any]) -> Changes:
    return Changes(np.array(rows), np.array(values, np.float64))


def saying(answer: Callable[[History], Floats | Changes]) -> Says:
    made = Says()
    made.answer = answer
    return made


def run_of(strategy: Strategy, *bars: BarColumns, **changes: object) -> BacktestSpec:
    shares = bars or (days(ALPHA, [flat(100.0 + at) for at in range(12)]),)
    return spec_of(strategy, *shares, **changes)


def two(strategy: Strategy, *, aligned: bool) -> BacktestSpec:
    """Two shares, of which one begins later if they are not aligned, and a split of the first."""
    first = days(ALPHA, [flat(100.0 + at) for at in range(6)] + [flat(50.0 + at) for at in range(6)])
    second = days(
        BETA, [flat(30.0 + at) for at in range(12)], **({} if aligned else {"first": day_of(first.ts_open_ns[3])})
    )
    split = CorporateAction(ALPHA.id, day_of(first.ts_open_ns[6]), ActionKind.SPLIT, 2, 1)
    return run_of(strategy, first, second, actions=(split,))


def history_of(spec: BacktestSpec) -> ColumnHistory:
    return ColumnHistory(timeline_of(spec), spec.instruments, spec.bars[0].interval)


def stated(spec: BacktestSpec) -> Stated:
    return stated_targets(spec.strategy, history_of(spec))


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume", "oi"])
def test_rows_of_a_column_are_those_of_the_whole_one(field: str, *, aligned: bool) -> None:
    history, rows = history_of(two(Says(), aligned=aligned)), np.array([9, 0, 2, 2, 7])
    alone = history.at(field, rows)
    whole = history.column(field)
    assert np.array_equal(alone, whole[rows], equal_nan=True)
    assert np.array_equal(history.at(field, rows), alone, equal_nan=True)
    assert np.isnan(alone).any() == (not aligned)


def test_a_column_is_made_once_and_cannot_be_written_to() -> None:
    for spec in (run_of(Says()), two(Says(), aligned=True)):
        close = history_of(spec).column("close")
        with pytest.raises(ValueError, match="read-only"):
            close[0, 0] = 1.0


def test_a_few_bars_say_what_a_whole_column_says() -> None:
    rows, values = [2, 5, 9], [[10.0, NAN], [0.0, 20.0], [NAN, 5.0]]

    def whole(history: History) -> Floats:
        out = np.full(history.column("close").shape, np.nan)
        out[rows] = values
        return out

    one, other = two(saying(lambda _: at(rows, values)), aligned=True), two(saying(whole), aligned=True)
    for mine, theirs in zip(stated(one)[:2], stated(other)[:2], strict=True):
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine, theirs)
    result = run_backtest(one)
    assert len(result.fills) == 4
    assert divergence(result, run_backtest(other)) == ""
    assert np.array_equal(run_kernel(one, KernelMarket(one)).equity, result.curve.equity)


def test_one_instrument_may_be_stated_without_a_second_axis() -> None:
    found = stated(run_of(saying(lambda _: at([3, 4], [10.0, 0.0]))))
    assert found.wakeups.tolist() == [3, 4]
    assert found.wanted.shape == (2, 1)


def test_bars_at_which_nothing_is_said_wake_nobody() -> None:
    assert stated(run_of(saying(lambda _: at([1, 3, 6], [NAN, 10.0, NAN])))).wakeups.tolist() == [3]
    assert stated(run_of(saying(lambda _: at([], [])))).wakeups.tolist() == []


@pytest.mark.parametrize("rows", [[3, 2], [3, 3], [-1, 2], [2, 12], [2.0, 3.0], [[2], [3]]])
def test_rows_must_be_bars_in_order(rows: Sequence[Any]) -> None:
    with pytest.raises(UsageError, match=r"says\.targets gave rows that"):
        stated(run_of(saying(lambda _: at(rows, [10.0, 0.0]))))


def test_each_row_needs_a_target_for_each_instrument() -> None:
    with pytest.raises(UsageError, match=r"shape \(2, 1\) for 2 rows, expected \(2, 2\)"):
        stated(two(saying(lambda _: at([2, 3], [[1.0], [2.0]])), aligned=True))
    with pytest.raises(UsageError, match="gave inf for NSE:ALPHA at bar 4"):
        stated(run_of(saying(lambda _: at([4], [np.inf]))))
