"""Backtests over ticks, as a user asks for them: from files or synthetic, with history before."""

from pathlib import Path
from typing import ClassVar

import msgspec
import numpy as np
import pytest

from manjha.domain.errors import DataError, ManjhaError, UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import SECOND_NS, TradingDay
from manjha.domain.orders import Product
from manjha.domain.ticks import TickColumns
from manjha.engine.bars import column, first_bars
from manjha.research.backtest import BacktestSpec
from manjha.research.drive import Drive
from manjha.research.tick_drive import run_tick_backtest, screen
from manjha.services.tick_runs import over_ticks
from manjha.simulator.synthetic_ticks import ticks_within
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import flat, minutes, share_named, spec_of

ALPHA = share_named()
BARS = minutes(ALPHA, [flat(100 + row % 7) for row in range(150)])
"""Two days of five minutes."""
SECOND_DAY = 75


class Counts(Strategy):
    """Counts the bars at which it is asked, and buys once."""

    product: ClassVar[Product] = Product.CNC

    def init(self, ctx: Context) -> None:
        del ctx
        self.bars, self.days = list[int](), list[int]()

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        del ctx
        self.days.append(day)

    def on_bar(self, ctx: Context) -> None:
        self.bars.append(ctx.position_index)
        if not ctx.position and not ctx.working:
            ctx.buy(3)


def spec(columns: int = len(BARS)) -> BacktestSpec:
    return spec_of(Counts(), first_bars(BARS, columns))


def seen(of: BacktestSpec) -> Counts:
    assert isinstance(of.strategy, Counts)
    return of.strategy


def second_day() -> TickColumns:
    late = msgspec.structs.replace(
        BARS, **{name: getattr(BARS, name)[SECOND_DAY:] for name in BARS.__struct_fields__[2:]}
    )
    return ticks_within(late, 3, 6)


def test_synthetic_ticks_lie_inside_the_stored_bars() -> None:
    made = spec()
    result = over_ticks(["synthetic:6"], None)(made, None, Drive)
    assert seen(made).bars == list(range(150))
    assert len(result.fills) == 1
    assert any("ticks are synthetic: 6 inside each bar" in value for _, value in result.assumptions)


def test_before_recorded_ticks_the_stored_bars_are_history() -> None:
    asked: list[tuple[Path, Instrument]] = []

    def read(path: Path, instrument: Instrument) -> TickColumns:
        asked.append((path, instrument))
        return second_day()

    made = spec()
    result = over_ticks(["some.csv"], read)(made, None, Drive)
    assert asked == [(Path("some.csv"), made.instruments[0])]
    assert seen(made).bars == list(range(SECOND_DAY, 150))
    assert len(seen(made).days) == 1
    assert [fill.qty for fill in result.fills] == [3]
    assert result.fills[0].ts_ns > BARS.ts_open_ns[SECOND_DAY]


@pytest.mark.parametrize(
    "asked",
    [["synthetic:"], ["synthetic:x"], ["synthetic:3"], ["synthetic:1001"], ["synthetic:5", "a.csv"], ["a", "b"]],
)
def test_words_that_mean_no_ticks_are_refused(asked: list[str]) -> None:
    with pytest.raises(UsageError):
        over_ticks(asked, lambda path, instrument: second_day())(spec(), None, Drive)


def test_no_reader_and_no_tick_are_said() -> None:
    with pytest.raises(UsageError, match="expects a file"):
        over_ticks(["a.csv"], None)(spec(), None, Drive)
    nothing = TickColumns(ALPHA.id, *[column(np.empty(0, np.int64))] * 3)
    with pytest.raises(DataError, match="no tick in"):
        over_ticks(["a.csv"], lambda path, instrument: nothing)(spec(), None, Drive)


def test_what_cannot_be_is_kept_out_and_told() -> None:
    ticks = second_day()
    px, ts = np.asarray(ticks.px).copy(), np.asarray(ticks.ts_ns).copy()
    px[5], px[9] = 0, px[9] * 100
    ts[0] -= 3_600 * SECOND_NS
    bad = msgspec.structs.replace(ticks, px=column(px), ts_ns=column(ts))
    screened = screen(spec(), [bad])
    assert len(screened.ts_ns) == len(ticks) - 3
    result = run_tick_backtest(spec(SECOND_DAY), [bad])
    assert sum("1 ticks were kept out" in warning for warning in result.warnings) == 3


@pytest.mark.parametrize(
    ("changes", "ticks", "said"),
    [
        ({"sessions_from_data": True}, 1, "calendar"),
        ({}, 0, "ticks of each"),
        ({"bars": (BARS,)}, 1, "reaches into"),
    ],
)
def test_runs_that_cannot_be_meant_are_refused(changes: dict[str, object], ticks: int, said: str) -> None:
    made = msgspec.structs.replace(spec(SECOND_DAY), **changes)
    with pytest.raises(ManjhaError, match=said):
        run_tick_backtest(made, [second_day()] * ticks)


def test_ticks_of_a_closed_market_are_no_run() -> None:
    ticks = second_day()
    night = msgspec.structs.replace(ticks, ts_ns=column(np.asarray(ticks.ts_ns) - 12 * 3_600 * SECOND_NS))
    with pytest.raises(DataError, match="lies inside a session"):
        run_tick_backtest(spec(SECOND_DAY), [night])
