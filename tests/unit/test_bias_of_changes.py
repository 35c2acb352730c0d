"""The look-ahead check reads what is stated at few bars as it reads a column."""

from typing import Any, ClassVar

import numpy as np
import pytest

from manjha.domain.errors import UsageError
from manjha.domain.sizing import TargetUnit
from manjha.research.backtest import timeline_of
from manjha.research.bias.subjects import _Stated
from manjha.research.targets import ColumnHistory, stated_targets
from manjha.strategy.indicators import sma
from manjha.strategy.indicators.memo import remembering
from manjha.strategy.interface import History, Strategy
from manjha.strategy.turns import Changes, crossings, crossings_at
from tests.fakes.hand_made import days, share_named, spec_of

ROWS = [(100.0 + at % 7, 110.0, 90.0, 100.0 + (at * 5) % 11) for at in range(60)]


class Few(Strategy):
    """States crossings as few bars."""

    name: ClassVar[str] = "few"
    unit: ClassVar[TargetUnit] = TargetUnit.QTY

    def targets(self, history: History) -> Changes:
        """State ten or nothing at each crossing."""
        close = history.column("close")[:, 0]
        return crossings_at(close, sma(close, 5))


def history() -> ColumnHistory:
    spec = spec_of(Few(), days(share_named(), ROWS))
    return ColumnHistory(timeline_of(spec), spec.instruments, spec.bars[0].interval)


def test_few_bars_are_watched_as_the_whole_column() -> None:
    strategy, seen = Few(), history()
    watched = _Stated(strategy)
    strategy.targets(seen)
    close = seen.column("close")[:, 0]
    assert watched.array is not None
    assert np.array_equal(watched.array[:, 0], crossings(close, sma(close, 5)), equal_nan=True)


def test_rows_of_history_are_bars_that_there_are() -> None:
    seen = history()
    assert seen.at("close", np.array([0, 59])).shape == (2, 1)
    wrong: tuple[Any, ...] = (np.array([-1]), np.array([60]), np.ones(60, bool), np.array([0.5]))
    for rows in wrong:
        with pytest.raises(UsageError, match="rows from 0 to 59"):
            seen.at("close", rows)


def test_what_is_remembered_cannot_be_made_writable() -> None:
    seen = history()
    seen.memo.limit = 10**6
    close = seen.column("close")[:, 0]
    with remembering(seen.memo):
        for made in (sma(close, 5), sma(close, 5)):
            with pytest.raises(ValueError, match="WRITEABLE"):
                made.setflags(write=True)


WRONG: tuple[Any, ...] = (["1", "x"], [1.0, "x"], [1j, 1.0], [10**400, 1], [[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("values", WRONG, ids=["text", "mixed", "complex", "too large", "ragged"])
@pytest.mark.parametrize("at", ["values", "rows", "column"])
def test_what_is_no_number_is_the_strategys_fault(values: Any, at: str) -> None:
    class Wrong(Few):
        def targets(self, history: History) -> Any:
            if at == "column":
                return values * 30
            return Changes(np.array([1, 2]), values) if at == "values" else Changes(values, np.array([1.0, 0.0]))

    with pytest.raises(UsageError, match="else than real numbers"):
        stated_targets(Wrong(), history())
