"""Find the next bar at which a resting order could trade. Compiled, so that quiet bars cost nothing."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

NEVER_BELOW = -(2**62)
NEVER_ABOVE = 2**62


@njit(cache=True)
def first_touch(
    low: NDArray[np.int64], high: NDArray[np.int64], first: int, last: int, below: int, above: int
) -> int:  # pragma: no cover - compiled
    """Return the first row in [first, last) with low <= below or high >= above; `last` when there is none."""
    for row in range(first, last):
        if low[row] <= below or high[row] >= above:
            return row
    return last
