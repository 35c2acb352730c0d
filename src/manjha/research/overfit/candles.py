"""Markets that never were: candles drawn anew from real ones, valid bar by bar."""

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from manjha.domain.errors import DataError
from manjha.research.overfit.inputs import Floats, Int64s, Seed, at_least, generator
from manjha.research.overfit.resampling import block_length, stationary_rows

ROUNDS_MAX = 100
"""Repairs of blocks that run into another time of day: each round mends every block at least one bar further."""
PRICE_MAX = 1 << 52
"""Largest resampled price: beyond it float64 has no exact integers."""


class Candles(msgspec.Struct, frozen=True, eq=False):
    """Bars as int64 columns of shape (n,), oldest first. Prices in 1e-4 rupee, volume in units."""

    open: Int64s
    high: Int64s
    low: Int64s
    close: Int64s
    volume: Int64s

    def __len__(self) -> int:
        return len(self.close)


def resample_candles(
    bars: Candles, *, paths: int, seed: Seed, block: float = 0.0, tick: int = 1, slots: ArrayLike | None = None
) -> Iterator[Candles]:
    """Yield markets made of blocks of the real bars' moves (stationary bootstrap), one at a time.

    A bar's move is its open, high, low and close ÷ the close before it, and its volume; moves are drawn together and
    strung behind one another, so gaps, ranges and volumes keep their company. The first bar of each market is the
    real first bar. Prices are rounded to the tick, half up, and are at least one tick; high and low still enclose
    open and close, because rounding keeps the order.

    Parameters
    ----------
    bars
        n ≥ 3 valid bars with prices above zero.
    paths
        Markets to yield.
    seed
        A number, or a generator, which moves on.
    block
        Mean length of a block in bars; 0 takes `block_length` of the absolute moves, whose memory is the longer one.
    tick
        Smallest step of the price, in 1e-4 rupee.
    slots
        Shape (n,), optional: the number of each bar within its session. A bar is then only replaced by bars with the
        same number, so that mornings stay mornings and a gap stays between sessions. A block ends where sessions of
        unequal length would shift it; a number that occurs once keeps its bar.

    Raises
    ------
    DataError
        Too few bars, columns of unequal length, a price not above zero, high or low that does not enclose the others,
        or moves so large that a market outgrows int64.
    UsageError
        `paths`, `tick` or `block` below 1 (block 0 aside).
    """
    _checked(bars)
    at_least("paths", paths, 1)
    at_least("tick", tick, 1)
    before = bars.close[:-1].astype(np.float64)
    moves = [column[1:] / before for column in (bars.open, bars.high, bars.low, bars.close)]
    block = block or block_length(np.abs(np.log(moves[3])))
    at_least("block length", block, 1.0)
    times = None if slots is None else _slots(slots, len(bars))
    rng = generator(seed)
    return (_market(bars, moves, tick, _rows(rng, len(before), block, times)) for _ in range(paths))


def _market(bars: Candles, moves: list[Floats], tick: int, rows: Int64s) -> Candles:
    drawn = [move[rows] for move in moves]
    with np.errstate(over="ignore"):
        after = np.cumprod(np.concatenate([[float(bars.close[0])], drawn[3]]))
        prices = [move * after[:-1] for move in drawn[:3]] + [after[1:]]
    if not max(float(price.max()) for price in prices) < PRICE_MAX:
        raise DataError("the bars move so much that a resampled market outgrows every price")
    stepped = [np.maximum(np.floor(price / tick + 0.5), 1.0).astype(np.int64) * tick for price in prices]
    first = (bars.open[:1], bars.high[:1], bars.low[:1], bars.close[:1])
    opened, high, low, close = (np.concatenate([one, rest]) for one, rest in zip(first, stepped, strict=True))
    return Candles(opened, high, low, close, np.concatenate([bars.volume[:1], bars.volume[1:][rows]]))


def _rows(rng: np.random.Generator, count: int, block: float, slots: Int64s | None) -> Int64s:
    if slots is None:
        return np.asarray(stationary_rows(rng, 1, count, block=block)[0], np.int64)
    order = np.argsort(slots, kind="stable")
    first = np.searchsorted(slots[order], slots)
    many = np.searchsorted(slots[order], slots, side="right") - first
    starts = order[first + rng.integers(0, many)]
    at = np.arange(count)
    fresh = rng.random(count) < 1.0 / block
    fresh[0] = True
    for _ in range(ROUNDS_MAX):
        begun = np.maximum.accumulate(np.where(fresh, at, 0))
        rows = (starts[begun] + at - begun) % count
        wrong = slots[rows] != slots
        if not wrong.any():
            return np.asarray(rows, np.int64)
        # Only the first wrong bar of a run begins a new block: those after it may be right then.
        fresh |= wrong & ~np.concatenate([[False], wrong[:-1]])
    return np.asarray(np.where(wrong, starts, rows), np.int64)


def _slots(slots: ArrayLike, count: int) -> Int64s:
    times = np.asarray(slots, np.int64)
    if times.shape != (count,):
        raise DataError(f"{count} bars need as many numbers within the session, got shape {times.shape}")
    return np.asarray(times[1:], np.int64)


def _checked(bars: Candles) -> None:
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    if len({column.shape for column in columns}) != 1 or bars.close.ndim != 1 or len(bars) < 3:
        shapes = ", ".join(str(column.shape) for column in columns)
        raise DataError(f"bars must be at least 3, in columns of equal length, got shapes {shapes}")
    low, high = np.minimum(bars.open, bars.close), np.maximum(bars.open, bars.close)
    bad = (bars.low <= 0) | (bars.low > low) | (bars.high < high)
    if bad.any():
        raise DataError(f"bar {int(np.argmax(bad))} has a price not above zero, or outside its high and low")
