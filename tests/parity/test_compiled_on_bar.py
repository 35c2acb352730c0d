"""A compiled `on_bar` and the same one in the event engine give the same, and what cannot be the same is not run."""

import itertools
import math
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.contract_data import contract_bars
from benchmarks.workloads import EXPECTED, Bracket, Cross, columns_of
from benchmarks.workloads import outcome as contract_outcome
from benchmarks.workloads import spec as contract_spec
from manjha.app.strategies import StrategyFiles
from manjha.domain.errors import DataError, UsageError
from manjha.domain.orders import Product, Side
from manjha.domain.sizing import NANO, CapitalFraction, TargetUnit
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.conformance import synthetic_spec
from manjha.research.fast import fast_backtest
from manjha.research.kernel.convert import divergence, result_of
from manjha.research.kernel.refusal import acts_on_bar, kernel_refusal
from manjha.research.kernel.run import KernelMarket, KernelRefused, run_kernel
from manjha.research.kernel.steps import KernelSteps
from manjha.research.result import BacktestResult
from manjha.strategy.context import Context
from manjha.strategy.indicators import sma
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param
from tests.fakes.hand_made import flat, minutes, share_named, spec_of
from tests.fakes.market_rules import shipped_rules
from tests.fakes.random_runs import random_bars, random_terms
from tests.fakes.random_sources import made_of, random_source
from tests.integration.test_library_real import SHARES, SHORTER, read

LIBRARY = {found.name: found for found in StrategyFiles(Path("nowhere")).all()}
ACTS = sorted(name for name, found in LIBRARY.items() if acts_on_bar(found()))
PLAIN = (bool, int, float, str)


def compiled(spec: BacktestSpec) -> BacktestResult:
    market = KernelMarket(spec)
    return result_of(spec, market, run_kernel(spec, market))


def attributes(strategy: Strategy) -> str:
    """Return what a strategy remembers, in words in which NaN equals NaN and 1 is 1.0."""
    held = {name: value for name, value in vars(strategy).items() if type(value) in PLAIN}
    return repr({name: float(v) if type(v) in (int, float) else v for name, v in sorted(held.items())})


def told(run: Any, spec: BacktestSpec) -> BacktestResult | Exception:
    try:
        found: BacktestResult = run(spec)
    except (ArithmeticError, ValueError, UsageError, DataError) as error:
        return error
    return found


def parted(one: BacktestSpec, two: BacktestSpec) -> str:
    """Say where the engine's run of one spec and the kernel's of an equal one part; a stop is no result, so none is."""
    engine, kernel = told(run_backtest, one), told(compiled, two)
    if isinstance(kernel, Exception):
        if isinstance(engine, Exception) or "beyond" in str(kernel):
            return ""
        return f"the kernel says: {kernel}"
    if isinstance(engine, Exception):
        return f"the engine says: {engine!r}"
    if attributes(one.strategy) != attributes(two.strategy):
        return f"{attributes(one.strategy)}\n{attributes(two.strategy)}"
    return divergence(engine, kernel)


# ---- written by chance


def check_written_by_chance(seed: int, folder: Path) -> None:
    rng = np.random.default_rng(seed)
    found = made_of(random_source(rng), folder, f"chance_{seed}")
    for _ in range(3):
        bars, terms = random_bars(rng), random_terms(rng)
        one, two = spec_of(found(), *bars, **terms), spec_of(found(), *bars, **terms)
        assert kernel_refusal(two) == ""
        assert parted(one, two) == ""


@settings(max_examples=8, deadline=None)
@example(seed=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_strategies_written_by_chance_agree(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    check_written_by_chance(seed, tmp_path_factory.mktemp("chance"))


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_many_strategies_written_by_chance_agree(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    check_written_by_chance(seed, tmp_path_factory.mktemp("chance"))


# ---- the library and the contract


@pytest.mark.parametrize("name", ACTS)
def test_library_strategies_agree_on_the_synthetic_market(name: str) -> None:
    for product in (Product.CNC, Product.MIS):
        specs = []
        for _ in range(2):
            spec = synthetic_spec(LIBRARY[name], shipped_rules(), **SHORTER.get(name, {}))
            shares = tuple(msgspec.structs.replace(one, has_derivatives=False) for one in spec.instruments)
            vars(spec.strategy)["product"] = product
            specs.append(msgspec.structs.replace(spec, instruments=shares))
        assert kernel_refusal(specs[1]) == ""
        assert parted(*specs) == ""


@pytest.mark.parametrize("name", ACTS)
def test_library_strategies_agree_on_real_minutes(name: str, shared: Path) -> None:
    path = shared / "data/minute/stocks_2016/equities_1m_2016-08-16_2016-09-09.parquet"
    found, bars = LIBRARY[name], read(path, SHARES[0], 900)
    sizing = CapitalFraction(NANO * 95 // 100)
    one, two = (spec_of(found(**SHORTER.get(name, {})), bars, sizing=sizing) for _ in range(2))
    assert parted(one, two) == ""


@pytest.mark.parametrize("name", ["W1", "W2"])
@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_the_benchmark_contract_is_reproduced(name: str, count: int) -> None:
    ts, data = contract_bars()
    columns = columns_of("BENCH", ts[:count], tuple(column[:count] for column in data))
    found = Cross if name == "W1" else Bracket
    spec = contract_spec(found(), columns)
    result = compiled(spec)
    assert contract_outcome(name, result) == EXPECTED[name, count]
    if count == 20_000:
        assert divergence(run_backtest(contract_spec(found(), columns)), result) == ""


# ---- numbers


class Edges(Strategy):
    """Computes one thing with two integers and two floats."""

    op: int = param(0)

    def init(self, ctx: Context) -> None:
        self.a, self.b, self.x, self.y = self.given
        self.n, self.f, self.yes = 0, 0.0, False

    given: ClassVar[tuple[int, int, float, float]] = (0, 0, 0.0, 0.0)

    def on_bar(self, ctx: Context) -> None:
        if self.op < 7:
            self.first(self.op, self.a, self.b)
        elif self.op < 14:
            self.second(self.op - 7, self.x, self.y)
        else:
            self.third(self.op - 14, self.a, self.b)

    def first(self, op: int, a: int, b: int) -> None:
        x, y = self.x, self.y
        if op == 0:
            self.n = a + b
        elif op == 1:
            self.n = a - b
        elif op == 2:
            self.n = a * b
        elif op == 3:
            self.n = a // b
        elif op == 4:
            self.n = a % b
        elif op == 5:
            self.f = a / b
        else:
            self.f = x // y

    def second(self, op: int, x: float, y: float) -> None:
        a, b = self.a, self.b
        if op == 0:
            self.f = x % y
        elif op == 1:
            self.f = x / y
        elif op == 2:
            self.n = round(x)
        elif op == 3:
            self.n = int(x)
        elif op == 4:
            self.n = math.floor(x) + math.ceil(y)
        elif op == 5:
            self.f = a * x + b
        else:
            self.yes = a < x

    def third(self, op: int, a: int, b: int) -> None:
        x, y = self.x, self.y
        if op == 0:
            self.yes = a == x or x != b
        elif op == 1:
            self.f = min(x, y) - max(y, x)
        elif op == 2:
            self.n = -a + abs(b)
        elif op == 3:
            self.f = math.sqrt(x)
        elif op == 4:
            self.yes = a <= b < x <= y
        elif op == 5:
            self.n = (a & b) - (a | b) + (a ^ 5) + ~b
        else:
            self.f = max(a, x) * b


OPS = 21
EDGES = [0, 1, -1, 2, -3, 7, 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63), 10**18]
FLOATS = [
    0.0,
    -0.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    0.1,
    1e16,
    2.0**53,
    9.3e18,
    -1e300,
    math.inf,
    -math.inf,
    math.nan,
    5e-324,
]
ints = st.sampled_from(EDGES) | st.integers(-(2**63), 2**63 - 1) | st.integers(-100, 100)
floats = st.sampled_from(FLOATS) | st.floats() | st.floats(-100, 100)


def edges(op: int, given: tuple[int, int, float, float]) -> BacktestSpec:
    strategy = Edges(op=op)
    vars(strategy)["given"] = given
    return spec_of(strategy, minutes(share_named(), [flat(100.0)]))


def check_edge(op: int, given: tuple[int, int, float, float]) -> None:
    one, two = edges(op, given), edges(op, given)
    engine, kernel = told(run_backtest, one), told(compiled, two)
    if isinstance(kernel, Exception):
        is_large = max(abs(number) for number in given if not math.isnan(number)) > 2**53 or op in (2, 20)
        assert isinstance(engine, Exception) or is_large
    else:
        assert not isinstance(engine, Exception)
        assert attributes(one.strategy) == attributes(two.strategy)


@settings(max_examples=300, deadline=None)
@given(op=st.integers(0, OPS - 1), a=ints, b=ints, x=floats, y=floats)
def test_numbers_are_those_of_python(op: int, a: int, b: int, x: float, y: float) -> None:
    check_edge(op, (a, b, x, y))


@pytest.mark.slow
def test_numbers_are_those_of_python_at_every_edge() -> None:
    for op, (a, b), (x, y) in itertools.product(
        range(OPS), itertools.product(EDGES, EDGES[:8]), itertools.product(FLOATS, FLOATS[:6])
    ):
        check_edge(op, (a, b, x, y))


# ---- where a run stops


class Wrong(Strategy):
    """Does something at its third bar that Python refuses, or does with larger integers."""

    how: str = param("none", choices=("none", "large", "zero", "nan", "ahead", "part", "price", "target", "root"))

    def init(self, ctx: Context) -> None:
        self.big, self.none, self.ago = 2**62, 0.0, -1

    def on_bar(self, ctx: Context) -> None:
        if ctx.position_index != 2:
            return
        if self.how == "large":
            self.big = self.big * 4 - self.big * 3
        elif self.how == "zero":
            self.none = 1 / self.none
        elif self.how == "nan":
            self.ago = int(self.none * math.inf)
        elif self.how == "ahead":
            self.none = ctx.close[self.ago + 1]
        elif self.how == "part":
            ctx.buy(2.5)  # type: ignore[arg-type]
        elif self.how == "price":
            ctx.buy(1, limit=self.none)
        elif self.how == "target":
            ctx.target(30.0, TargetUnit.WEIGHT)
        elif self.how == "root":
            self.none = math.sqrt(-1.0)
        else:
            ctx.buy(1)


STOPS = {
    "large": "a number beyond 64 bits",
    "zero": "a division by zero",
    "nan": "a number that is not finite",
    "ahead": "a line read at a bar that has not closed",
    "part": "a quantity that is no whole number",
    "price": "a price that is not above zero",
    "target": "a target beyond what a position can be",
    "root": "the root of a negative one",
}


def wrong(how: str) -> BacktestSpec:
    return spec_of(Wrong(how=how), minutes(share_named(), [flat(100.0)] * 5))


@pytest.mark.parametrize("how", STOPS)
def test_a_run_stops_where_python_does_otherwise_and_says_the_line(how: str) -> None:
    with pytest.raises(KernelRefused, match=r"wrong came at line \d+ to .*" + STOPS[how]):
        run_kernel(wrong(how))


def test_what_stops_is_done_by_the_event_engine() -> None:
    for how in ("large", "target"):
        assert fast_backtest(wrong(how)).state_digest == run_backtest(wrong(how)).state_digest != ""
    for how in ("zero", "ahead", "part", "price"):
        with pytest.raises((ZeroDivisionError, UsageError)):
            fast_backtest(wrong(how))
    assert fast_backtest(wrong("none")).state_digest == ""


# ---- around it


class Sided(Strategy):
    """Remembers a side, a word and an instrument."""

    instruments_max: ClassVar[int] = 0

    def init(self, ctx: Context) -> None:
        self.side, self.word, self.best, self.bars = Side.BUY, "begun", ctx.market, 0
        self.average = ctx.indicator(sma, length=2)

    def on_bar(self, ctx: Context) -> None:
        self.bars += 1
        self.side = Side.SELL if self.bars > 2 else Side.BUY
        self.word = "late" if self.bars > 2 else "early"
        for market in ctx.markets.values():
            if market.close[-1] > self.best.close[-1]:
                self.best = market
        if self.bars == 1:
            ctx.order(self.best, self.side, 3, tag=self.word)


def test_the_strategy_holds_afterwards_what_it_would_hold() -> None:
    bars = [minutes(share_named(name), [flat(px)] * 6) for name, px in (("ALPHA", 50.0), ("BETA", 70.0))]
    specs = [spec_of(Sided(), *bars) for _ in range(2)]
    result, engine = compiled(specs[0]), run_backtest(specs[1])
    held = specs[0].strategy
    assert isinstance(held, Sided)
    assert (held.side, held.word, held.bars) == (Side.SELL, "late", 5)
    assert type(held.side) is Side
    assert held.best.instrument.symbol == "BETA"
    assert [(record.order.instrument, record.order.tag) for record in result.orders] == [(bars[1].instrument, "early")]
    assert divergence(engine, result) == ""


def test_one_market_serves_many_runs_of_a_strategy() -> None:
    rng = np.random.default_rng(11)
    bars, terms = random_bars(rng), random_terms(rng)
    found = LIBRARY["bollinger-breakout"]
    market = None
    for length in (5, 9, 20):
        spec = spec_of(found(length=length), *bars[:1], **terms)
        market = market or KernelMarket(spec)
        engine = run_backtest(spec_of(found(length=length), *bars[:1], **terms))
        assert divergence(engine, result_of(spec, market, run_kernel(spec, market))) == ""


def test_history_that_is_too_short_is_said_as_the_event_engine_says_it() -> None:
    spec = spec_of(LIBRARY["bollinger-breakout"](), minutes(share_named(), [flat(100.0)] * 5))
    with pytest.raises(DataError, match="not enough history"):
        run_kernel(spec)
    with pytest.raises(DataError, match="not enough history"):
        fast_backtest(spec)


def test_steps_take_no_strategy_that_decides_itself() -> None:
    with pytest.raises(KernelRefused, match="decided from outside"):
        KernelSteps(wrong("none"))
