"""Ticks inside bars: a seeded path through open, high, low and close that makes exactly these bars again."""

import numpy as np

from manjha.domain.bars import BarColumns
from manjha.domain.errors import UsageError
from manjha.domain.ticks import TickColumns
from manjha.engine.bars import Ints, column
from manjha.simulator.synthetic_noise import Floats, stream

TICKS_MIN = 4
"""Open, high, low and close each need a tick."""


def ticks_within(bars: BarColumns, seed: int, per_bar: int) -> TickColumns:
    """Return `per_bar` ticks of each bar that reproduce its open, high, low, close and volume, in time order.

    Prices lie on the grid of the bars' own prices (their greatest common divisor, a multiple of the tick), volumes on
    that of their volumes; a tick of a thin bar may have volume zero. The first tick of a bar is at its open, all are
    before its close. High comes before low about as often as after it, mostly after it in a falling bar.

    Raises
    ------
    UsageError
        Fewer than four ticks a bar.
    """
    if per_bar < TICKS_MIN:
        raise UsageError(f"expected at least {TICKS_MIN} ticks a bar, was {per_bar}")
    count = len(bars)
    chance = stream(seed, bars.instrument, f"{per_bar} ticks").random((count, 3 * per_bar + 3))
    steps, sizes, moments, order = np.split(chance, [per_bar, 2 * per_bar, 3 * per_bar], axis=1)
    prices = _prices(bars, per_bar, steps, order)
    volumes = _volumes(np.asarray(bars.volume), sizes)
    opens, lengths = np.asarray(bars.ts_open_ns), np.asarray(bars.ts_close_ns) - np.asarray(bars.ts_open_ns)
    moments[:, 0] = 0.0
    # One tick in each equal part of the bar, so that time runs forwards.
    offsets = np.floor((np.arange(per_bar) + moments) * (lengths[:, None] / per_bar)).astype(np.int64)
    times = opens[:, None] + np.minimum(offsets, lengths[:, None] - 1)
    return TickColumns(
        bars.instrument, column(times.reshape(-1)), column(prices.reshape(-1)), column(volumes.reshape(-1))
    )


def _prices(bars: BarColumns, per_bar: int, steps: Floats, order: Floats) -> Ints:
    opened, high, low, close = (np.asarray(values) for values in (bars.open, bars.high, bars.low, bars.close))
    # Two rows strictly inside for the extremes; the end rows are the open and the close.
    first = 1 + np.floor(order[:, 0] * (per_bar - 3)).astype(np.int64)
    second = first + 1 + np.floor(order[:, 1] * (per_bar - 2 - first)).astype(np.int64)
    high_first = order[:, 2] < np.where(close < opened, 0.75, 0.25)
    knots_at = np.stack([np.zeros_like(first), first, second, np.full_like(first, per_bar - 1)], axis=1)
    knots = np.stack([opened, np.where(high_first, high, low), np.where(high_first, low, high), close], axis=1)
    path = _bridge(knots_at, knots.astype(np.float64), steps)
    grid = max(int(np.gcd.reduce(np.concatenate([opened, high, low, close]))), 1) if len(bars) else 1
    # At a knot the bridge is the knot, to the last bit: prices are far below 2**53.
    prices = np.rint(path / grid).astype(np.int64) * grid
    return np.clip(prices, low[:, None], high[:, None])


def _bridge(knots_at: Ints, knots: Floats, steps: Floats) -> Floats:
    """Return straight lines from knot to knot with noise that vanishes at each knot, a bar a row."""
    per_bar = steps.shape[1]
    columns_at = np.arange(per_bar)
    leg = np.sum(columns_at >= knots_at[:, 1:3, None], axis=1)
    start, end = np.take_along_axis(knots_at, leg, 1), np.take_along_axis(knots_at, leg + 1, 1)
    share = (columns_at - start) / np.maximum(end - start, 1)
    level = np.take_along_axis(knots, leg, 1) * (1.0 - share) + np.take_along_axis(knots, leg + 1, 1) * share
    width = (np.max(knots, axis=1) - np.min(knots, axis=1))[:, None]
    path: Floats = level + (steps - 0.5) * width * np.sqrt(np.maximum(share * (1.0 - share), 0.0))
    return path


def _volumes(volume: Ints, sizes: Floats) -> Ints:
    grid = max(int(np.gcd.reduce(volume)), 1) if len(volume) else 1
    # Squares make few large and many small trades; the floor of growing shares loses nothing in the sum.
    grown = np.cumsum(sizes * sizes + 0.02, axis=1)
    filled = np.floor(grown / grown[:, -1:] * (volume // grid)[:, None]).astype(np.int64)
    filled[:, -1] = volume // grid
    traded: Ints = np.diff(filled, axis=1, prepend=0) * grid
    return traded
