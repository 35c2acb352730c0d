"""How kernels are compiled: cached on disk, IEEE arithmetic in the order written, no parallel reduction."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
State = tuple[Floats, Ints]


def njit(function: Function) -> Function:
    """Compile on first call. Division by zero gives infinity or NaN, as in numpy: no exception paths to pay for."""
    return cast("Function", numba.njit(cache=True, error_model="numpy", nogil=True)(function))


def njit_inner(function: Function) -> Function:
    """Compile a function that loops call: laid out inside them, it does not count references to its arrays (30 ns)."""
    return cast("Function", numba.njit(cache=True, error_model="numpy", nogil=True, forceinline=True)(function))
