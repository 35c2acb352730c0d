"""The workloads that vectorbt is measured on: our compiled side is the event engine's, and the contract's."""

import numpy as np
import pytest

from benchmarks.contract_data import Bars, Floats, bars, contract_bars, session_ts
from benchmarks.workloads import (
    EPS,
    EXPECTED,
    PairColumns,
    Rotation,
    RotationColumns,
    averages,
    columns_of,
    spec,
)
from manjha.domain.bars import BarColumns
from manjha.domain.money import format_cash
from manjha.research.backtest import run_backtest
from manjha.research.kernel.convert import divergence, result_of
from manjha.research.kernel.run import KernelMarket, run_kernel, run_stated

MINUTES = 9 * 375


def pair(close: Floats, fast: int, slow: int) -> PairColumns:
    return PairColumns(averages(close, [fast]), averages(close, [slow], EPS), (fast, slow))


def fifty() -> list[BarColumns]:
    random, ts = np.random.default_rng(3), session_ts(MINUTES, "2023-01-02")
    return [columns_of(f"S{j:02d}", ts, bars(MINUTES, random, p0=200.0 + 60.0 * j)) for j in range(50)]


def test_rotation_as_targets_is_what_the_event_engine_makes_of_it() -> None:
    made = spec(RotationColumns(), *fifty())
    market = KernelMarket(made)
    compiled, stepped = result_of(made, market, run_kernel(made, market)), run_backtest(made)
    assert not divergence(stepped, compiled)
    assert len({fill.instrument for fill in compiled.fills}) > 10
    called_back = run_backtest(spec(Rotation(), *fifty()))
    assert [fill.px for fill in called_back.fills] == [fill.px for fill in compiled.fills]
    assert called_back.final == compiled.final


def test_pairs_share_averages_and_one_of_them_is_the_contract() -> None:
    ts, data = contract_bars()
    part: Bars = tuple(column[:20_000] for column in data)
    made = spec(pair(part[3], 20, 50), columns_of("BENCH", ts[:20_000], part))
    market = KernelMarket(made)
    outcome = run_stated(made, market, market.stated(made.strategy))
    assert (format_cash(outcome.final), outcome.count) == EXPECTED["W1", 20_000]


def test_a_run_over_the_memory_of_another_is_as_if_alone() -> None:
    ts, data = contract_bars()
    part: Bars = tuple(column[:6_000] for column in data)
    made = spec(pair(part[3], 5, 30), columns_of("BENCH", ts[:6_000], part))
    market = KernelMarket(made)
    over = run_stated(made, market, market.stated(made.strategy))
    # The first trades most, the second little: what the first wrote and the second did not must be gone.
    for fast, slow in ((29, 225), (8, 40), (5, 30)):
        stated = market.stated(pair(part[3], fast, slow))
        alone, given_up = run_stated(made, market, stated), over
        # Whatever is left in rows that are free must not matter either.
        for name in ("fills", "orders", "steps", "notes", "refusals"):
            given_up._tables.arrays[name].view(np.int64)[:] = 77
        over = run_stated(made, market, stated, over=given_up)
        assert len(alone.fills) > 4
        for name in ("fills", "orders", "steps", "notes", "refusals", "changes"):
            assert getattr(alone, name).tolist() == getattr(over, name).tolist()
        assert alone.equity.tolist() == over.equity.tolist()
        with pytest.raises(AttributeError):
            len(given_up.fills)
