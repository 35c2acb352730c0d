"""How numba begins: without the linear algebra of SciPy, which takes longer to import than all the rest.

The first compiled function of a process, also one out of the cache, makes numba import everything that it can compile.
One of these modules asks then whether there is a BLAS, by importing `scipy.linalg`, and keeps the answer; whatever
calls a BLAS function asks again when it is compiled. Nothing of ours does. So the first question is answered with
"yes" unasked, SciPy being one of our dependencies, and every later one by numba itself.
"""

import sys
from functools import cache
from importlib import import_module


@cache
def defer_blas() -> None:
    """Spare the first compiled function of this process the import of `scipy.linalg`; to be called before it."""
    if "numba.np.arraymath" in sys.modules:
        return
    linalg = import_module("numba.np.linalg")
    ask = getattr(linalg, "ensure_blas", None)
    if ask is None:
        return

    def first() -> None:
        vars(linalg)["ensure_blas"] = ask

    vars(linalg)["ensure_blas"] = first
