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
    """Compile a function that makes no array and is called in loops: inlined, without counting references (30 ns)."""
    # `_nrt` is no documented option. Without it references are counted, in vain, wherever the function has a loop.
    options: dict[str, Any] = {"forceinline": True, "_nrt": False}
    return cast("Function", numba.njit(cache=True, error_model="numpy", nogil=True, **options)(function))
