"""A run that writes over the memory of another is as if alone, whatever lies in rows that are free."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manjha.research.kernel.run import KernelMarket, KernelRefused, run_kernel
from manjha.research.kernel.tables import LOGS, PLANS
from tests.fakes.random_runs import random_contracts, random_run

TOLD = ("fills", "orders", "steps", "notes", "refusals", "changes", "positions", "equity")


@pytest.mark.parametrize("make", [random_run, random_contracts])
@settings(max_examples=40, deadline=None)
@example(seed=0, junk=77)
@given(seed=st.integers(0, 2**32 - 1), junk=st.sampled_from([77, -1, 2**62]))
def test_what_lies_in_free_rows_does_not_matter(make: object, seed: int, junk: int) -> None:
    spec = make(seed)  # type: ignore[operator]
    market = KernelMarket(spec)
    try:
        alone = run_kernel(spec, market)
        before = run_kernel(spec, market)
    except KernelRefused:
        return
    for name in (*LOGS, *PLANS):
        before._tables.arrays[name].view(np.int64)[:] = junk
    again = run_kernel(spec, market, over=before)
    for name in TOLD:
        assert getattr(again, name).tolist() == getattr(alone, name).tolist(), name
