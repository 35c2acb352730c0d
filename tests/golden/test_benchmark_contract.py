"""The benchmark contract, on which five independent engines agree, comes out to the last unit."""

from functools import lru_cache

import pytest

from benchmarks.contract_data import Bars, Ints, contract_bars
from benchmarks.workloads import EXPECTED, Bracket, Cross, columns_of, outcome, spec
from manjha.research.backtest import run_backtest


@lru_cache(maxsize=1)
def million() -> tuple[Ints, Bars]:
    return contract_bars()


@pytest.mark.parametrize(
    ("name", "count"),
    [pytest.param(*key, marks=pytest.mark.slow) if key[1] == 1_000_000 else key for key in EXPECTED],
)
def test_the_contract_is_reproduced_exactly(name: str, count: int) -> None:
    ts, (opened, high, low, close, volume) = million()
    data = (opened[:count], high[:count], low[:count], close[:count], volume[:count])
    strategy = Cross() if name == "W1" else Bracket()
    assert outcome(name, run_backtest(spec(strategy, columns_of("BENCH", ts[:count], data)))) == EXPECTED[name, count]
