"""Orders that trade in one piece leave what they leave on the long way, and what the event engine gives."""

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manjha.domain.money import RUPEE, Cash, Qty
from manjha.domain.orders import Product
from manjha.domain.sizing import NANO, CapitalFraction, FixedQty
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.kernel import run as kernel_run
from manjha.research.kernel.convert import divergence, result_of
from manjha.research.kernel.outcome import KernelOutcome
from manjha.research.kernel.records import BRIEF, FILLED, ORDER_HEAD
from manjha.research.kernel.run import KernelMarket, run_kernel
from manjha.risk.limits import RiskLimits
from manjha.simulator.fills import FillRules, MarketFill
from tests.fakes.hand_made import spec_of
from tests.fakes.random_runs import pick, random_bars, random_targets

HEAD = ORDER_HEAD.split()
LOGS = ("orders", "fills", "steps", "notes", "refusals", "changes", "positions")


def plain_run(seed: int) -> BacktestSpec:
    """Return a run of delivery shares at the deciding close; too little money, lots and a freeze quantity at times."""
    rng = np.random.default_rng(seed)
    bars = random_bars(rng)
    moments = len(np.unique(np.concatenate([np.asarray(columns.ts_close_ns) for columns in bars])))
    strategy = random_targets(rng, (moments, len(bars)), pick(rng, [0.05, 0.2, 0.6]), Product.CNC)
    spec = spec_of(
        strategy,
        *bars,
        initial=Cash(pick(rng, [2_000, 40_000, 1_000_000]) * RUPEE),
        sizing=pick(rng, [FixedQty(Qty(10)), CapitalFraction(NANO)]),
        fills=FillRules(market=MarketFill.DECIDING_CLOSE, participation_ppm=0),
        limits=pick(rng, [RiskLimits(), RiskLimits(), RiskLimits(open_orders_max=0)]),
        latency_ns=pick(rng, [0, 5]),
        contract_notes=bool(rng.random() < 0.7),
    )
    lot, freeze = pick(rng, [1, 1, 1, 5]), pick(rng, [0, 0, 0, 7])
    instruments = tuple(msgspec.structs.replace(one, lot=lot, freeze=Qty(freeze)) for one in spec.instruments)
    return msgspec.structs.replace(spec, instruments=instruments)


def state(outcome: KernelOutcome) -> list[object]:
    return [int(outcome.cash), outcome.final, *(getattr(outcome, name).tolist() for name in LOGS)]


@settings(max_examples=40, deadline=None)
@example(seed=0)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_trades_in_one_piece_leaves_what_the_long_way_leaves(seed: int) -> None:
    spec = plain_run(seed)
    market = KernelMarket(spec)
    short = run_kernel(spec, market)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_run, "_is_plain", lambda _account: False)
        long = run_kernel(spec, market)
    assert short.account["plain"] > long.account["plain"]
    assert state(short) == state(long)
    assert short.equity.tolist() == long.equity.tolist()
    assert divergence(run_backtest(spec), result_of(spec, market, short)) == ""


def test_orders_are_brief_until_somebody_asks_for_them() -> None:
    specs = (spec for spec in map(plain_run, range(200)) if len(spec.bars) == 1)
    spec = next(spec for spec in specs if (run_kernel(spec).order_heads["phase"] == BRIEF).sum() > 9)
    market = KernelMarket(spec)
    before = run_kernel(spec, market)
    heads = before.order_heads.copy()
    # What a brief order leaves out is whatever lay there.
    for name in before.order_heads.dtype.names or ():
        if name not in HEAD:
            before.order_heads[name][heads["phase"] == BRIEF] = 77
    assert (heads["phase"] == BRIEF).sum() > 9
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_run, "_is_plain", lambda _account: False)
        long = run_kernel(spec, market)
    assert before.orders.tolist() == long.orders.tolist()
    assert before.orders["phase"][heads["phase"] == BRIEF].tolist() == [FILLED] * (heads["phase"] == BRIEF).sum()
    assert [heads[name].tolist() for name in HEAD if name != "phase"] == [
        long.orders[name].tolist() for name in HEAD if name != "phase"
    ]
