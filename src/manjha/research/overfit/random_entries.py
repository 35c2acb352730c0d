"""What entering at random would have earned with the same number of trades, sides and holding times."""

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from manjha.domain.errors import DataError
from manjha.research.overfit.inputs import BATCH_VALUES, Floats, Int64s, Seed, at_least, generator, series

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


class RandomEntries(msgspec.Struct, frozen=True, eq=False):
    """The sum of trade returns of random entries, beside the real one. Fractions.

    `p_value` is (random runs that reach the real sum + 1) ÷ (samples + 1): small is evidence that the entries matter.
    `bands` (L,) are the quantiles of the random sums at `levels`. `apart` tells whether random trades, like the real
    ones, never overlap.
    """

    real: float
    mean: float
    levels: tuple[float, ...]
    bands: Floats
    p_value: float
    samples: int
    apart: bool


def random_entries(
    prices: ArrayLike,
    *,
    entries: ArrayLike,
    exits: ArrayLike,
    sides: ArrayLike,
    seed: Seed,
    samples: int = 2_000,
) -> RandomEntries:
    """Compare trades with as many random ones of the same sides and holding times.

    A trade earns side × (price at exit ÷ price at entry − 1); costs are left out on both sides, because the number of
    trades is the same. Where the real trades never overlap, random ones do not either: they are put in random order
    and the bars between them are shared out at random, every arrangement equally likely. Otherwise each starts
    anywhere.

    Parameters
    ----------
    prices
        Shape (T,), above zero: the price at which an order of bar i would fill, as the opens; back-adjusted, in any
        unit.
    entries, exits
        Shape (n,), rows of `prices`, each exit after its entry, n ≥ 1.
    sides
        Shape (n,): 1 for long, −1 for short; other numbers weight the trade.
    seed
        A number, or a generator, which moves on.
    samples
        Random runs, at least 100.

    Raises
    ------
    DataError
        A price or side is NaN, infinite or, for prices, not above zero; trades that do not fit the prices.
    UsageError
        Too few samples.
    """
    path = series(prices, "prices")
    if not (path > 0).all():
        raise DataError(f"prices must be above zero, row {int(np.argmax(path <= 0))} is not")
    weights = series(sides, "sides", least=1)
    begin, end = _trades(entries, exits, len(weights), len(path))
    at_least("samples", samples, 100)
    holds = end - begin
    order = np.argsort(begin, kind="stable")
    apart = bool((begin[order][1:] >= end[order][:-1]).all())
    real = float(_earned(path, begin[None, :], holds[None, :], weights[None, :])[0])
    rng = generator(seed)
    sums = []
    # Half a dozen tables of the batch's shape exist at a time.
    batch = max(BATCH_VALUES // (6 * len(holds)), 1)
    for start in range(0, samples, batch):
        size = min(batch, samples - start)
        sums.append(_random_sums(rng, size, path, holds, weights, apart=apart))
    found = np.concatenate(sums)
    reached = float(np.sum(found >= real - 1e-12))
    return RandomEntries(
        *(real, float(found.mean()), LEVELS, np.quantile(found, LEVELS)),
        p_value=(reached + 1.0) / (samples + 1.0),
        samples=samples,
        apart=apart,
    )


def _random_sums(
    rng: np.random.Generator, size: int, path: Floats, holds: Int64s, weights: Floats, *, apart: bool
) -> Floats:
    room = len(path) - 1
    if not apart:
        starts = rng.integers(0, room - holds + 1, (size, len(holds)))
        return _earned(path, starts, holds[None, :], weights[None, :])
    order = rng.permuted(np.broadcast_to(np.arange(len(holds)), (size, len(holds))), axis=1)
    held = holds[order]
    # Stars and bars: n of the (free + n) places are trades. Sorted draws without repetition, less their number, are
    # the free bars before each trade.
    free = room - int(holds.sum())
    starts = _sorted_draws(rng, size, free + len(holds), len(holds)) - np.arange(len(holds))
    starts += np.cumsum(held, axis=1) - held
    return _earned(path, starts, held, weights[order])


def _sorted_draws(rng: np.random.Generator, size: int, places: int, count: int) -> Int64s:
    """Return `count` different numbers of 0 … places − 1, ascending, for each row; all sets equally likely."""
    return np.sort(np.stack([rng.choice(places, count, replace=False, shuffle=False) for _ in range(size)]), axis=1)


def _earned(path: Floats, starts: Int64s, holds: Int64s, weights: Floats) -> Floats:
    return np.asarray(np.sum(weights * (path[starts + holds] / path[starts] - 1.0), axis=1), np.float64)


def _trades(entries: ArrayLike, exits: ArrayLike, count: int, bars: int) -> tuple[Int64s, Int64s]:
    begin, end = np.asarray(entries, np.int64), np.asarray(exits, np.int64)
    if begin.shape != (count,) or end.shape != (count,):
        raise DataError(f"{count} sides need as many entries and exits, got shapes {begin.shape} and {end.shape}")
    wrong = (begin < 0) | (end <= begin) | (end >= bars)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise DataError(f"trade {at} enters at bar {begin[at]} and leaves at bar {end[at]} of {bars}")
    return begin, end
