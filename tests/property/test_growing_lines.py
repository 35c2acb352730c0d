"""Every indicator on a timeline that grows has, to the last bit, the values that it has over whole columns."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.bars import Interval
from manjha.domain.errors import DataError, UsageError
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TradingDay
from manjha.domain.money import Px
from manjha.domain.orders import Product
from manjha.engine.bars import resample
from manjha.research.backtest import timeline_of
from manjha.research.grown_drive import bars_by_moment, grown
from manjha.strategy import growing, indicators
from manjha.strategy.context import Context
from manjha.strategy.growing import GrowingTimeline
from manjha.strategy.indicators import sma
from manjha.strategy.interface import Strategy
from manjha.strategy.views import Line, Timeline
from tests.fakes.hand_made import flat, minutes, share_named, spec_of
from tests.fakes.random_runs import random_rows
from tests.fakes.tick_runs import Chance, cut, thinned_bars

ALPHA, BETA = share_named(), share_named("BETA")
QUARTER = Interval(900)
INPUTS = {"x": "close", "day": "ts"}


def own(close: NDArray[Any], volume: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """An indicator of a user's own: sums so far."""
    return np.cumsum(close.astype(np.float64)), np.cumsum(volume.astype(np.float64) * 0.1)


class NoAccount:
    """Stands for an account that nobody asks."""

    def equity(self) -> Any:
        raise NotImplementedError

    def working_orders(self, instrument: Any) -> Any:
        raise NotImplementedError

    def held_groups(self) -> Any:
        raise NotImplementedError

    def resting(self, instrument: Any) -> Any:
        return ()


def context(timeline: Timeline) -> Context:
    return Context(timeline, (ALPHA, BETA), Interval(300), Product.CNC, NoAccount())


def lines_of(ctx: Context) -> dict[str, Line]:
    """Make a line of every indicator and column, of two instruments and two intervals."""
    made: dict[str, Any] = {}
    for market in ctx.markets.values():
        for interval in (None, QUARTER):
            place = f"{market.instrument.symbol} {interval}"
            for name, entry in indicators.INDICATORS.items():
                short: dict[str, Any] = {
                    p.name: 2 + i for i, p in enumerate(entry.parameters) if p.integer and p.low <= 2 + i
                }
                inputs = [INPUTS.get(each, each) for each in entry.inputs]
                made[f"{place} {name}"] = ctx.indicator(
                    getattr(indicators, name), *inputs, market=market, interval=interval, **short
                )
            made[f"{place} own"] = ctx.indicator(own, "close", "volume", market=market, interval=interval)
            series = market.series if interval is None else market.bars(interval)
            for field in ("open", "close", "volume"):
                made[f"{place} {field}"] = series.field_line(field, price=field != "volume")
    flat_lines: dict[str, Line] = {}
    for key, each in made.items():
        for number, line in enumerate(each if isinstance(each, tuple) else (each,)):
            flat_lines[f"{key} {number}"] = line
    return flat_lines


def shown(lines: dict[str, Line]) -> list[str]:
    return [f"{key}: {line[-1]!r} {line[-2]!r} {line.tail(3).tolist()!r}" for key, line in lines.items()]


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 60), st.booleans())
def test_lines_that_go_on_are_those_of_whole_columns(seed: int, history: int, changes: bool) -> None:
    rng = np.random.default_rng(seed)
    bars = [thinned_bars(rng, minutes(one, random_rows(rng, 170, 100.0))) for one in (ALPHA, BETA)]
    further = [resample(columns, QUARTER) for columns in bars]
    days = np.unique((np.asarray(bars[0].ts_open_ns) + IST_OFFSET_NS) // DAY_NS).tolist()
    ratios = ((ActionKind.SPLIT, 5, 1), (ActionKind.BONUS, 3, 2), (ActionKind.SPLIT, 1, 3))
    listed = [CorporateAction(ALPHA.id, TradingDay(d), *by, Px(0)) for d, by in zip(days, ratios, strict=False)]
    actions = tuple(listed[::-1]) if changes else ()
    spec = spec_of(Chance(0, Product.CNC), *bars, further=tuple(further), actions=actions)
    whole = timeline_of(spec)
    from_ns = whole.open_ns[history]
    known = [cut(columns, 0, int(np.searchsorted(np.asarray(columns.ts_close_ns), from_ns, "right")))
             for columns in (*bars, *further)]  # fmt: skip
    before = growing.ROOM
    growing.ROOM = 1 + seed % 5
    try:
        so_far = GrowingTimeline(known[:2], known[2:], actions)
        one, other = context(whole), context(so_far)
        known_lines, grown_lines = lines_of(one), lines_of(other)
    finally:
        growing.ROOM = before
    so_far.begin()
    for moment, closed in bars_by_moment((*bars, *further), from_ns):
        if not so_far.append(moment, closed):
            continue
        at = so_far.cursor.at = whole.cursor.at = len(so_far) - 1
        assert so_far.close_ns[at] == whole.close_ns[at]
        assert so_far.open_ns[at] == whole.open_ns[at]
        assert shown(grown_lines) == shown(known_lines)
        assert (so_far.warmup <= at) == (one.warmup <= at)
        assert so_far.warmup == one.warmup or one.warmup > at
    assert len(so_far) == len(whole)


def test_bars_that_do_not_fit_are_refused() -> None:
    bars = minutes(ALPHA, [flat(100)] * 3)
    timeline = GrowingTimeline([cut(bars, 0, 2)])
    timeline.begin()
    key = (ALPHA.id, 300)
    with pytest.raises(DataError, match="expected a bar after"):
        timeline.append(bars.ts_close_ns[1], [(key, bars.bar(1))])
    with pytest.raises(DataError, match="expected bars that close at"):
        timeline.append(bars.ts_close_ns[2] + 1, [(key, bars.bar(2))])
    assert timeline.append(bars.ts_close_ns[2], [(key, bars.bar(2))])
    assert len(timeline) == 3


class _Whole(Strategy):
    """Reads whole columns."""

    way = "floats"

    def init(self, ctx: Context) -> None:
        series = ctx.market.series
        if self.way == "floats":
            series.floats("close")
        elif self.way == "columns":
            np.asarray(series.columns.close)
        else:
            len(series.columns)


@pytest.mark.parametrize("way", ["floats", "columns", "length"])
def test_a_strategy_of_whole_columns_is_refused_by_name(way: str) -> None:
    strategy = _Whole()
    strategy.way = way
    with pytest.raises(UsageError, match="whole reads whole columns of NSE:ALPHA") as caught:
        grown(spec_of(strategy, minutes(ALPHA, [flat(100)] * 5)))
    assert "ctx.indicator" in caught.value.hint


class _Own(Strategy):
    """Has an indicator of its own."""

    def init(self, ctx: Context) -> None:
        self.sums = ctx.indicator(own, "close", "volume")
        self.mean = ctx.indicator(sma, "close", length=2)


def test_a_function_of_ones_own_needs_a_first_bar() -> None:
    spec = spec_of(_Own(), minutes(ALPHA, [flat(100)] * 5))
    with pytest.raises(UsageError, match="own is asked for before there is any bar"):
        grown(spec)
    assert grown(spec_of(_Own(), minutes(ALPHA, [flat(100)] * 5)), history=1).reached == 5


def test_a_line_that_is_asked_for_late_has_room_as_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "ROOM", 3)
    bars = minutes(ALPHA, random_rows(np.random.default_rng(3), 70, 100.0))
    timeline = GrowingTimeline([cut(bars, 0, 10)])
    ctx = Context(timeline, (ALPHA,), Interval(300), Product.CNC, NoAccount())
    timeline.begin()
    lines: list[Line] = []
    for row in range(10, 70):
        if row % 9 == 0:
            lines.append(ctx.indicator(sma, "close", length=2))
        timeline.append(bars.ts_close_ns[row], [((ALPHA.id, 300), bars.bar(row))])
        timeline.cursor.at = row
        assert {line[-1] for line in lines} <= {(bars.close[row - 1] + bars.close[row]) / 20_000}
    assert len(lines) == 6
