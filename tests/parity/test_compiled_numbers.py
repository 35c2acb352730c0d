"""The numbers of a compiled `on_bar` are Python's, and where they cannot be, the run stops and says where."""

import itertools
import math
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.errors import UsageError
from manjha.domain.sizing import TargetUnit
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.fast import fast_backtest
from manjha.research.kernel.run import KernelRefused, run_kernel
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param
from tests.fakes.both_ways import attributes, compiled, told
from tests.fakes.hand_made import flat, minutes, share_named, spec_of


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
        # What may be a whole number in Python is a float here; a zero's sign is all that shows it.
        same = (lambda held: held.replace("-0.0,", "0.0,")) if op == 20 else str
        assert same(attributes(one.strategy)) == same(attributes(two.strategy))


@settings(max_examples=300, deadline=None)
@given(op=st.integers(0, OPS - 1), a=ints, b=ints, x=floats, y=floats)
def test_numbers_are_those_of_python(op: int, a: int, b: int, x: float, y: float) -> None:
    check_edge(op, (a, b, x, y))


@pytest.mark.slow
def test_numbers_are_those_of_python_at_every_edge() -> None:
    wholes, parts = list(itertools.product(EDGES, EDGES)), list(itertools.product(FLOATS, FLOATS))
    for op, number in itertools.product(range(OPS), range(0, 37 * 40, 37)):
        check_edge(op, (*wholes[number % len(wholes)], *parts[number % len(parts)]))


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
