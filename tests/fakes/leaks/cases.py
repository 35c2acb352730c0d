"""The market that the corpus runs on, and what its strategies have in common."""

from functools import cache
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from manjha.domain.bars import DAY, BarColumns, Interval
from manjha.domain.moments import parse_day
from manjha.domain.money import Qty
from manjha.domain.sizing import FixedQty, TargetUnit
from manjha.engine.bars import resample
from manjha.research.backtest import BacktestSpec
from manjha.simulator.fills import FillRules, MarketFill
from manjha.strategy.context import Context
from manjha.strategy.interface import Floats, Strategy
from tests.fakes.hand_made import days, minutes, share_named, spec_of

Days = NDArray[np.int64]
FIRST = parse_day("2022-01-03")
BARS = 250
"""Ten sessions of 25 bars of a quarter of an hour."""
DAYS = 100


class Case(Strategy):
    """One of the corpus. `runs_on` says what it gets: bars of 15 minutes or of days, 60 minutes as well."""

    runs_on: ClassVar[str] = "minutes"
    shares: ClassVar[int] = 1
    instruments_max: ClassVar[int] = 3
    fills_at_close: ClassVar[bool] = False
    unit: ClassVar[TargetUnit] = TargetUnit.SIGNAL


class FromArray(Case):
    """Goes in where an array computed in `init` is above zero and out where it is below."""

    def init(self, ctx: Context) -> None:
        self.signal = np.asarray(self.signals(ctx), dtype=np.float64)

    def signals(self, ctx: Context) -> Any:
        raise NotImplementedError

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, float(self.signal[ctx.position_index]))


def follow(ctx: Context, side: float) -> None:
    """Hold ten shares while the side is above zero."""
    if side > 0 and ctx.position == 0:
        ctx.buy(10)
    elif side < 0 and ctx.position > 0:
        ctx.close_position()


def column(ctx: Context, field: str = "close") -> Floats:
    """Return a whole column of the first share: how real users come by the future."""
    return ctx.market.series.floats(field)


def day_of_bars(ctx: Context) -> Days:
    opened = np.asarray(ctx.market.series.columns.ts_open_ns)
    return np.asarray((opened + 19_800_000_000_000) // 86_400_000_000_000, dtype=np.int64)


def changes(wanted: Floats) -> Floats:
    """Return the targets with NaN where they repeat."""
    out = np.array(wanted, dtype=np.float64)
    out[1:][out[1:] == out[:-1]] = np.nan
    return out.reshape(len(out), -1)


def spec_for(found: type[Case], **params: Any) -> BacktestSpec:
    """Return the run of a case."""
    bars = [_bars(found.runs_on == "days", number) for number in range(found.shares)]
    further = tuple(resample(each, Interval(3600)) for each in bars) if found.runs_on == "coarser" else ()
    if found.runs_on == "delisted":
        bars[-1] = _first(bars[-1], BARS * 7 // 10)
    fills = FillRules(market=MarketFill.DECIDING_CLOSE) if found.fills_at_close else FillRules()
    return spec_of(found(**params), *bars, further=further, fills=fills, sizing=FixedQty(Qty(10)), contract_notes=False)


@cache
def _bars(is_daily: bool, number: int) -> BarColumns:
    rng, count = np.random.default_rng([3, number]), DAYS if is_daily else BARS
    # Pulled back to its mean, so that levels are crossed all through the sample and not once.
    level = np.zeros(count)
    for at in range(1, count):
        level[at] = 0.97 * level[at - 1] + rng.normal(0, 0.008)
    close = np.round(500 * np.exp(level) * 20) / 20
    opened = np.round(np.append(close[0], close[:-1]) * (1 + rng.normal(0, 0.002, count)) * 20) / 20
    up, down = (np.round(np.abs(rng.normal(0, 1.5, count)) * 20) / 20 for _ in range(2))
    high, low = np.maximum(opened, close) + up, np.minimum(opened, close) - down
    volume = rng.integers(1_000, 90_000, count).tolist()
    rows = list(zip(opened.tolist(), high.tolist(), low.tolist(), close.tolist(), strict=True))
    share = share_named(("ALPHA", "BETA", "GAMMA")[number])
    made = (
        days(share, rows, first=FIRST, volume=volume)
        if is_daily
        else minutes(share, rows, day=FIRST, length=900, volume=volume)
    )
    assert made.interval == (DAY if is_daily else 900)
    return made


def _first(bars: BarColumns, count: int) -> BarColumns:
    names = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
    return msgspec.structs.replace(bars, **{name: getattr(bars, name)[:count] for name in names})
