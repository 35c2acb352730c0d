"""Probability of backtest overfitting, by combinatorially symmetric cross-validation (CSCV).

The periods are cut into S blocks. Every choice of S/2 blocks is once the sample in which the best trial is picked,
while the other half says what became of it.
"""

from collections.abc import Iterator
from itertools import combinations, islice
from math import comb

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from manjha.domain.errors import UsageError
from manjha.research.metrics.dispersion import FLAT
from manjha.research.overfit.inputs import BATCH_VALUES, Floats, matrix
from manjha.research.overfit.sharpe import NAN

BLOCKS_MAX = 20
"""Most blocks: 20 make 184,756 combinations, and each two more make nearly four times as many."""


class Overfitting(msgspec.Struct, frozen=True, eq=False):
    """What happened to the trial that was best in one half of the periods in the other half, over all C halvings.

    `logits`, `inside`, `outside` have shape (C,), in lexicographic order of the blocks of the first half: ln(ω/(1 −
    ω)) of the relative rank ω that the picked trial has outside, and its Sharpe ratio of one period inside and
    outside.

    `probability` is the share of logits ≤ 0: the pick is no better than the median trial outside. `slope`,
    `intercept` and `r_squared` are of the straight line of `outside` over `inside`; a slope below 0 says that the
    better it looked, the worse it did. NaN where `inside` does not vary. `loss` is the share of `outside` below 0.

    `first_order` is the least of F_mean(x) − F_pick(x) over all x, F the share of halvings at or below x, of the mean
    trial's ratio outside and of the picked one's; `second_order` the least of that difference's integral up to x. At
    least 0: picking dominates a trial taken blindly, in the first or second order.
    """

    blocks: int
    periods: int
    logits: Floats
    inside: Floats
    outside: Floats
    probability: float
    slope: float
    intercept: float
    r_squared: float
    loss: float
    first_order: float
    second_order: float


def backtest_overfitting(trials: ArrayLike, *, blocks: int = 16) -> Overfitting:
    """Return the probability of backtest overfitting of the best of N trials, and what else the halvings tell.

    Parameters
    ----------
    trials
        Shape (T, N), N ≥ 2: returns of trials over the same periods, oldest first. The oldest T mod S rows are left
        out, so that blocks are equal. The measure is the Sharpe ratio; a trial that does not vary in a half counts
        with 0.
    blocks
        S, even, 2 … 20. Each needs at least two rows. 16 (12,870 halvings) is what the authors use.

    Raises
    ------
    DataError
        Not a table of numbers, or a value is NaN or infinite.
    UsageError
        One trial only, an odd or too large number of blocks, or fewer than two periods a block.

    Notes
    -----
    D. Bailey, J. Borwein, M. López de Prado, Q. Zhu, "The Probability of Backtest Overfitting", Journal of
    Computational Finance 20(4), 2017. Ties rank in the middle; ω = rank ÷ (N + 1). Memory does not grow with the
    number of halvings beyond the three results of each.
    """
    table = matrix(trials)
    if table.shape[1] < 2:
        raise UsageError("the best of one trial cannot be overfitted by picking: at least 2 trials are needed")
    if blocks % 2 or not 2 <= blocks <= BLOCKS_MAX:
        raise UsageError(f"the number of blocks must be even, 2 to {BLOCKS_MAX}, got {blocks}")
    size = len(table) // blocks
    if size < 2:
        raise UsageError(
            f"{blocks} blocks need at least {2 * blocks} periods, there are {len(table)}",
            hint="Take fewer blocks or a longer period.",
        )
    table = table[len(table) - size * blocks :]
    parts = [_halved(half, table, size) for half in _halves(blocks, table.shape[1])]
    logits, inside, outside, mean = np.concatenate(parts, axis=1)
    slope, intercept, r_squared = _line(inside, outside)
    first, second = _dominance(outside, mean)
    return Overfitting(
        blocks,
        len(table),
        *(logits, inside, outside),
        probability=float(np.mean(logits <= 0.0)),
        slope=slope,
        intercept=intercept,
        r_squared=r_squared,
        loss=float(np.mean(outside < 0.0)),
        first_order=first,
        second_order=second,
    )


def _halves(blocks: int, width: int) -> Iterator[Floats]:
    """Yield which blocks are inside, as rows of 0 and 1, some rows at a time."""
    batch = max(BATCH_VALUES // (8 * width), 1)
    chosen = combinations(range(blocks), blocks // 2)
    for _ in range(0, comb(blocks, blocks // 2), batch):
        picks = np.array(list(islice(chosen, batch)))
        half = np.zeros((len(picks), blocks))
        np.put_along_axis(half, picks, 1.0, axis=1)
        yield half


def _halved(half: Floats, table: Floats, size: int) -> Floats:
    """Return logits, the pick's ratio inside and outside, and the mean ratio outside, for each row of `half`."""
    level = table.mean(axis=0)
    # Sums of squares about the mean, or small spreads on large means would be lost.
    centred = (table - level).reshape(half.shape[1], size, -1)
    sums, squares = centred.sum(axis=1), (centred**2).sum(axis=1)
    within = _ratios(half @ sums, half @ squares, level, len(table) // 2)
    beyond = _ratios((1.0 - half) @ sums, (1.0 - half) @ squares, level, len(table) // 2)
    at = np.arange(len(half))
    pick = np.argmax(within, axis=1)
    outside = beyond[at, pick]
    # The pick itself is one of the equal ones, so half of (equal + 1) puts ties in the middle.
    below, equal = np.sum(beyond < outside[:, None], axis=1), np.sum(beyond == outside[:, None], axis=1)
    rank = (below + (equal + 1.0) / 2.0) / (table.shape[1] + 1.0)
    return np.stack([np.log(rank / (1.0 - rank)), within[at, pick], outside, beyond.mean(axis=1)])


def _ratios(sums: Floats, squares: Floats, level: Floats, count: int) -> Floats:
    mean = sums / count
    spread = np.sqrt(np.maximum(squares - count * mean**2, 0.0) / (count - 1))
    return np.divide(mean + level, spread, out=np.zeros_like(mean), where=spread > FLAT)


def _line(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Return slope, intercept and R² of y over x by least squares; NaN where x does not vary."""
    dx, dy = x - x.mean(), y - y.mean()
    if float(np.sqrt(np.mean(dx**2))) <= FLAT:
        return NAN, NAN, NAN
    slope = float(dx @ dy / (dx @ dx))
    total = float(dy @ dy)
    return slope, float(y.mean() - slope * x.mean()), slope**2 * float(dx @ dx) / total if total > 0 else NAN


def _dominance(pick: Floats, mean: Floats) -> tuple[float, float]:
    at = np.unique(np.concatenate([pick, mean]))
    count = len(pick)
    ahead = np.searchsorted(np.sort(mean), at, side="right") - np.searchsorted(np.sort(pick), at, side="right")
    second = np.cumsum(ahead[:-1] * np.diff(at)) / count
    return float(ahead.min()) / count, float(second.min(initial=0.0))
