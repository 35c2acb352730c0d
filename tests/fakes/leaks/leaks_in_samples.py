"""Leaks through numbers taken from the whole sample, filled gaps, labels, and tables made from all the data."""

from typing import Any, ClassVar

import numpy as np

from manjha.domain.sizing import TargetUnit
from manjha.strategy.context import Context
from manjha.strategy.indicators import sma
from manjha.strategy.interface import Floats, History
from tests.fakes.leaks.cases import Case, FromArray, changes, column, day_of_bars, follow


class ZScoreOfAll(FromArray):
    """Normalises by the mean and deviation of the whole sample."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        return (close.mean() - close) / close.std()


class MinMaxOfAll(Case):
    """Scales to the lowest and highest of the whole sample."""

    def targets(self, history: History) -> Floats:
        close = history.column("close")[:, 0]
        place = (close - close.min()) / (close.max() - close.min())
        return changes(np.where(place < 0.5, 1.0, 0.0))


class RankInAll(FromArray):
    """Ranks each close among all."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        return 0.5 - np.argsort(np.argsort(close)) / len(close)


class QuantileOfAll(FromArray):
    """Buys in the lowest fifth of the whole sample."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        low, high = np.quantile(close, (0.2, 0.8))
        return np.where(close < low, 1.0, np.where(close > high, -1.0, 0.0))


class VolumeAgainstAll(Case):
    """Compares volume with its mean over the whole sample."""

    def init(self, ctx: Context) -> None:
        self.usual = float(column(ctx, "volume").mean())

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, ctx.volume[-1] - self.usual)


class Winsorised(FromArray):
    """Cuts the moves at quantiles of the whole sample and follows their mean."""

    def signals(self, ctx: Context) -> Any:
        moves = np.diff(column(ctx), prepend=column(ctx)[0])
        tamed = np.clip(moves, *np.quantile(moves, (0.3, 0.6)))
        return np.convolve(tamed, np.ones(5) / 5)[: len(tamed)]


class TrendOfAll(FromArray):
    """Trades around a line fitted through all the data."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        at = np.arange(len(close))
        return np.polyval(np.polyfit(at, close, 1), at) - close


class PrincipalComponent(Case):
    """Weighs three shares by the first component of their returns over the whole sample."""

    shares: ClassVar[int] = 3
    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT

    def targets(self, history: History) -> Floats:
        close = history.column("close")
        moves = np.diff(np.log(close), axis=0)
        weights = np.abs(np.linalg.eigh(np.cov(moves.T))[1][:, -1])
        out = np.full_like(close, np.nan)
        out[::20] = 0.9 * weights / weights.sum()
        return out


class Clustered(FromArray):
    """Splits the closes of the whole sample into two clusters (k-means)."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        low, high = close.min(), close.max()
        for _ in range(10):
            is_low = np.abs(close - low) < np.abs(close - high)
            low, high = close[is_low].mean(), close[~is_low].mean()
        return (low + high) / 2 - close


class BestLength(Case):
    """Chooses the average's length by what would have paid best over the whole sample."""

    def init(self, ctx: Context) -> None:
        close = column(ctx)
        moves = np.append(np.diff(close), 0.0)
        paid = {n: float(np.nansum(np.where(close > sma(close, n), moves, 0.0))) for n in range(2, 40)}
        self.mean = ctx.indicator(sma, "close", length=max(paid, key=lambda n: paid[n]))

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, ctx.close[-1] - self.mean[-1])


class BestHours(Case):
    """Trades in the hours that rose on average over the whole sample."""

    def init(self, ctx: Context) -> None:
        rise = column(ctx) - column(ctx, "open")
        place = np.arange(len(rise)) % 25
        self.good = {place_: rise[place == place_].mean() for place_ in range(25)}

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, self.good[(ctx.position_index + 1) % 25])


class TableByDate(Case):
    """Looks the day up in a table of days that was made from all the data."""

    def init(self, ctx: Context) -> None:
        day, close = day_of_bars(ctx), column(ctx)
        self.table = {int(d): float(close[day == d][-1] - close[day == d][0]) for d in np.unique(day)}

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, self.table.get(ctx.day, 0.0))


class TrainedOnAll(FromArray):
    """Fits tomorrow's move to today's by least squares over the whole sample, then predicts the same sample."""

    def signals(self, ctx: Context) -> Any:
        moves = np.diff(column(ctx), prepend=column(ctx)[0])
        seen = np.stack([moves[:-1], np.abs(moves[:-1]), np.ones(len(moves) - 1)], axis=1)
        weights = np.linalg.lstsq(seen, moves[1:], rcond=None)[0]
        return np.stack([moves, np.abs(moves), np.ones(len(moves))], axis=1) @ weights


class LabelAsFeature(FromArray):
    """Trades on the label itself: which barrier is hit first in the next ten bars."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        label = np.zeros(len(close))
        for at in range(len(close)):
            for later in close[at + 1 : at + 11]:
                if abs(later / close[at] - 1) > 0.01:
                    label[at] = np.sign(later - close[at])
                    break
        return label


class TargetMean(Case):
    """Encodes a bar's kind by the mean of its label, the label's own bar included."""

    def targets(self, history: History) -> Floats:
        close, opened = history.column("close")[:, 0], history.column("open")[:, 0]
        following = np.append(np.diff(close), 0.0)
        kind = np.digitize(close - opened, (-4.0, -2.0, 0.0, 2.0, 4.0))
        mean = np.array([following[kind == k].mean() if (kind == k).any() else 0.0 for k in range(6)])
        return changes(np.where(mean[kind] > 0, 1.0, 0.0))


class FilledBackwards(FromArray):
    """Leaves out quiet bars, fills forward, then back."""

    def signals(self, ctx: Context) -> Any:
        close = np.where(column(ctx, "volume") < 70_000, np.nan, column(ctx))
        day = day_of_bars(ctx)
        for each in np.unique(day):
            rows = np.flatnonzero(day == each)
            close[rows] = _filled(_filled(close[rows])[::-1])[::-1]
        return close - column(ctx, "open")


class Backfilled(Case):
    """Gives a quiet bar the close of the next busy one."""

    def targets(self, history: History) -> Floats:
        close = history.column("close")[:, 0]
        quiet = np.where(history.column("volume")[:, 0] < 40_000, np.nan, close)
        return changes(np.where(_filled(quiet[::-1])[::-1] > close, 1.0, 0.0))


class Interpolated(FromArray):
    """Draws a straight line over the bars that it leaves out."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        good = np.flatnonzero(column(ctx, "volume") > 30_000)
        return np.diff(np.interp(np.arange(len(close)), good, close[good]), prepend=close[0])


class ScaledVolatility(Case):
    """Sizes by today's volatility over that of the whole sample."""

    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT

    def targets(self, history: History) -> Floats:
        moves = np.diff(np.log(history.column("close")[:, 0]), prepend=np.nan)
        out = np.full((len(moves), 1), np.nan)
        for at in range(20, len(moves), 10):
            out[at] = min(0.5 * np.nanstd(moves) / np.std(moves[at - 19 : at + 1]), 0.9)
        return out


class LastBarExit(Case):
    """Sells on the last bar of the data, which nobody knows to be the last."""

    def targets(self, history: History) -> Floats:
        out = np.full((len(history.ts_ns), 1), np.nan)
        out[5] = 1.0
        out[-1] = 0.0
        return out


def _filled(values: Floats) -> Floats:
    """Return the values with each gap filled by the last before it."""
    at = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))))
    return np.asarray(values[at], dtype=np.float64)


LEAKS: tuple[type[Case], ...] = (
    ZScoreOfAll, MinMaxOfAll, RankInAll, QuantileOfAll, VolumeAgainstAll, Winsorised, TrendOfAll, PrincipalComponent,
    Clustered, BestLength, BestHours, TableByDate, TrainedOnAll, LabelAsFeature, TargetMean, FilledBackwards,
    Backfilled, Interpolated, ScaledVolatility, LastBarExit,
)  # fmt: skip
