"""What lies in the memory of a run's logs before it makes no difference to the run."""

from typing import Any

import numpy as np
import pytest

from manjha.research.backtest import run_backtest
from manjha.research.kernel import records as s
from manjha.research.kernel import tables
from manjha.research.kernel.convert import divergence, result_of
from manjha.research.kernel.run import KernelMarket, run_kernel
from tests.fakes.random_runs import random_contracts, random_run


def littered(rows: int, kind: np.dtype[Any]) -> s.Records:
    """Return rows of which every number is large and odd."""
    return np.full(rows * kind.itemsize, 0x5B, np.uint8).view(kind)


@pytest.mark.parametrize("seed", range(24))
def test_logs_need_not_be_cleared(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = random_run(seed) if seed % 2 else random_contracts(seed)
    monkeypatch.setattr(tables, "new_log", littered)
    market = KernelMarket(spec)
    made = result_of(spec, market, run_kernel(spec, market))
    assert divergence(run_backtest(spec), made) == ""
