"""Leaks through sessions and coarser bars, across shares, between runs, and at the price of the deciding bar."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from manjha.domain.bars import Interval
from manjha.domain.instrument import Instrument
from manjha.domain.moments import TradingDay
from manjha.domain.sizing import TargetUnit
from manjha.strategy.context import Context
from manjha.strategy.indicators import sma
from manjha.strategy.interface import Entries, Floats, History
from tests.fakes.leaks.cases import Case, FromArray, changes, column, day_of_bars, follow

SEEN: dict[str, float] = {}
"""What runs leave behind."""
BEST: list[int] = []


class WholeDayRange(FromArray):
    """Knows the day's range from its first bar on."""

    def signals(self, ctx: Context) -> Any:
        day, close = day_of_bars(ctx), column(ctx)
        middle = _by_day(day, column(ctx, "high"), np.max) + _by_day(day, column(ctx, "low"), np.min)
        return middle / 2 - close


class WholeDayVolume(FromArray):
    """Knows in the morning how busy the day will be."""

    def signals(self, ctx: Context) -> Any:
        day = day_of_bars(ctx)
        total = _by_day(day, column(ctx, "volume"), np.sum)
        return np.where(np.append(0, np.diff(day)) != 0, total - 1_140_000, 0.0)


class CloseOfTheDay(FromArray):
    """Knows the day's close at noon."""

    def signals(self, ctx: Context) -> Any:
        return _by_day(day_of_bars(ctx), column(ctx), lambda rows: rows[-1]) - column(ctx)


class CoarseBarEarly(Case):
    """Reads the bar of 60 minutes that its own bar lies in, before it has closed."""

    runs_on: ClassVar[str] = "coarser"

    def init(self, ctx: Context) -> None:
        coarse = ctx.market.bars(Interval(3600))
        opens, fine = np.asarray(coarse.columns.ts_open_ns), np.asarray(ctx.market.series.columns.ts_open_ns)
        self.hour = coarse.floats("close")[np.searchsorted(opens, fine, side="right") - 1]

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, self.hour[ctx.position_index] - ctx.close[-1])


class ResampledAhead(Case):
    """Makes bars of an hour itself and writes each hour's close on all of its bars."""

    def targets(self, history: History) -> Floats:
        close = history.column("close")[:, 0]
        hour = np.arange(len(close)) // 4
        last = np.minimum(hour * 4 + 3, len(close) - 1)
        return changes(np.where(close[last] > close, 1.0, 0.0))


class HourHighAhead(FromArray):
    """Labels an hour's high by the hour's beginning, as a resampler's default does."""

    def signals(self, ctx: Context) -> Any:
        high, close = column(ctx, "high"), column(ctx)
        hour = np.arange(len(high)) // 4
        return np.maximum.reduceat(high, np.arange(0, len(high), 4))[hour] - 1.008 * close


class TomorrowsGap(Case):
    """Buys at the last bar of a day if the next one opens higher: wrong at the ends of sessions alone."""

    def init(self, ctx: Context) -> None:
        self.opens, self.day = column(ctx, "open"), day_of_bars(ctx)

    def on_bar(self, ctx: Context) -> None:
        at = ctx.position_index
        if at + 1 < len(self.day) and self.day[at + 1] != self.day[at]:
            follow(ctx, self.opens[at + 1] - ctx.close[-1])


class OpeningKnown(Case):
    """Decides before the session by the bar that the session will begin with."""

    runs_on: ClassVar[str] = "days"

    def init(self, ctx: Context) -> None:
        self.rise = np.append(column(ctx) - column(ctx, "open"), 0.0)

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        follow(ctx, self.rise[ctx.position_index + 1])


class WeeksRange(Case):
    """Knows the week's high on Monday."""

    runs_on: ClassVar[str] = "days"

    def targets(self, history: History) -> Floats:
        week = (history.day + 3) // 7
        high, close = history.column("high")[:, 0], history.column("close")[:, 0]
        top = _by_day(week, high, np.max)
        return changes(np.where(close < 0.985 * top, 1.0, 0.0))


class MonthEndKnown(Case):
    """Enters early in a month if the month will end higher."""

    runs_on: ClassVar[str] = "days"

    def targets(self, history: History) -> Floats:
        month = history.day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        close = history.column("close")[:, 0]
        end = _by_day(month, close, lambda rows: rows[-1])
        first = np.append(True, np.diff(month) != 0)
        return np.where(first, np.where(end > close, 1.0, 0.0), np.nan)[:, None]


class RarePeek(Case):
    """Looks ahead in the last hour of every fifth day and nowhere else."""

    def init(self, ctx: Context) -> None:
        self.close = column(ctx).tolist()

    def on_bar(self, ctx: Context) -> None:
        at = ctx.position_index
        if at % 125 == 121 and at + 1 < len(self.close):
            if self.close[at + 1] > self.close[at]:
                ctx.buy(3, tag="late")
            else:
                ctx.sell(3, tag="late")
        elif at % 7 == 0:
            follow(ctx, ctx.close[-1] - ctx.close[-5])


class FutureWinners(Case):
    """Holds the share that will do best over the next ten bars."""

    shares: ClassVar[int] = 3
    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT

    def targets(self, history: History) -> Floats:
        close = history.column("close")
        out = np.full_like(close, np.nan)
        for at in range(0, len(close) - 10, 10):
            out[at] = 0.0
            out[at, np.argmax(close[at + 10] / close[at])] = 0.9
        return out


class OtherShareAhead(Case):
    """Trades one share by the next bar of another."""

    shares: ClassVar[int] = 2

    def init(self, ctx: Context) -> None:
        self.leader = list(ctx.markets.values())[1].series.floats("close")

    def on_bar(self, ctx: Context) -> None:
        at = ctx.position_index
        if at + 2 < len(self.leader):
            follow(ctx, self.leader[at + 2] - self.leader[at])


class Survivors(Case):
    """Admits the shares that still trade on the last day of the data."""

    runs_on: ClassVar[str] = "delisted"
    shares: ClassVar[int] = 3

    def init(self, ctx: Context) -> None:
        ends = {m.instrument.id: m.series.columns.ts_close_ns[len(m.series.columns) - 1] for m in ctx.markets.values()}
        self.alive = {name for name, end in ends.items() if end == max(ends.values())}

    def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Sequence[Instrument]:
        return [one for one in listed if one.id in self.alive]

    def on_bar(self, ctx: Context) -> None:
        if ctx.position_index % 20 == 10:
            for market in ctx.universe.values():
                market.buy(1)


class SurvivorWeights(Case):
    """Spreads its money over those that survive."""

    runs_on: ClassVar[str] = "delisted"
    shares: ClassVar[int] = 3
    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT

    def targets(self, history: History) -> Floats:
        volume = history.column("volume")
        alive = volume[-1] != volume[-2]
        out = np.full_like(volume, np.nan)
        out[10::50] = np.where(alive, 0.9 / max(int(alive.sum()), 1), 0.0)
        return out


class CachedMean(Case):
    """Keeps the mean of the first run's whole sample for all later runs."""

    def init(self, ctx: Context) -> None:
        self.level = SEEN.setdefault(ctx.market.instrument.id, float(column(ctx).mean()))

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, self.level - ctx.close[-1])


class RemembersTheLastRun(Case):
    """Writes down in one run where it would have paid to buy, and buys there in the next."""

    def init(self, ctx: Context) -> None:
        self.tips = tuple(BEST)

    def on_bar(self, ctx: Context) -> None:
        at = ctx.position_index
        if ctx.close[-1] > ctx.close[-2]:
            BEST.append(at - 1)
        follow(ctx, 1.0 if at in self.tips else -1.0 if at - 3 in self.tips else 0.0)


class BoughtAtTheDecidingClose(Case):
    """Crosses its average and fills at the very close that crossed."""

    fills_at_close: ClassVar[bool] = True

    def init(self, ctx: Context) -> None:
        self.mean = ctx.indicator(sma, "close", length=10)

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, ctx.close[-1] - self.mean[-1])


class TargetAtTheDecidingClose(Case):
    """States a target by the close that it fills at."""

    fills_at_close: ClassVar[bool] = True

    def targets(self, history: History) -> Floats:
        close = history.column("close")[:, 0]
        return changes(np.where(close > sma(close, 15), 1.0, 0.0))


def _by_day(day: Any, values: Floats, how: Any) -> Floats:
    """Return for each bar what `how` makes of all bars of its day."""
    out = np.empty(len(values))
    for each in np.unique(day):
        out[day == each] = how(values[day == each])
    return out


class EntryStopAhead(Case):
    """States entries with a stop under the low that is still to come."""

    def entries(self, history: History) -> Entries:
        close, low = history.column("close")[:, 0], history.column("low")[:, 0]
        rises = np.append(False, close[1:] > close[:-1])
        coming = np.minimum(np.append(low[1:], low[-1]), close)
        return Entries(side=np.where(rises, 1.0, 0.0), stop=coming - 1.0)


class EntryNeverSeen(Case):
    """Enters once and holds: what it leaks in later entries never becomes an order."""

    def entries(self, history: History) -> Entries:
        close = history.column("close")[:, 0]
        ahead = np.append(close[1:], close[-1]) > close
        return Entries(side=np.where(np.arange(len(close)) < 2, 1.0, np.where(ahead, 1.0, 0.0)))


LEAKS: tuple[type[Case], ...] = (
    WholeDayRange, WholeDayVolume, CloseOfTheDay, CoarseBarEarly, ResampledAhead, HourHighAhead, TomorrowsGap,
    OpeningKnown, WeeksRange, MonthEndKnown, RarePeek, FutureWinners, OtherShareAhead, Survivors, SurvivorWeights,
    CachedMean, RemembersTheLastRun, BoughtAtTheDecidingClose, TargetAtTheDecidingClose,
    EntryStopAhead, EntryNeverSeen,
)  # fmt: skip
