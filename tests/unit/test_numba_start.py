"""The first compiled function does not wait for SciPy's linear algebra, and who needs it has it all the same."""

import subprocess
import sys

import pytest

SMA = """
import sys
import numpy as np
from manjha.strategy.indicators import sma
print(sma(np.arange(9.0), length=3)[-1], "scipy.linalg" in sys.modules)
"""
DOT = """
import numba
@numba.njit
def dot(a, b):
    return np.dot(a, b)
print(dot(np.ones(3), np.full(3, 2.0)), "scipy.linalg" in sys.modules)
"""
AFTER = """
import sys
import numba
@numba.njit
def one():
    return 1
one()
import numba.np.linalg as linalg
ask = linalg.ensure_blas
from manjha.strategy.numba_start import defer_blas
defer_blas()
print(linalg.ensure_blas is ask)
"""


def said(program: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_an_indicator_needs_no_linear_algebra() -> None:
    assert said(SMA) == ["7.0", "False"]


@pytest.mark.slow
def test_who_needs_linear_algebra_has_it() -> None:
    assert said(SMA + DOT) == ["7.0", "False", "6.0", "True"]


def test_where_numba_has_begun_nothing_is_changed() -> None:
    assert said(AFTER) == ["True"]
