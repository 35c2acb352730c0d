"""Is the strategy better than holding the benchmark, or only different?"""

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from manjha.domain.errors import DataError
from manjha.research.metrics.growth import compound
from manjha.research.metrics.ratios import sharpe
from manjha.research.overfit.inputs import Seed, at_least, batches, generator, series
from manjha.research.overfit.resampling import block_length, stationary_rows
from manjha.research.overfit.superiority import superiority


class Against(msgspec.Struct, frozen=True):
    """A strategy beside a benchmark over the same periods.

    `strategy` and `benchmark` are compounded returns, fractions. `information` is mean ÷ sample deviation of the
    difference of a period; NaN where it does not vary. `beats` is the share of resampled histories, both drawn from
    the same periods, in which the strategy ends higher. `p_value` tests "its mean is no higher" (`superiority` of one
    trial).
    """

    strategy: float
    benchmark: float
    information: float
    beats: float
    p_value: float


def against_benchmark(
    returns: ArrayLike, benchmark: ArrayLike, *, seed: Seed, samples: int = 2_000, block: float = 0.0
) -> Against:
    """Compare returns with those of a benchmark, shapes (T,), T ≥ 3, same periods, oldest first, fractions.

    `samples` at least 100; `block` is the mean block length of the stationary bootstrap, 0 takes `block_length` of
    the difference. Raises `DataError` for lengths that differ or a NaN, `UsageError` for too few samples.
    """
    own, other = series(returns, "returns", least=3), series(benchmark, "benchmark", least=3)
    if len(own) != len(other):
        raise DataError(f"{len(own)} returns cannot be compared with {len(other)} of the benchmark")
    at_least("samples", samples, 100)
    excess = own - other
    block = block or block_length(excess)
    rng = generator(seed)
    # Ruin ends the comparison of a history: its logarithm would be infinite, so it is very small instead.
    gap = np.log(np.maximum(1.0 + own, 1e-300)) - np.log(np.maximum(1.0 + other, 1e-300))
    ahead = 0
    for size in batches(samples, 6 * len(gap)):
        ahead += int(np.sum(gap[stationary_rows(rng, size, len(gap), block=block)].sum(axis=1) > 0.0))
    test = superiority(excess[:, None], seed=rng, samples=samples, block=block)
    return Against(
        compound(np.maximum(own, -1.0)),
        compound(np.maximum(other, -1.0)),
        information=sharpe(excess, 0.0, 1),
        beats=ahead / samples,
        p_value=test.consistent,
    )
