"""How kernels are compiled: cached on disk, IEEE arithmetic in the order written, no parallel reduction."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from manjha.strategy.numba_start import defer_blas

defer_blas()
Function = TypeVar("Function", bound=Callable[..., Any])
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
State = tuple[Floats, Ints]
Outs = tuple[Floats, ...]


def njit(function: Function) -> Function:
    """Compile a function that makes no arrays, on its first call.

    Division by zero gives infinity or NaN, as in numpy: no exception paths to pay for. Where kernels call it, it is
    inlined. The disk cache goes by the content of a kernel's file: after a change here, delete the cache.
    """
    # `_nrt` is no documented option. Without it, references to arrays are counted at each of those calls (30 ns).
    options: dict[str, Any] = {"forceinline": True, "_nrt": False}
    return cast("Function", numba.njit(cache=True, error_model="numpy", nogil=True, **options)(function))


def _fused_multiply_add(_typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Type and code of `fma`."""

    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(a, b, c), code


fma = cast("Callable[[float, float, float], float]", intrinsic(_fused_multiply_add))
"""In kernels: a × b + c of floats, rounded once. It halves the time of averages, whose steps wait for each other, and
gives the same bits on every machine, because it is asked for rather than left to the compiler."""
