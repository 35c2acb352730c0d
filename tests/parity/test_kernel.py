"""The compiled backtest and the event engine give the same: fill by fill, and to the last 1e-4 rupee."""

from pathlib import Path
from types import FunctionType

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.contract_data import contract_bars
from benchmarks.workloads import EXPECTED, BracketColumns, CrossColumns, columns_of
from benchmarks.workloads import spec as contract_spec
from manjha.app.strategies import StrategyFiles
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import Asset, Exchange
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash, Px, format_cash
from manjha.domain.orders import Fill, Product
from manjha.domain.sizing import NANO, CapitalFraction, TargetUnit
from manjha.market import charges
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.conformance import synthetic_spec
from manjha.research.fast import fast_backtest
from manjha.research.kernel import cache
from manjha.research.kernel import records as s
from manjha.research.kernel.convert import divergence, result_of
from manjha.research.kernel.refusal import REASONS, kernel_refusal
from manjha.research.kernel.run import KernelMarket, KernelRefused, run_kernel
from manjha.research.kernel.steps import KernelSteps
from manjha.research.result import BacktestResult
from manjha.research.targets import SAYS_NOTHING
from manjha.research.walk_forward import cut_before, days_of, part_of
from manjha.strategy.context import Context
from manjha.strategy.interface import Entries, Strategy, is_entry_strategy, is_target_strategy
from tests.fakes.hand_made import flat, minutes, share_named, spec_of
from tests.fakes.market_rules import future, option, shipped_rules
from tests.fakes.random_runs import Stated, StatedEntries, pick, random_bars, random_run, random_terms
from tests.integration.test_library_real import SHARES, SHORTER, read

LIBRARY = {found.name: found for found in StrategyFiles(Path("nowhere")).all()}
STATES = sorted(name for name, found in LIBRARY.items() if is_target_strategy(found()) or is_entry_strategy(found()))


def compiled(spec: BacktestSpec) -> BacktestResult:
    market = KernelMarket(spec)
    return result_of(spec, market, run_kernel(spec, market))


def parted(spec: BacktestSpec) -> str:
    try:
        made = compiled(spec)
    except KernelRefused as refused:
        assert "more than 64 open orders" in refused.message  # noqa: PT017 - the one thing that a random run may meet
        return ""
    return divergence(run_backtest(spec), made)


@settings(max_examples=60, deadline=None)
@example(seed=0)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_strategies_on_random_markets_agree(seed: int) -> None:
    assert parted(random_run(seed)) == ""


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_many_random_runs_agree(seed: int) -> None:
    assert parted(random_run(seed)) == ""


def test_the_outcome_says_the_same_without_being_made_into_a_result() -> None:
    for seed in range(12):
        spec = random_run(seed)
        outcome, result = run_kernel(spec), run_backtest(spec)
        assert outcome.equity.tolist() == result.curve.equity.tolist()
        assert (outcome.final, outcome.charges, outcome.count) == (result.final, result.charges, len(result.fills))
        days, worth = outcome.daily()
        assert worth[-1] == result.final
        assert len(days) == len(set(days.tolist()))


@pytest.mark.parametrize("name", STATES)
def test_library_strategies_agree_on_the_synthetic_market(name: str) -> None:
    for product in (Product.CNC, Product.MIS):
        spec = synthetic_spec(LIBRARY[name], shipped_rules(), **SHORTER.get(name, {}))
        shares = tuple(msgspec.structs.replace(one, has_derivatives=False) for one in spec.instruments)
        vars(spec.strategy)["product"] = product
        spec = msgspec.structs.replace(spec, instruments=shares)
        assert kernel_refusal(spec) == ""
        assert parted(spec) == ""


@pytest.mark.parametrize("name", STATES)
def test_library_strategies_agree_on_real_minutes(name: str, shared: Path) -> None:
    path = shared / "data/minute/stocks_2016/equities_1m_2016-08-16_2016-09-09.parquet"
    found = LIBRARY[name]
    many = max(found.instruments_min, min(found.instruments_max or 3, 3))
    bars = [read(path, symbol, 900) for symbol in SHARES[:many]]
    spec = spec_of(found(**SHORTER.get(name, {})), *bars, sizing=CapitalFraction(NANO * 95 // 100))
    assert parted(spec) == ""


@pytest.mark.parametrize("ahead", [0, 1, -1])
def test_nothing_is_decided_before_the_moment_from_which_is_traded(ahead: int) -> None:
    bars = minutes(share_named(), [flat(100.0 + at % 7) for at in range(60)])
    wanted = np.tile([10.0, 0.0], 30)
    spec = spec_of(Stated(wanted, TargetUnit.QTY, Product.CNC), bars)
    held = msgspec.structs.replace(spec, trade_from_ns=TsNs(bars.ts_open_ns[40] + ahead))
    assert parted(held) == ""
    first = 40 if ahead <= 0 else 41
    assert run_kernel(held).fills["ts_ns"][0] == bars.ts_open_ns[first + 1 + first % 2]
    with pytest.raises(DataError, match="not enough history"):
        run_kernel(msgspec.structs.replace(spec, trade_from_ns=TsNs(bars.ts_close_ns[59])))


def test_the_test_of_a_walk_agrees() -> None:
    spec = synthetic_spec(LIBRARY["sma-cross"], shipped_rules(), fast=3, slow=8)
    shares = tuple(msgspec.structs.replace(one, has_derivatives=False) for one in spec.instruments)
    days = days_of(spec).tolist()
    middle = days[len(days) // 2]
    part = part_of(msgspec.structs.replace(spec, instruments=shares), days[0], days[-1], trade_from=middle)
    whole, kernel = run_backtest(part), compiled(part)
    assert divergence(whole, kernel) == ""
    assert cut_before(kernel, middle).curve.equity.tolist() == cut_before(whole, middle).curve.equity.tolist()
    assert 0 < len(kernel.fills) < len(compiled(msgspec.structs.replace(part, trade_from_ns=TsNs(0))).fills)


def test_entries_that_say_nothing_trade_nothing() -> None:
    strategy = StatedEntries(lambda history: Entries(side=np.zeros(history.column("close").shape)), Product.CNC)
    spec = spec_of(strategy, minutes(share_named(), [flat(100.0)] * 5))
    assert parted(spec) == ""
    assert run_kernel(spec).count == 0


# ---- the contract that five engines agree on


@pytest.mark.parametrize("name", ["W1", "W2"])
@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_the_benchmark_contract_is_reproduced(name: str, count: int) -> None:
    ts, data = contract_bars()
    columns = columns_of("BENCH", ts[:count], tuple(column[:count] for column in data))
    outcome = run_kernel(contract_spec(CrossColumns() if name == "W1" else BracketColumns(), columns))
    told: tuple[object, ...] = (format_cash(outcome.final), outcome.count)
    if name == "W2":
        kinds = outcome.orders["purpose"][outcome.fills["order"]]
        told = (told[0], *(int((kinds == kind).sum()) for kind in (s.SIGNAL, s.STOP, s.TARGET)))
    assert told == EXPECTED[name, count]


# ---- what differs is found


def test_a_divergence_names_the_first_fill_and_both_sides() -> None:
    result = run_backtest(random_run(3))
    worse = msgspec.structs.replace(result.fills[1], px=Px(result.fills[1].px + 500))
    other = msgspec.structs.replace(result, fills=(result.fills[0], worse, *result.fills[2:]))
    said = divergence(result, other)
    assert said.startswith("fill 1: engine")
    assert str(worse.px) in said
    assert divergence(result, result) == ""


def test_a_divergence_of_the_curve_names_the_bar() -> None:
    result = run_backtest(random_run(3))
    equity = result.curve.equity.copy()
    equity[7] += 1
    other = msgspec.structs.replace(result, curve=msgspec.structs.replace(result.curve, equity=equity))
    assert divergence(result, other).startswith("equity at bar 7 (")


def test_other_terms_give_another_result() -> None:
    spec = next(spec for spec in map(random_run, range(50)) if spec.contract_notes and run_kernel(spec).count > 5)
    assert divergence(run_backtest(spec), compiled(msgspec.structs.replace(spec, contract_notes=False))) != ""
    assert divergence(run_backtest(spec), compiled(msgspec.structs.replace(spec, latency_ns=10**13))) != ""


# ---- what the kernel does not do


class Answers(Strategy):
    """Acts on its own fills."""

    def on_bar(self, ctx: Context) -> None:
        ctx.buy()

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        ctx.cancel()


def refused(**changes: object) -> str:
    spec = spec_of(Stated(np.ones(4), TargetUnit.QTY, Product.CNC), minutes(share_named(), [flat(100.0)] * 4))
    return kernel_refusal(msgspec.structs.replace(spec, **changes))


def test_refusals_are_said_by_name() -> None:
    share = share_named()
    assert refused() == ""
    assert refused(bands={share.id: 2 * NANO}) == "prices, volumes or amounts too large for 64 bits"
    on_gold = future("GOLD", exchange=Exchange.MCX, asset=Asset.COMMODITY)
    for contract in (option(), on_gold):
        assert refused(instruments=(contract,)) == "an option, or a future on a currency or commodity"
    assert refused(strategy=Stated(np.ones(4), TargetUnit.QTY, Product.MTF)) == "the product is MTF"
    assert refused(strategy=Answers()) == "on_bar cannot be compiled: on_fill is outside what can be compiled"
    assert refused(initial=Cash(10**18)) == "prices, volumes or amounts too large for 64 bits"


def test_an_amount_that_leaves_64_bits_is_refused_in_the_run_and_done_by_the_event_engine() -> None:
    rows = [flat(90_000_000.0, up=0.0)] * 6
    wanted = np.full(6, 10**8, float)
    spec = spec_of(Stated(wanted, TargetUnit.QTY, Product.CNC), minutes(share_named(), rows, volume=10**9))
    with pytest.raises(KernelRefused, match="64-bit"):
        run_kernel(spec)
    assert fast_backtest(spec).state_digest == run_backtest(spec).state_digest != ""


def test_fast_backtest_takes_the_kernel_where_it_can() -> None:
    spec = random_run(5)
    assert fast_backtest(spec).state_digest == ""
    assert divergence(run_backtest(spec), fast_backtest(spec)) == ""


def test_logs_grow_when_they_are_full() -> None:
    ts, data = contract_bars()
    columns = columns_of("BENCH", ts[:8_000], tuple(column[:8_000] for column in data))
    wanted = np.full(8_000, np.nan)
    wanted[60] = 10**6
    spec = contract_spec(Stated(wanted, TargetUnit.QTY, Product.CNC), columns)
    spec = msgspec.structs.replace(
        spec, fills=msgspec.structs.replace(spec.fills, participation_ppm=20), initial=Cash(10**15)
    )
    assert run_kernel(spec).count > 2 * s.SPARE
    assert parted(spec) == ""


def test_the_page_lists_every_refusal() -> None:
    page = (Path(__file__).parents[2] / "docs" / "kernel.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.startswith("| ")]
    assert rows[2:] == list(REASONS)


# ---- compiled code on disk


def test_the_cache_is_another_where_a_wrapped_rule_is_another() -> None:
    rule = charges.line_amount
    same = FunctionType(rule.__code__, rule.__globals__, rule.__name__)
    constants = tuple(500_000_001 if value == 500_000_000 else value for value in rule.__code__.co_consts)
    other = FunctionType(rule.__code__.replace(co_consts=constants), rule.__globals__, rule.__name__)
    name = f"{rule.__module__}.{rule.__qualname__}"
    assert cache.stamp({name: same}) == cache.stamp()
    assert cache.stamp({name: other}) != cache.stamp()


def test_the_cache_is_another_where_a_constant_of_a_rule_is_another() -> None:
    from manjha.portfolio import settlement

    rule = settlement.held_back
    moved = FunctionType(rule.__code__, rule.__globals__ | {"EARLY_PAYIN_FROM": 1}, rule.__name__)
    assert cache.stamp({f"{rule.__module__}.{rule.__qualname__}": moved}) != cache.stamp()


def test_the_first_run_says_that_it_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    run_kernel(random_run(1))
    run_kernel(random_run(1), on_compile=said.append)
    assert said == []
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    run_kernel(random_run(1), on_compile=said.append)
    assert said == [cache.COMPILES]


def test_steps_give_what_the_same_targets_give() -> None:
    rng = np.random.default_rng(8)
    for _ in range(8):
        bars, terms = random_bars(rng), random_terms(rng)
        count = len(np.unique(np.concatenate([np.asarray(columns.ts_close_ns) for columns in bars])))
        wanted = np.where(rng.random((count, len(bars))) < 0.3, rng.integers(-20, 50, (count, len(bars))), np.nan)
        wanted[-1] = np.nan  # Steps end with the last bar: there is no deciding at its close.
        terms["trade_from_ns"] = pick(rng, [0, int(bars[0].ts_open_ns[9])])
        spec = spec_of(Stated(wanted, TargetUnit.QTY, pick(rng, [Product.CNC, Product.MIS])), *bars, **terms)
        whole, steps = run_kernel(spec), KernelSteps(spec)
        asked = np.where(np.isnan(wanted), SAYS_NOTHING, np.nan_to_num(wanted).astype(np.int64) * NANO)
        while not steps.is_done:
            steps.step(asked[steps.position].tolist(), bars=1)
        assert steps.outcome().fills.tolist() == whole.fills.tolist()
        assert steps.outcome().equity.tolist() == whole.equity.tolist()
        with pytest.raises(UsageError, match="before the end"):
            steps.step([0] * steps.width)
        assert steps.reset() == 0
        assert not steps.is_done


def test_warm_code_is_in_the_cache() -> None:
    cache.warm()
    assert cache.is_compiled(cache.entry_name())


def test_a_market_serves_many_runs() -> None:
    rng = np.random.default_rng(4)
    bars, terms = random_bars(rng), random_terms(rng)
    count = len(np.unique(np.concatenate([np.asarray(columns.ts_close_ns) for columns in bars])))
    specs = [
        spec_of(
            Stated(rng.integers(0, 50, (count, len(bars))).astype(float), TargetUnit.QTY, Product.CNC), *bars, **terms
        )
        for _ in range(3)
    ]
    market = KernelMarket(specs[0])
    for spec in specs:
        assert divergence(run_backtest(spec), result_of(spec, market, run_kernel(spec, market))) == ""
