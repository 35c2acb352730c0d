"""Targets stated at few bars are those of a whole column; what cannot be meant is refused by name."""

from typing import Any, ClassVar

import numpy as np
import pytest

from manjha.domain.errors import UsageError
from manjha.domain.sizing import TargetUnit
from manjha.research.backtest import run_backtest, timeline_of
from manjha.research.targets import ColumnHistory, stated_targets
from manjha.strategy.interface import Changes, Floats, History, Strategy
from tests.fakes.hand_made import days, fills_of, share_named, spec_of

nan = np.nan
FLAT = [(100.0, 101.0, 99.0, 100.0)] * 8


class Says(Strategy):
    """States what it is given."""

    unit: ClassVar[TargetUnit] = TargetUnit.QTY
    instruments_max: ClassVar[int] = 0

    def __init__(self, said: Any) -> None:
        super().__init__()
        self.said = said

    def targets(self, history: History) -> Floats | Changes:
        """State it."""
        del history
        given: Floats | Changes = self.said
        return given


def stated(said: Any, shares: int = 1) -> tuple[list[int], list[list[int]]]:
    spec = spec_of(Says(said), *(days(share_named(f"S{number}"), FLAT) for number in range(shares)))
    history = ColumnHistory(timeline_of(spec), spec.instruments, spec.bars[0].interval)
    found = stated_targets(spec.strategy, history)
    return found.wakeups.tolist(), found.wanted.tolist()


def test_changes_of_one_share_are_its_column() -> None:
    column = np.array([nan, nan, 10.0, nan, nan, 0.0, nan, 30.0])
    assert stated(column) == ([2, 5, 7], [[10**10], [0], [3 * 10**10]])
    assert stated(Changes(np.array([2, 5, 7]), np.array([10.0, 0.0, 30.0]))) == stated(column)
    assert stated(Changes(np.array([2, 3, 5, 7]), np.array([10.0, nan, 0.0, 30.0]))) == stated(column)
    assert stated(Changes(np.array([], np.intp), np.array([]))) == stated(np.full(8, nan)) == ([], [])


def test_changes_of_several_shares_leave_some_as_they_are() -> None:
    columns = np.full((8, 2), nan)
    columns[1], columns[4] = (5.0, nan), (0.0, 7.0)
    rows = np.array([1, 2, 4])
    assert stated(Changes(rows, columns[rows]), 2) == stated(columns, 2)


def test_changes_trade_as_their_column_does() -> None:
    column = np.array([nan, 10.0, nan, nan, 0.0, nan, nan, nan])
    changes = Changes(np.array([1, 4]), np.array([10.0, 0.0]))
    one, other = (run_backtest(spec_of(Says(said), days(share_named(), FLAT))) for said in (column, changes))
    assert fills_of(one) == fills_of(other)
    assert len(one.fills) == 2


@pytest.mark.parametrize(
    ("rows", "values", "words"),
    [
        ([1, 1], [5.0, 6.0], "rows that do not ascend within its 8 bars"),
        ([2, 1], [5.0, 6.0], "rows that do not ascend within its 8 bars"),
        ([-1, 2], [5.0, 6.0], "rows that do not ascend within its 8 bars"),
        ([2, 8], [5.0, 6.0], "rows that do not ascend within its 8 bars"),
        ([1.0, 2.0], [5.0, 6.0], "rows that are no list of whole numbers"),
        ([[1], [2]], [5.0, 6.0], "rows that are no list of whole numbers"),
        ([1, 2], [5.0], "values of shape (1, 1) for 2 rows, expected (2, 1)"),
        ([1, 2], [5.0, np.inf], "gave inf for NSE:S0 at bar 2"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(rows: list[Any], values: list[float], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        stated(Changes(np.array(rows), np.array(values)))
    assert words in refused.value.message
