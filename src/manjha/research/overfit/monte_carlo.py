"""Other histories that the same trades or returns could have had, and the bands in which they lie."""

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from manjha.domain.errors import DataError, UsageError
from manjha.research.overfit.inputs import Floats, Int64s, Seed, at_least, batches, generator, series
from manjha.research.overfit.resampling import block_length, stationary_rows

POINTS = 250
"""Points of a curve that are kept for the picture of the bands; extremes are taken over every step."""
PATHS_MAX = 50_000
"""Most histories of one fan: their kept points are 200 MB."""
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


class Fan(msgspec.Struct, frozen=True, eq=False):
    """Bands of many possible histories, beside the real one.

    Equity is in units of the initial capital (1 at the start), drawdown and return fractions; a drawdown is 0 or
    below. `steps` (K,) are the steps kept, 0 being the start; `equity` and `drawdown` (L, K) the quantiles of all
    paths at each of them, a row a level; `final_return` and `max_drawdown` (L,) the quantiles of the paths' own end
    and worst fall, over every step, not only the kept ones. `real_equity` (K,), `real_return` and `real_drawdown` are
    the history that happened. `loss` is the share of paths that end below the start, `ruin` that of paths that touch
    zero. `worse_drawdown` is the share of paths whose worst fall is at least as deep as the real one.
    """

    paths: int
    levels: tuple[float, ...]
    steps: Int64s
    equity: Floats
    drawdown: Floats
    final_return: Floats
    max_drawdown: Floats
    real_equity: Floats
    real_return: float
    real_drawdown: float
    loss: float
    ruin: float
    worse_drawdown: float


def shuffle_trades(profits: ArrayLike, *, initial: float, seed: Seed, paths: int = 1_000, replace: bool = False) -> Fan:
    """Return the bands of the same trades in other orders, or, with `replace`, drawn anew from them.

    Parameters
    ----------
    profits
        Shape (n,), n ≥ 2: net profit of each closed trade in the order of exit, in the unit of `initial`. Trades are
        added up, so sizes are taken to be what they were whatever the equity.
    initial
        Capital at the start, above zero.
    seed
        A number, or a generator, which moves on.
    paths
        Orders that are tried, 100 to 50,000.
    replace
        A plain shuffle ends where the real history ended, and shows how much of the drawdown was luck of the order.
        With replacement some trades come twice and others never, so that the end varies as well.

    Raises
    ------
    DataError
        Too few trades, or a profit is NaN or infinite.
    UsageError
        `initial` or `paths` out of range.
    """
    gains = series(profits, "profits") / _capital(initial)
    _enough(paths)
    rng = generator(seed)

    def drawn() -> Iterator[Floats]:
        for size in batches(paths, 2 * len(gains)):
            if replace:
                rows = gains[rng.integers(0, len(gains), (size, len(gains)))]
            else:
                rows = rng.permuted(np.broadcast_to(gains, (size, len(gains))), axis=1)
            yield 1.0 + np.cumsum(rows, axis=1)

    return _fan(drawn(), 1.0 + np.cumsum(gains))


def resample_returns(returns: ArrayLike, *, seed: Seed, paths: int = 1_000, block: float = 0.0) -> Fan:
    """Return the bands of histories made of random blocks of the real returns (stationary bootstrap).

    Parameters
    ----------
    returns
        Shape (T,), T ≥ 2: returns of equal periods, oldest first, fractions. They compound; one of −1 or less is
        ruin, after which equity stays at zero.
    seed
        A number, or a generator, which moves on.
    paths
        Histories, 100 to 50,000.
    block
        Mean length of a block in periods; 0 takes `block_length` of the returns. Within a block runs of good and bad
        days stay together; over longer times days are taken to be independent.

    Raises
    ------
    DataError
        Too few returns, or one is NaN or infinite.
    UsageError
        `paths` or `block` out of range.
    """
    values = series(returns, "returns")
    _enough(paths)
    block = block or block_length(values)
    rng = generator(seed)

    def drawn() -> Iterator[Floats]:
        for size in batches(paths, 6 * len(values)):
            yield _compounded(values[stationary_rows(rng, size, len(values), block=block)])

    return _fan(drawn(), _compounded(values[None, :])[0])


def fan_of(curves: Iterable[ArrayLike], *, real: ArrayLike, initial: float) -> Fan:
    """Return the bands of equity curves that were computed elsewhere, as a strategy's on resampled candles.

    Parameters
    ----------
    curves
        Any number of shape (T,), taken one at a time: equity after each step, in the unit of `initial`.
    real
        Shape (T,): the curve that happened, likewise.
    initial
        Capital before the first step, above zero.

    Raises
    ------
    DataError
        A curve has another length or a value that is NaN or infinite, or there is none.
    """
    capital = _capital(initial)
    own = series(real, "real curve") / capital

    def drawn() -> Iterator[Floats]:
        for number, curve in enumerate(curves):
            one = series(curve, f"curve {number}") / capital
            if len(one) != len(own):
                raise DataError(f"curve {number} has {len(one)} steps, the real one {len(own)}")
            yield one[None, :]

    return _fan(drawn(), own)


def drawdowns(equity: Floats) -> Floats:
    """Return equity ÷ highest so far − 1 of each row of (n, T); the start, 1, counts as a high."""
    return np.asarray(equity / np.maximum(np.maximum.accumulate(equity, axis=1), 1.0) - 1.0, np.float64)


def _capital(initial: float) -> float:
    if not 0 < initial < float("inf"):
        raise UsageError(f"the initial capital must be above zero, got {initial:g}")
    return float(initial)


def _enough(paths: int) -> None:
    at_least("paths", paths, 100)
    if paths > PATHS_MAX:
        raise UsageError(f"paths must be at most {PATHS_MAX:,}, got {paths:,}")


def _compounded(returns: Floats) -> Floats:
    return np.asarray(np.cumprod(np.maximum(1.0 + returns, 0.0), axis=1), np.float64)


def _fan(drawn: Iterator[Floats], real: Floats) -> Fan:
    steps = np.unique(np.linspace(0, len(real), min(len(real), POINTS) + 1).astype(np.int64))
    equity, falls, finals, worst, ruined = [], [], [], [], 0
    for batch in drawn:
        fall = drawdowns(batch)
        equity.append(batch[:, steps[1:] - 1])
        falls.append(fall[:, steps[1:] - 1])
        finals.append(batch[:, -1] - 1.0)
        worst.append(fall.min(axis=1))
        ruined += int(np.sum(batch.min(axis=1) <= 0.0))
    if not equity:
        raise DataError("there is no curve to make bands of")
    final, deepest = np.concatenate(finals), np.concatenate(worst)
    own = float(drawdowns(real[None, :]).min())
    return Fan(
        *(len(final), LEVELS, steps),
        equity=_levels(np.concatenate(equity), 1.0),
        drawdown=_levels(np.concatenate(falls), 0.0),
        final_return=np.quantile(final, LEVELS),
        max_drawdown=np.quantile(deepest, LEVELS),
        real_equity=np.concatenate([[1.0], real[steps[1:] - 1]]),
        real_return=float(real[-1]) - 1.0,
        real_drawdown=own,
        loss=float(np.mean(final < 0.0)),
        ruin=ruined / len(final),
        # A shuffle adds the same numbers in another order, so equal falls differ by rounding.
        worse_drawdown=float(np.mean(deepest <= own + 1e-12)),
    )


def _levels(kept: Floats, start: float) -> Floats:
    """Return quantiles of each column of (paths, K), with the start before them: shape (L, K + 1)."""
    bands = np.quantile(kept, LEVELS, axis=0)
    return np.concatenate([np.full((len(LEVELS), 1), start), bands], axis=1)
