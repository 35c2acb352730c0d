"""Clean strategies that look suspicious: sessions, coarser bars, orders, timers, and closes that decide nothing."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from manjha.domain.bars import Interval
from manjha.domain.instrument import Instrument
from manjha.domain.moments import MINUTE_NS, TradingDay, at
from manjha.domain.orders import Fill, Product
from manjha.strategy.context import Context
from manjha.strategy.indicators import sma, vwap
from manjha.strategy.interface import Entries, Floats, History
from tests.fakes.leaks.cases import Case, FromArray, changes, column, day_of_bars, follow

HOUR = Interval(3600)


class YesterdaysRange(FromArray):
    """Trades the break of yesterday's high and low."""

    def signals(self, ctx: Context) -> Any:
        day, high, low, close = day_of_bars(ctx), column(ctx, "high"), column(ctx, "low"), column(ctx)
        out, known = np.zeros(len(close)), np.unique(day)
        for before, today in pairwise(known):
            rows = day == today
            out[rows] = np.where(close[rows] > high[day == before].max(), 1.0, 0.0)
            out[rows] -= close[rows] < low[day == before].min()
        return out


class DaySoFar(FromArray):
    """Compares with the middle of the day's range so far."""

    def signals(self, ctx: Context) -> Any:
        day, close = day_of_bars(ctx), column(ctx)
        out = np.empty(len(close))
        for each in np.unique(day):
            rows = day == each
            top = np.maximum.accumulate(column(ctx, "high")[rows])
            out[rows] = (top + np.minimum.accumulate(column(ctx, "low")[rows])) / 2 - close[rows]
        return out


class LastSessionsVwap(Case):
    """Compares with where yesterday's VWAP ended."""

    def init(self, ctx: Context) -> None:
        self.vwap = ctx.indicator(vwap, "day", "high", "low", "close", "volume")
        self.level = 0.0

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        self.level = self.vwap[-1] if ctx.position_index >= 0 else 0.0

    def on_bar(self, ctx: Context) -> None:
        if self.level > 0:
            follow(ctx, ctx.close[-1] - self.level)


class GapOfTheOpening(Case):
    """Trades the gap when the first bar has closed."""

    def init(self, ctx: Context) -> None:
        self.before = 0.0
        self.is_first = False

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        self.before, self.is_first = (ctx.close[-1], True) if ctx.position_index >= 0 else (0.0, False)

    def on_bar(self, ctx: Context) -> None:
        if self.is_first:
            self.is_first = False
            follow(ctx, self.before - ctx.open[-1])


class TimeOfDay(Case):
    """Is in from 10:00 to 14:00."""

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, 1.0 if 10 * 60 <= ctx.minute < 14 * 60 else -1.0)


class LastBarOfTheDay(Case):
    """Decides at 15:30 by the day that has ended."""

    def on_bar(self, ctx: Context) -> None:
        if ctx.minute == 15 * 60 + 30:
            follow(ctx, ctx.close[-1] - ctx.open[-25])


class CoarseLine(Case):
    """Uses bars of 60 minutes, each when it has closed."""

    runs_on: ClassVar[str] = "coarser"

    def init(self, ctx: Context) -> None:
        self.hour = ctx.indicator(sma, "close", length=5, interval=HOUR)

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, ctx.close[-1] - self.hour[-1])


class CoarseByCloseTime(Case):
    """Places coarse bars itself, by the time at which they close."""

    runs_on: ClassVar[str] = "coarser"

    def init(self, ctx: Context) -> None:
        coarse = ctx.market.bars(HOUR)
        closes, fine = np.asarray(coarse.columns.ts_close_ns), np.asarray(ctx.market.series.columns.ts_close_ns)
        rows = np.searchsorted(closes, fine, side="right") - 1
        self.hour = np.where(rows >= 0, coarse.floats("close")[rows], np.nan)

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, self.hour[ctx.position_index] - ctx.close[-1])


class ResampledBehind(Case):
    """Makes bars of an hour itself and uses the last complete one."""

    def targets(self, history: History) -> Floats:
        close = history.column("close")[:, 0]
        done = (np.arange(len(close)) + 1) // 4 * 4 - 1
        return changes(np.where(done < 0, np.nan, np.where(close[done] > close, 1.0, 0.0)))


class TurnOfTheWeek(Case):
    """Rotates on the first day of a week."""

    runs_on: ClassVar[str] = "days"

    def targets(self, history: History) -> Floats:
        turn = np.append(False, np.diff((history.day + 3) // 7) != 0)
        close = history.column("close")[:, 0]
        before = np.append(np.full(5, np.nan), close[:-5])
        return np.where(turn, np.where(close > before, 1.0, 0.0), np.nan)[:, None]


class LimitAtTheLastLow(Case):
    """Bids the low that was, and takes the bid back."""

    def on_bar(self, ctx: Context) -> None:
        if ctx.position == 0 and ctx.working == 0:
            ctx.buy(10, limit=ctx.low[-1])
        elif ctx.working and ctx.position_index % 3 == 0:
            ctx.cancel()
        elif ctx.position:
            ctx.close_position()


class MovedOrders(Case):
    """Moves its resting order after the market."""

    def on_bar(self, ctx: Context) -> None:
        resting = ctx.market.orders()
        if resting:
            ctx.market.modify(resting[0], limit=ctx.close[-1] * 0.998)
        elif ctx.position == 0:
            ctx.buy(5, limit=ctx.close[-1] * 0.995)
        elif ctx.position_index % 6 == 0:
            ctx.close_position()


class Bracket(Case):
    """Leaves the exit to a stop, a target and a trail."""

    def on_bar(self, ctx: Context) -> None:
        close = ctx.close[-1]
        if ctx.position == 0 and ctx.working == 0 and close > ctx.close[-3]:
            ctx.buy(10, stop=close * 0.99, target=close * 1.012, trail=close * 0.008)


class AnswersFills(Case):
    """Asks for the exit when it learns of its fill, inside the bar that filled."""

    def on_bar(self, ctx: Context) -> None:
        if ctx.position == 0 and ctx.working == 0:
            ctx.buy(10)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        if ctx.position > 0:
            ctx.sell(10, limit=fill.px / 10_000 * 1.004)


class Timers(Case):
    """Acts by timers, at and between the closes of bars."""

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        for minute in (600, 667, 750, 841):
            ctx.set_timer(str(minute), at(day, minute * MINUTE_NS))

    def on_timer(self, ctx: Context, key: str) -> None:
        follow(ctx, 1.0 if key in ("600", "750") else -1.0)


class BeforeTheSession(Case):
    """Decides before the day begins, by yesterday."""

    runs_on: ClassVar[str] = "days"

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        if ctx.position_index >= 1:
            follow(ctx, ctx.close[-1] - ctx.close[-2])


class Intraday(Case):
    """Is squared off by the engine each evening."""

    product: ClassVar[Product] = Product.MIS

    def on_bar(self, ctx: Context) -> None:
        if ctx.position == 0 and ctx.working == 0 and ctx.minute < 13 * 60 and ctx.close[-1] > ctx.open[-1]:
            ctx.buy(10, stop=ctx.low[-1] * 0.99)


class UniverseByVolume(Case):
    """Admits the shares that were busy yesterday."""

    shares: ClassVar[int] = 3

    def init(self, ctx: Context) -> None:
        self.busy: set[str] = set()
        self.traded: dict[str, float] = {}

    def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Sequence[Instrument]:
        mean = sum(self.traded.values()) / max(len(self.traded), 1)
        self.busy = {name for name, volume in self.traded.items() if volume >= mean}
        self.traded = {}
        return [one for one in listed if one.id in self.busy]

    def on_bar(self, ctx: Context) -> None:
        for name, market in ctx.markets.items():
            self.traded[name] = self.traded.get(name, 0.0) + market.volume[-1]
        for market in ctx.universe.values():
            if ctx.position_index % 9 == 0 and market.position == 0:
                market.buy(2)
            elif ctx.position_index % 9 == 5:
                market.close_position()


class DelistedPeer(Case):
    """Trades three shares of which one ends early, without asking which."""

    runs_on: ClassVar[str] = "delisted"
    shares: ClassVar[int] = 3

    def on_bar(self, ctx: Context) -> None:
        for market in ctx.markets.values():
            if market.is_fresh and market.position == 0 and market.close[-1] > market.close[-4]:
                market.buy(2)
            elif market.is_fresh and market.position and market.close[-1] < market.close[-4]:
                market.close_position()


class OtherSharesPast(Case):
    """Trades one share by the last bar of another."""

    shares: ClassVar[int] = 2

    def on_bar(self, ctx: Context) -> None:
        leader = list(ctx.markets.values())[1]
        follow(ctx, leader.close[-1] - leader.close[-3])


class NeedsHistory(Case):
    """Says nothing before it has a hundred bars."""

    def history_needed(self) -> int:
        return 100

    def targets(self, history: History) -> Floats:
        close = history.column("close")[:, 0]
        out = np.full(len(close), np.nan)
        out[99:] = np.where(close[99:] > close[:-99], 1.0, 0.0)
        return changes(out)


class ByEquity(Case):
    """Stops for the day after a loss."""

    def init(self, ctx: Context) -> None:
        self.start = 0.0

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        self.start = ctx.equity

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, -1.0 if ctx.equity < self.start - 60 else ctx.close[-1] - ctx.open[-1])


class AtTheCloseByYesterday(Case):
    """Fills at the close, by the closes before it."""

    fills_at_close: ClassVar[bool] = True

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, ctx.close[-2] - ctx.close[-5])


class AtTheCloseByTheClock(Case):
    """Fills at the close, by the time of day."""

    fills_at_close: ClassVar[bool] = True

    def on_bar(self, ctx: Context) -> None:
        follow(ctx, 1.0 if ctx.minute == 11 * 60 else -1.0 if ctx.minute == 15 * 60 else 0.0)


class AtTheCloseByTheOpen(Case):
    """Fills at the close, by the bar's open, which was known before."""

    fills_at_close: ClassVar[bool] = True

    def targets(self, history: History) -> Floats:
        opened = history.column("open")[:, 0]
        return changes(np.where(opened > np.append(opened[0], opened[:-1]), 1.0, 0.0))


class EntriesBehind(Case):
    """States entries with stop, target and a time to leave, from what was known."""

    def entries(self, history: History) -> Entries:
        close, low = history.column("close")[:, 0], history.column("low")[:, 0]
        rises = np.append(False, close[1:] > close[:-1])
        # Prices of what is not entered are nobody's business, here those of tomorrow.
        idle = np.append(close[1:], close[-1])
        stop, target = np.where(rises, low - 1.0, idle), np.where(rises, close * 1.01, idle)
        leaves = history.ts_ns + 3_600 * 10**9
        return Entries(side=np.where(rises, 1.0, np.nan), stop=stop, target=target, exit_ns=leaves, leave=~rises)


CLEAN: tuple[type[Case], ...] = (
    YesterdaysRange, DaySoFar, LastSessionsVwap, GapOfTheOpening, TimeOfDay, LastBarOfTheDay, CoarseLine,
    CoarseByCloseTime, ResampledBehind, TurnOfTheWeek, LimitAtTheLastLow, MovedOrders, Bracket, AnswersFills, Timers,
    BeforeTheSession, Intraday, UniverseByVolume, DelistedPeer, OtherSharesPast, NeedsHistory, ByEquity,
    AtTheCloseByYesterday, AtTheCloseByTheClock, AtTheCloseByTheOpen, EntriesBehind,
)  # fmt: skip
