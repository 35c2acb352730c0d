"""A sweep computes the same average of the same column once; what the user makes is computed each time."""

from typing import Any, ClassVar

import numpy as np
import pytest

from manjha.domain.sizing import TargetUnit
from manjha.research.backtest import timeline_of
from manjha.research.search import ground as ground_of
from manjha.research.search.ground import Ground
from manjha.research.search.variants import vary
from manjha.research.targets import ColumnHistory, stated_targets
from manjha.strategy.indicators import ema, get, macd, sma
from manjha.strategy.indicators.entry import Indicator
from manjha.strategy.indicators.memo import remembering
from manjha.strategy.interface import Floats, History, Strategy
from manjha.strategy.params import param
from manjha.strategy.turns import crossings
from tests.fakes.hand_made import days, share_named, spec_of

ROWS = [(100.0 + at % 7, 110.0, 90.0, 100.0 + (at * 5) % 11) for at in range(120)]


class Crosses(Strategy):
    """Holds ten shares while one average is above another."""

    name: ClassVar[str] = "crosses"
    unit: ClassVar[TargetUnit] = TargetUnit.QTY
    fast: int = param(3, low=2, high=20, help="bars")
    slow: int = param(9, low=3, high=60, help="bars")

    def targets(self, history: History) -> Floats:
        """State ten or nothing at each crossing."""
        close = history.column("close")[:, 0]
        return 10 * crossings(sma(close, self.fast), sma(close, self.slow))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Return a list that grows with each indicator that is computed."""
    made: list[tuple[str, Any]] = []
    compute = Indicator._computed

    def counted(self: Indicator, values: Any, columns: Any) -> Any:
        made.append((self.name, values))
        return compute(self, values, columns)

    monkeypatch.setattr(Indicator, "_computed", counted)
    return made


def history() -> ColumnHistory:
    spec = spec_of(Crosses(), days(share_named(), ROWS))
    made = ColumnHistory(timeline_of(spec), spec.instruments, spec.bars[0].interval)
    made.memo.limit = 10**6
    return made


def test_the_same_of_the_same_column_is_computed_once(computed: list[tuple[str, Any]]) -> None:
    past = history()
    with remembering(past.memo):
        first = sma(past.column("close")[:, 0], 5)
        assert sma(past.column("close")[:, 0], length=5) is first
        assert ema(past.column("close")[:, 0], 5) is not first
        sma(past.column("open")[:, 0], 5)
        sma(past.column("close")[:, 0], 6)
        assert macd(past.column("close")[:, 0])[1] is macd(past.column("close")[:, 0]).signal
    assert [name for name, _ in computed] == ["sma", "ema", "sma", "sma", "macd"]
    assert not first.flags.writeable
    np.testing.assert_array_equal(first, get("sma").arrays(past.column("close")[:, 0].copy(), length=5)[0])


def test_a_part_of_a_column_is_another_column(computed: list[tuple[str, Any]]) -> None:
    past = history()
    with remembering(past.memo):
        close = past.column("close")[:, 0]
        whole, half, every, back = (sma(part, 3) for part in (close, close[:60], close[::2], close[::-1]))
        assert sma(close[:60], 3) is half
    assert len(computed) == 4
    assert len(whole) == 120
    np.testing.assert_array_equal(half, sma(close[:60].copy(), 3))
    np.testing.assert_array_equal(every, sma(close[::2].copy(), 3))
    np.testing.assert_array_equal(back, sma(close[::-1].copy(), 3))


def test_what_the_user_makes_is_computed_each_time(computed: list[tuple[str, Any]]) -> None:
    past = history()
    own = past.column("close")[:, 0] * 2
    with remembering(past.memo):
        before = sma(own, 5)
        own[10:] = 1.0
        assert sma(own, 5)[20] == 1.0
        own.setflags(write=False)
        sma(own, 5)
        sma(history().column("close")[:, 0], 5)
        sma(before, 5)
        sma(past.column("close")[:, 0].tolist(), 5)
    assert len(computed) == 6
    assert before.flags.writeable


def test_without_a_memo_nothing_is_kept(computed: list[tuple[str, Any]]) -> None:
    close = history().column("close")[:, 0]
    assert sma(close, 5).flags.writeable
    assert sma(close, 5).flags.writeable
    assert len(computed) == 2


def test_the_least_recent_are_forgotten_at_the_limit(computed: list[tuple[str, Any]]) -> None:
    past = history()
    close, size = past.column("close")[:, 0], 120 * 8
    past.memo.limit = 2 * size
    with remembering(past.memo):
        for length in (3, 4, 3, 5, 3, 4):
            sma(close, length)
    assert [values for _, values in computed] == [(3,), (4,), (5,), (4,)]


def test_results_are_read_only_in_a_single_run_too() -> None:
    class Writes(Crosses):
        def targets(self, history: History) -> Floats:
            average = sma(history.column("close")[:, 0], self.fast)
            average[:10] = 0.0
            return average

    spec = spec_of(Writes(), days(share_named(), ROWS))
    with pytest.raises(ValueError, match="read-only"):
        stated_targets(spec.strategy, ColumnHistory(timeline_of(spec), spec.instruments, spec.bars[0].interval))


def test_a_sweep_computes_each_length_once(computed: list[tuple[str, Any]]) -> None:
    spec = spec_of(Crosses(), days(share_named(), ROWS))
    ground = Ground(spec)
    grid = [{"fast": fast, "slow": slow} for fast in (2, 3, 4) for slow in (10, 20, 30)]
    finals = [ground.run(vary(spec, each)).final for each in grid]
    assert sorted(values for _, values in computed) == [(2,), (3,), (4,), (10,), (20,), (30,)]
    assert finals == [Ground(spec).run(vary(spec, each)).final for each in grid]
    assert len(set(finals)) > 3


def test_a_sample_that_is_still_looked_at_keeps_its_memory() -> None:
    spec = spec_of(Crosses(), days(share_named(), ROWS))
    ground = Ground(spec)
    held = ground.run(vary(spec, {"fast": 2, "slow": 10}))
    later = ground.run(vary(spec, {"fast": 3, "slow": 30}))
    alone = Ground(spec).run(vary(spec, {"fast": 2, "slow": 10}))
    assert held.result.fills == alone.result.fills
    assert held.returns.tolist() == alone.returns.tolist()
    tables = ground._last
    assert tables is not None
    given = tables[1]._tables
    del later
    third = ground.run(vary(spec, {"fast": 2, "slow": 10}))
    assert ground._last is not None
    assert ground._last[1]._tables is given
    assert third.result.fills == alone.result.fills


def test_only_the_market_of_now_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground_of, "REMEMBERED", 10**6)
    specs = [spec_of(Crosses(), days(share_named(), ROWS[:count])) for count in (120, 80)]
    ground = Ground(specs[0])
    for spec in (*specs, specs[0]):
        ground.run(spec)
        memos = [found.market.history.memo for _, found in ground._markets if found is not None]
        assert [memo.limit for memo in memos] == [10**6, 0][: len(memos)]
