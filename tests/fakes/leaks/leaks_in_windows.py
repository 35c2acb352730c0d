"""Leaks through windows that reach into the bars to come."""

from typing import Any

import numpy as np

from manjha.strategy.context import Context
from manjha.strategy.interface import Floats, History
from tests.fakes.leaks.cases import Case, FromArray, changes, column, follow

SAVGOL = np.array([-3.0, 12.0, 17.0, 12.0, -3.0]) / 35.0
"""Weights of the centred quadratic filter over five bars (Savitzky and Golay, 1964)."""


class CentredMean(Case):
    """Compares the close with the mean of two bars before and two after."""

    def targets(self, history: History) -> Floats:
        close = history.column("close")[:, 0]
        return changes(np.where(close > np.convolve(close, np.ones(5) / 5, "same"), 1.0, 0.0))


class NegativeShift(FromArray):
    """Buys before a rise: `shift(-1)`."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        return np.append(np.diff(close), 0.0)


class GuardedPeek(Case):
    """Looks one bar ahead, and where there is none takes the last: cut short, it decides the same on a rise."""

    def init(self, ctx: Context) -> None:
        self.close = column(ctx)

    def on_bar(self, ctx: Context) -> None:
        at = ctx.position_index
        following = self.close[at + 1] if at + 1 < len(self.close) else self.close[at]
        follow(ctx, 1.0 if following >= self.close[at] else -1.0)


class Rolled(FromArray):
    """Rolls the wrong way."""

    def signals(self, ctx: Context) -> Any:
        return np.roll(column(ctx), -1) - column(ctx)


class FutureHighest(FromArray):
    """Buys where the highest high of the next five bars is two per cent above."""

    def signals(self, ctx: Context) -> Any:
        high, close = column(ctx, "high"), column(ctx)
        best = np.array([high[at + 1 : at + 6].max(initial=0.0) for at in range(len(high))])
        return np.where(best > 1.01 * close, 1.0, -1.0)


class FutureLowest(FromArray):
    """Leaves before the lowest low of the next five bars."""

    def signals(self, ctx: Context) -> Any:
        low, close = column(ctx, "low"), column(ctx)
        worst = np.array([low[at + 1 : at + 6].min(initial=1e9) for at in range(len(low))])
        return np.where(worst < 0.99 * close, -1.0, 1.0)


class LimitAtTheNextLow(Case):
    """Bids the low of the bar to come, and so always gets the best price."""

    def init(self, ctx: Context) -> None:
        self.bids = np.append(column(ctx, "low")[1:], np.nan)

    def on_bar(self, ctx: Context) -> None:
        bid = self.bids[ctx.position_index]
        if ctx.position == 0 and ctx.working == 0 and not np.isnan(bid) and ctx.position_index % 5 == 0:
            ctx.buy(10, limit=bid, exit_ns=ctx.now_ns + 3_600_000_000_000)


class StopUnderTheComingLow(Case):
    """Puts its stop right under the low of the next ten bars, so that it is never hit."""

    def init(self, ctx: Context) -> None:
        low = column(ctx, "low").tolist()
        self.floor = [min(low[at + 1 : at + 11], default=0.0) for at in range(len(low))]

    def on_bar(self, ctx: Context) -> None:
        floor = self.floor[ctx.position_index]
        if ctx.position == 0 and ctx.position_index % 9 == 0 and 0 < floor < ctx.close[-1]:
            ctx.buy(10, stop=floor - 0.05, exit_ns=ctx.now_ns + 7_200_000_000_000)


class CentralDifference(FromArray):
    """`np.gradient` takes the bar after for the slope."""

    def signals(self, ctx: Context) -> Any:
        return np.gradient(column(ctx))


class SavitzkyGolay(Case):
    """Follows the slope of the centred filter."""

    def targets(self, history: History) -> Floats:
        smooth = np.convolve(history.column("close")[:, 0], SAVGOL, "same")
        return changes(np.where(np.diff(smooth, prepend=smooth[0]) > 0, 1.0, 0.0))


class GaussianSmooth(FromArray):
    """Follows a centred Gaussian mean."""

    def signals(self, ctx: Context) -> Any:
        weights = np.exp(-0.5 * (np.arange(-6, 7) / 2.0) ** 2)
        smooth = np.convolve(column(ctx), weights / weights.sum(), "same")
        return np.diff(smooth, prepend=smooth[0])


class FilteredBothWays(FromArray):
    """Runs an average forward and back again, which takes the lag out and the future in."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        smooth = _ema(_ema(close, 0.2)[::-1], 0.2)[::-1]
        return np.diff(smooth, prepend=smooth[0])


class FourierSmooth(Case):
    """Keeps the slow waves of the whole sample."""

    def targets(self, history: History) -> Floats:
        close = history.column("close")[:, 0]
        waves = np.fft.rfft(close)
        waves[20:] = 0
        smooth = np.fft.irfft(waves, len(close))
        return changes(np.where(np.diff(smooth, prepend=smooth[0]) > 0, 1.0, 0.0))


class KalmanSmoother(FromArray):
    """Goes back over a filter's states (Rauch, Tung and Striebel)."""

    def signals(self, ctx: Context) -> Any:
        seen = column(ctx)
        state, spread = np.empty_like(seen), np.empty_like(seen)
        mean, var = seen[0], 1.0
        for at, value in enumerate(seen):
            var += 4.0
            gain = var / (var + 25.0)
            mean, var = mean + gain * (value - mean), (1 - gain) * var
            state[at], spread[at] = mean, var
        for at in range(len(seen) - 2, -1, -1):
            gain = spread[at] / (spread[at] + 4.0)
            state[at] += gain * (state[at + 1] - state[at])
        return np.diff(state, prepend=state[0])


class ReversedSum(FromArray):
    """Sums the moves from the end: what is still to come."""

    def signals(self, ctx: Context) -> Any:
        moves = np.diff(column(ctx), prepend=column(ctx)[0])
        return np.cumsum(moves[::-1])[::-1]


class ZigZag(FromArray):
    """Trades at the turns of a zigzag, each known only once the market has turned by one and a half per cent."""

    def signals(self, ctx: Context) -> Any:
        close = column(ctx)
        out = np.zeros(len(close))
        turn, rising = 0, True
        for at in range(1, len(close)):
            if (close[at] > close[turn]) == rising:
                turn = at
            elif abs(close[at] / close[turn] - 1) > 0.015:
                out[turn] = -1.0 if rising else 1.0
                turn, rising = at, not rising
        return out


class Fractal(FromArray):
    """Marks a pivot at its own bar, though it takes two more to see it."""

    def signals(self, ctx: Context) -> Any:
        high, low = column(ctx, "high"), column(ctx, "low")
        out = np.zeros(len(high))
        for at in range(2, len(high) - 2):
            around = slice(at - 2, at + 3)
            out[at] = 1.0 if low[at] == low[around].min() else -1.0 if high[at] == high[around].max() else 0.0
        return out


class ShiftedLine(Case):
    """Makes a line of tomorrow's close; the line itself is checked."""

    def init(self, ctx: Context) -> None:
        self.ahead = ctx.indicator(_shifted, "close")

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, self.ahead[-1] - ctx.close[-1])


class LeadingSpan(Case):
    """Reads a cloud's lagging span where it is drawn: the close of 26 bars later."""

    def init(self, ctx: Context) -> None:
        close = column(ctx)
        self.lagging = np.full(len(close), np.nan)
        self.lagging[:-26] = close[26:]

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, self.lagging[ctx.position_index] - ctx.close[-1])


class NextVolume(FromArray):
    """Buys before a busy bar."""

    def signals(self, ctx: Context) -> Any:
        following = np.append(column(ctx, "volume")[1:], 0.0)
        return np.where(following > 60_000, 1.0, np.where(following < 20_000, -1.0, 0.0))


def _shifted(close: Any) -> Floats:
    return np.append(np.asarray(close, dtype=np.float64)[1:] / 10_000, np.nan)


def _ema(values: Floats, share: float) -> Floats:
    out = np.array(values, dtype=np.float64)
    for at in range(1, len(out)):
        out[at] = out[at - 1] + share * (values[at] - out[at - 1])
    return out


LEAKS: tuple[type[Case], ...] = (
    CentredMean, NegativeShift, GuardedPeek, Rolled, FutureHighest, FutureLowest, LimitAtTheNextLow,
    StopUnderTheComingLow, CentralDifference, SavitzkyGolay, GaussianSmooth, FilteredBothWays, FourierSmooth,
    KalmanSmoother, ReversedSum, ZigZag, Fractal, ShiftedLine, LeadingSpan, NextVolume,
)  # fmt: skip
