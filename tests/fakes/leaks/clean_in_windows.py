"""Clean strategies that look suspicious: windows, filters and samples that end at the bar that decides."""

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from manjha.domain.sizing import TargetUnit
from manjha.strategy.context import Context
from manjha.strategy.indicators import ema, heikin_ashi, sma
from manjha.strategy.interface import Floats, History
from tests.fakes.leaks.cases import Case, FromArray, changes, column, follow
from tests.fakes.leaks.leaks_in_windows import SAVGOL

MEANS: dict[str, Floats] = {}
"""A cache of a causal column."""


class ExpandingMean(FromArray):
    """Compares with the mean of all bars so far."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        return np.cumsum(close) / np.arange(1, len(close) + 1) - close


class ShiftForward(FromArray):
    """Trades on the move of the bar before: `shift(1)`."""

    def signals(self, ctx: Context) -> Any:
        moves = np.diff(column(ctx), prepend=column(ctx)[0])
        return np.append(0.0, moves[:-1])


class RolledForward(FromArray):
    """Rolls the right way, and blanks what comes round from the end."""

    def signals(self, ctx: Context) -> Any:
        before = np.roll(column(ctx), 3)
        before[:3] = np.nan
        return column(ctx) - before


class RolledBackButReadLate(Case):
    """Keeps tomorrow's open, and reads it tomorrow."""

    def init(self, ctx: Context) -> None:
        self.following = np.roll(column(ctx, "open"), -1)

    def on_bar(self, ctx: Context) -> None:
        if ctx.position_index:
            follow(ctx, ctx.close[-1] - self.following[ctx.position_index - 1])


class WholeColumnReadInTime(Case):
    """Holds the whole column and reads what is known."""

    def init(self, ctx: Context) -> None:
        self.close = column(ctx)

    def on_bar(self, ctx: Context) -> None:
        at = ctx.position_index
        follow(ctx, float(self.close[max(0, at - 9) : at + 1].mean()) - self.close[at])


class ExpandingQuantile(Case):
    """Buys in the lowest fifth of what has been seen."""

    def targets(self, history: History) -> Floats:
        close = history.column("close")[:, 0]
        out = np.full(len(close), np.nan)
        for at in range(30, len(close)):
            low, high = np.quantile(close[: at + 1], (0.2, 0.8))
            out[at] = 1.0 if close[at] < low else 0.0 if close[at] > high else np.nan
        return out[:, None]


class OnlineNormalised(Case):
    """Normalises by mean and deviation kept as it goes (Welford)."""

    def init(self, ctx: Context) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def on_bar(self, ctx: Context) -> None:
        close = ctx.close[-1]
        self.count += 1
        apart = close - self.mean
        self.mean += apart / self.count
        self.squares += apart * (close - self.mean)
        if self.count > 20 and self.squares > 0:
            score = apart / (self.squares / self.count) ** 0.5
            follow(ctx, -score if abs(score) > 0.5 else 0.0)


class RankSoFar(FromArray):
    """Ranks each close among those before it."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        return np.array([0.5 - np.mean(close[: at + 1] <= close[at]) for at in range(len(close))])


class RollingRegression(FromArray):
    """Fits a line to the last twenty closes."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        out = np.full(len(close), np.nan)
        for at in range(19, len(close)):
            out[at] = np.polyfit(np.arange(20), close[at - 19 : at + 1], 1)[0]
        return out


class WalkForwardModel(Case):
    """Trains each day on labels that have come true by then; the array of labels looks ahead, the training does not."""

    def init(self, ctx: Context) -> None:
        moves = np.diff(column(ctx), prepend=column(ctx)[0])
        self.features, self.labels = moves, np.append(moves[1:], np.nan)
        self.weight = 0.0

    def on_bar(self, ctx: Context) -> None:
        at = ctx.position_index
        if at >= 50 and at % 25 == 0:
            seen, label = self.features[: at - 1], self.labels[: at - 1]
            self.weight = float(seen @ label / (seen @ seen))
        if at >= 50:
            follow(ctx, self.weight * self.features[at])


class TrailingSavitzkyGolay(FromArray):
    """Uses the filter two bars late, when all of its bars are known."""

    def signals(self, ctx: Context) -> Any:
        smooth = np.convolve(column(ctx), SAVGOL)[: len(column(ctx))]
        return np.diff(smooth, prepend=smooth[0])


class TrailingFourier(Case):
    """Takes the slow waves of the last 64 bars."""

    def targets(self, history: History) -> Floats:
        close = history.column("close")[:, 0]
        out = np.full(len(close), np.nan)
        for at in range(63, len(close)):
            waves = np.fft.rfft(close[at - 63 : at + 1])
            waves[5:] = 0
            smooth = np.fft.irfft(waves, 64)
            out[at] = 1.0 if smooth[-1] > smooth[-2] else 0.0
        return changes(out)


class KalmanFilter(FromArray):
    """Filters forward only."""

    def signals(self, ctx: Context) -> Any:
        seen = column(ctx)
        out = np.empty_like(seen)
        mean, var = seen[0], 1.0
        for at, value in enumerate(seen):
            var += 4.0
            gain = var / (var + 25.0)
            mean, var = mean + gain * (value - mean), (1 - gain) * var
            out[at] = mean
        return seen - out


class ReversedTwice(FromArray):
    """Turns the column round, accumulates nothing, and turns it back."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)[::-1]
        return np.append(close[:-1] - close[1:], 0.0)[::-1]


class HeikinAshi(Case):
    """Trades the colour of smoothed candles."""

    def init(self, ctx: Context) -> None:
        self.candles = ctx.indicator(heikin_ashi, "open", "high", "low", "close")

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, self.candles.close[-1] - self.candles.open[-1])


class SlowAverage(Case):
    """Depends on where its data begin, as every recursive average does."""

    def init(self, ctx: Context) -> None:
        self.slow = ctx.indicator(ema, "close", length=60)

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, ctx.close[-1] - self.slow[-1])


class ConfirmedPivot(FromArray):
    """Trades a pivot two bars later, when it is one."""

    def signals(self, ctx: Context) -> Any:
        high, low = column(ctx, "high"), column(ctx, "low")
        out = np.zeros(len(high))
        for at in range(4, len(high)):
            around = slice(at - 4, at + 1)
            at_low, at_high = low[at - 2] == low[around].min(), high[at - 2] == high[around].max()
            out[at] = 1.0 if at_low else -1.0 if at_high else 0.0
        return out


class ConfirmedZigZag(FromArray):
    """Trades a turn when it is confirmed, not where it was."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        out = np.zeros(len(close))
        turn, rising = 0, True
        for at in range(1, len(close)):
            if (close[at] > close[turn]) == rising:
                turn = at
            elif abs(close[at] / close[turn] - 1) > 0.015:
                out[at] = -1.0 if rising else 1.0
                turn, rising = at, not rising
        return out


class FilledForward(FromArray):
    """Leaves out quiet bars and fills forward only."""

    def signals(self, ctx: Context) -> Any:
        at = np.where(column(ctx, "volume") < 30_000, 0, np.arange(len(column(ctx))))
        return column(ctx)[np.maximum.accumulate(at)] - column(ctx, "open")


class SeededDice(Case):
    """Throws dice with a seed."""

    def init(self, ctx: Context) -> None:
        self.dice = np.random.default_rng(5)

    def on_bar(self, ctx: Context) -> None:
        throw = self.dice.random()
        follow(ctx, 1.0 if throw < 0.1 else -1.0 if throw > 0.9 else 0.0)


class Memoised(Case):
    """Remembers what it computed for the same numbers."""

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, _mean_of(tuple(ctx.close.tail(12).tolist())) - ctx.close[-1])


class CausalCache(Case):
    """Keeps a causal column for all runs in the process."""

    def init(self, ctx: Context) -> None:
        close = column(ctx)
        name = ctx.market.instrument.id
        if len(MEANS.get(name, ())) < len(close) or not np.array_equal(MEANS[name], sma(close, 10), equal_nan=True):
            MEANS[name] = sma(close, 10)

    def on_bar(self, ctx: Context) -> None:
        mean = MEANS[ctx.market.instrument.id][ctx.position_index]
        follow(ctx, ctx.close[-1] - mean if not np.isnan(mean) else 0.0)


class PastWinners(Case):
    """Holds the share that did best over the last ten bars."""

    shares: ClassVar[int] = 3
    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT

    def targets(self, history: History) -> Floats:
        close = history.column("close")
        out = np.full_like(close, np.nan)
        for at in range(10, len(close), 10):
            out[at] = 0.0
            out[at, np.argmax(close[at] / close[at - 10])] = 0.9
        return out


@lru_cache(maxsize=64)
def _mean_of(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


CLEAN: tuple[type[Case], ...] = (
    ExpandingMean, ShiftForward, RolledForward, RolledBackButReadLate, WholeColumnReadInTime, ExpandingQuantile,
    OnlineNormalised, RankSoFar, RollingRegression, WalkForwardModel, TrailingSavitzkyGolay, TrailingFourier,
    KalmanFilter, ReversedTwice, HeikinAshi, SlowAverage, ConfirmedPivot, ConfirmedZigZag, FilledForward, SeededDice,
    Memoised, CausalCache, PastWinners,
)  # fmt: skip
