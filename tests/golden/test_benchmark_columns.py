"""The workloads that vectorbt is measured on: our compiled side is the event engine's, and the contract's."""

import numpy as np
import pytest

from benchmarks.by_hand import pair_row
from benchmarks.contract_data import Bars, bars, contract_bars, session_ts
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
from manjha.domain.money import RUPEE, format_cash
from manjha.research.backtest import run_backtest
from manjha.research.kernel.convert import divergence, result_of
from manjha.research.kernel.run import KernelMarket, run_kernel, run_stated
from manjha.research.search.compiled import look_up
from manjha.research.search.summary import Asked, evaluate, from_pico, unpack_returns
from manjha.research.search.variants import vary

MINUTES = 9 * 375


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


def test_one_of_the_pairs_is_the_contract() -> None:
    ts, data = contract_bars()
    part: Bars = tuple(column[:20_000] for column in data)
    made = spec(PairColumns(fast=20, slow=50), columns_of("BENCH", ts[:20_000], part))
    market = KernelMarket(made)
    outcome = run_stated(made, market, market.stated(made.strategy))
    assert (format_cash(outcome.final), outcome.count) == EXPECTED["W1", 20_000]


def test_a_run_over_the_memory_of_another_is_as_if_alone() -> None:
    ts, data = contract_bars()
    part: Bars = tuple(column[:6_000] for column in data)
    made = spec(PairColumns(fast=5, slow=30), columns_of("BENCH", ts[:6_000], part))
    market = KernelMarket(made)
    over = run_stated(made, market, market.stated(made.strategy))
    # The first trades most, the second little: what the first wrote and the second did not must be gone.
    for fast, slow in ((29, 225), (8, 40), (5, 30)):
        stated = market.stated(PairColumns(fast=fast, slow=slow))
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


def test_the_row_by_hand_is_the_row_of_a_sweep() -> None:
    ts, data = contract_bars()
    part: Bars = tuple(column[:6_000] for column in data)
    made = spec(PairColumns(), columns_of("BENCH", ts[:6_000], part))
    found = look_up(made)
    fast, slow = averages(part[3], [8]), averages(part[3], [40], EPS)
    returns = np.empty(len(found.ends))
    final, fills, deepest, *moments = pair_row(part[3], fast[8], slow[40], found.ends, returns)
    row = evaluate(vary(made, {"fast": 8, "slow": 40}), Asked(with_returns=True)).outcome
    assert (round(final * RUPEE), fills // 2) == (row.final, row.trades)
    assert unpack_returns(row.returns) == pytest.approx(returns, rel=1e-6, abs=1e-9)
    kept = (row.moments.mean, row.moments.deviation, row.moments.skewness, row.moments.kurtosis)
    assert [from_pico(one) for one in (row.max_drawdown, *kept)] == pytest.approx([deepest, *moments], rel=1e-6)
