"""What of Python a compiled strategy cannot have is said with the line and by name; the cache follows the source."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.compile import load
from manjha.research.compile.run import program_of
from manjha.research.fast import fast_backtest
from manjha.research.kernel.convert import divergence, result_of
from manjha.research.kernel.refusal import kernel_refusal
from manjha.research.kernel.run import KernelMarket, KernelRefused, run_kernel
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import flat, minutes, share_named, spec_of
from tests.fakes.random_sources import made_of

HEAD = '''"""A strategy of a test."""

import math
from enum import Enum

import numpy as np

from manjha.domain.bars import MINUTE
from manjha.domain.orders import Product, Side
from manjha.domain.sizing import TargetUnit
from manjha.strategy.indicators import bollinger, sma
from manjha.strategy.interface import Strategy

LEVELS = {"low": 1.0}
LARGE = 2**70


class Colour(Enum):
    RED = 1


def pair(a):
    return a, a


def again(a):
    return again(a - 1) if a > 0 else 0


class Chance(Strategy):
    """Does one thing."""

    def init(self, ctx):
        self.n, self.x, self.none, self.words = 0, 0.5, None, ["a"]
        self.fast = ctx.indicator(sma, "close", length=2)
        self.bands = ctx.indicator(bollinger, "close", length=2)
        self.exact, self.large, self.series = np.float64(1.5), 2**70, ctx.market.series

    @property
    def half(self):
        return self.x / 2

    @staticmethod
    def fixed():
        return 1

    def maybe(self, a):
        if a > 0:
            return a

    def both(self, a):
        if a > 0:
            return a
        return "no"

    def more(self, a, *rest):
        return a

    def usual(self, a, b=2):
        return a + b
'''
FIRST_LINE = HEAD.count("\n") + 3
"""The line of the first statement of `on_bar`."""

TABLE = {
    "x = {}": "a dict",
    "x = []": "a list",
    "x = {1}": "a set",
    "x = 1, 2": "a tuple",
    "x = [i for i in range(3)]": "a comprehension",
    "x = sum(i for i in range(3))": "a call of sum",
    "x = lambda: 1": "a lambda",
    "x = f'{self.n}'": "an f-string",
    "if (x := 1): pass": "an assignment in an expression",
    "try:\n    x = 1\nexcept ValueError:\n    pass": "try",
    "raise ValueError": "raise",
    "with open('x') as x:\n    pass": "with",
    "assert self.n == 0": "assert",
    "import math": "an import",
    "def inner(): pass": "a function in a function",
    "class Inner: pass": "a class in a function",
    "global LEVELS": "global",
    "match self.n:\n    case 1:\n        pass": "match",
    "yield 1": "an expression that does nothing",
    "self.n": "an expression that does nothing",
    "del self.n": "del of anything but a variable",
    "print(self.n)": "a call of print",
    "x = str(self.n)": "a call of str",
    "x = self.n ** 2": "** is outside what can be compiled; x * x",
    "x = self.n << 2": "<<",
    "x = self.x & 1": "a bit of a float",
    "x = ~self.x": "~ of a float",
    "x = math.log(self.x)": "a call of log",
    "x = math.exp(self.x)": "a call of exp",
    "x = round(self.x, 2)": "round to digits",
    "x = min([1, 2])": "min with 1 arguments",
    "x = max(1, 2, key=abs)": "max with a named argument",
    "x = np.nan_to_num(self.x)": "a call of nan_to_num",
    "x = LARGE": "a whole number beyond 64 bits",
    "x = self.large": "a whole number beyond 64 bits",
    "x = LEVELS['low']": "a look into a dict",
    "x = self.words[0]": "a look into a list",
    "x = self.exact + 1": "found a thing",
    "x = self.half": "self.half is outside",
    "x = self.fixed()": "self.fixed is outside",
    "x = self.maybe(1)": "maybe may end without a value",
    "x = self.both(1)": "returns now a whole number and now a word",
    "x = self.more(1)": "other than plain arguments",
    "x = self.usual(1)": "called with defaults",
    "x = self.usual(1, b=2)": "a named argument to usual",
    "x = pair(1)": "a tuple",
    "x = again(3)": "a function that calls itself",
    "x = self.missing": "self.missing is set nowhere before the first bar",
    "self.new = 1": "self.new is set nowhere before the first bar",
    "self.none = 1.0": "self.none is None and is set to a float",
    "self.fast = 1.0": "self.fast is a line and is set to a float",
    "self.n = 'word'": "self.n is now a whole number and now a word",
    "self.words[0] = 'b'": "an assignment to a part of something",
    "ctx.warmup = 3": "only attributes of self can be set",
    "x = None": "None is outside",
    "x = unknown": "the name unknown is not known",
    "if self.n > 1:\n    y = 1\nx = y": "y may have no value here",
    "for i in range(3):\n    y = i\nx = y": "y may have no value here",
    "x = 1\nx = 'a'": "x is now a whole number and now a word",
    "x = 1 if self.n else 'a'": "now a whole number and now a word",
    "for i in (1, 2):\n    pass": "a loop over anything but",
    "for i, j in range(3):\n    pass": "a loop over several names",
    "for i in range(3):\n    pass\nelse:\n    pass": "else of a loop",
    "while self.n > 0:\n    pass\nelse:\n    pass": "else of a loop",
    "for i in range(0, 3, self.n):\n    pass": "range with steps that are not written out",
    "x = self.fast[-2:]": "a slice",
    "x = self.fast.tail(3)": "tail of a line",
    "x = self.fast[0.5]": "a line is read by a whole number",
    "x = self.fast > 1": "a comparison of a line and a whole number",
    "x = not ctx.market": "an instrument taken for true or false",
    "x = self.n is True": "is, but for None",
    "x = self.n in self.words": "in, but for a tuple written out",
    "x = self.x in (0.5, 1.5)": "in among floats",
    "x = Colour.RED == 1": "a comparison of",
    "x = self.n or 'a'": "what or gives here",
    "ctx.buy(1) if self.n else None": "an expression that does nothing",
    "x = ctx.buy(1)": "asking for an order within an expression",
    "ctx.buy(1, 2)": "an order takes one quantity",
    "ctx.buy(1, product=Product.MIS)": "the term product of an order",
    "ctx.buy(1, validity='IOC')": "the term validity of an order",
    "ctx.buy(1, tag=self.n)": "a tag that is no word",
    "ctx.buy('a')": "expected a quantity here, found a word",
    "ctx.buy(**{})": "a star",
    "ctx.buy(1, limit=self.none)": "expected a price here, found None",
    "ctx.order(ctx.market, 1)": "order expects an instrument and a side",
    "ctx.target(1.0, 'weight')": "a unit that is no member of TargetUnit",
    "ctx.market.cancel(self.n)": "cancel of one order",
    "for order in ctx.market.orders():\n    pass": "market.orders",
    "ctx.market.modify(1, qty=2)": "market.modify",
    "x = ctx.market.bars(MINUTE)": "market.bars",
    "x = ctx.market.instrument.symbol": "symbol here",
    "ctx.set_timer('a', 1)": "ctx.set_timer",
    "ctx.legs(None)": "ctx.legs",
    "ctx.close_legs()": "ctx.close_legs",
    "x = ctx.groups()": "ctx.groups",
    "x = ctx.requests": "ctx.requests",
    "x = ctx.indicator(sma)": "ctx.indicator",
    "x = ctx['BETA'].position": "'BETA' is not in this run",
    "x = self.series.row()": "row of a Series",
    "x = self.__class__": "a name that begins with two underscores",
    "x = 1j": "complex is outside",
    "x = b'a'": "bytes is outside",
}
"""A statement, and what is said of it."""


def spec_for(body: str, folder: Path, name: str) -> BacktestSpec:
    source = HEAD + "\n    def on_bar(self, ctx):\n" + textwrap.indent(body, " " * 8) + "\n"
    return spec_of(made_of(source, folder, name)(), minutes(share_named(), [flat(100.0)] * 6))


@pytest.mark.parametrize("number", range(len(TABLE)))
def test_a_construct_is_refused_by_line_and_name(number: int, tmp_path: Path) -> None:
    body, said = list(TABLE.items())[number]
    reason = kernel_refusal(spec_for(body, tmp_path, f"refused_{number}"))
    assert said in reason
    assert reason.startswith("on_bar cannot be compiled: ")
    assert " line " in reason or "may end" in reason
    if reason.startswith("on_bar cannot be compiled: on_bar"):
        line = int(reason.split(" line ")[1].split(":")[0])
        assert FIRST_LINE <= line <= FIRST_LINE + body.count("\n")


# ---- what is no construct


class Odd(Strategy):
    """Its methods are changed by tests."""

    def on_bar(self, ctx: Context) -> None:
        ctx.buy(1)


def reason_of(found: type[Strategy]) -> str:
    return kernel_refusal(spec_of(found(), minutes(share_named(), [flat(100.0)] * 6))).removeprefix(
        "on_bar cannot be compiled: "
    )


def test_other_callbacks_are_refused_by_name() -> None:
    for name in ("on_fill", "on_timer"):
        found = type("Other", (Odd,), {name: lambda *_: None})
        assert reason_of(found) == f"{name} is outside what can be compiled"
    for name in ("__getattr__", "__setattr__"):
        found = type("Other", (Odd,), {name: lambda *_: None})
        assert reason_of(found) == f"{name} is outside what can be compiled"


def test_a_method_that_is_no_plain_function_is_refused() -> None:
    assert "is no plain method" in reason_of(type("Other", (Odd,), {"on_bar": staticmethod(Odd.on_bar)}))
    changed = Odd()
    vars(changed)["on_bar"] = print
    spec = spec_of(changed, minutes(share_named(), [flat(100.0)] * 6))
    assert kernel_refusal(spec).endswith("on_bar is no method but an attribute of the strategy")


def test_a_decorated_method_is_refused(tmp_path: Path) -> None:
    decorated = HEAD.replace("    def usual", "    @same\n    def usual").replace(
        "class Chance", "def same(function):\n    return function\n\n\nclass Chance"
    )
    body = "\n    def on_bar(self, ctx):\n        self.n = self.usual(1, 2)\n"
    found = made_of(decorated + body, tmp_path, "decorated")
    assert reason_of(found).endswith("a decorator is outside what can be compiled")


def test_source_that_is_not_there_is_refused() -> None:
    names: dict[str, object] = {"Strategy": Strategy}
    exec("class Typed(Strategy):\n    def on_bar(self, ctx):\n        ctx.buy(1)\n", names)  # noqa: S102 - as typed in
    found = names["Typed"]
    assert isinstance(found, type)
    assert reason_of(found) == "the source of on_bar cannot be read"


def test_source_that_was_changed_since_it_was_loaded_is_refused(tmp_path: Path) -> None:
    body = "\n    def on_bar(self, ctx):\n        if self.n < {}:\n            ctx.buy(1)\n"
    found = made_of(HEAD + body.format(3), tmp_path, "edited")
    assert reason_of(found) == ""
    path = tmp_path / "edited.py"
    path.write_text(HEAD + body.format(4444), encoding="utf-8")
    os.utime(path, (1, 1))
    again = type("Edited", (found,), {})
    assert reason_of(again) == "the source of on_bar is not what was loaded; start anew"


def test_what_numba_does_not_take_is_a_refusal_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = spec_for("ctx.buy(1)", tmp_path, "broken")
    market = KernelMarket(spec)
    program = program_of(spec.strategy, market.begun(spec.strategy))
    monkeypatch.setattr(program, "source", program.source.replace("ask_order(k,", "ask_order(k, 1,"))
    with pytest.raises(KernelRefused, match="numba does not compile it: "):
        run_kernel(spec, market)
    assert fast_backtest(spec).state_digest == run_backtest(spec).state_digest != ""


# ---- the cache

BUYS = """
if ctx.position_index == {when}:
    ctx.buy({qty})
"""


def test_a_changed_strategy_is_compiled_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    said: list[str] = []
    number = os.getpid() * 1000
    for name, qty in (("first", number), ("same", number), ("other", number + 1)):
        spec = spec_for(BUYS.format(when=2, qty=qty), tmp_path, name)
        market = KernelMarket(spec)
        result = result_of(spec, market, run_kernel(spec, market, said.append))
        again = spec_for(BUYS.format(when=2, qty=qty), tmp_path, name)
        assert divergence(run_backtest(again), result) == ""
    assert [each for each in said if "kernel" not in each] == [load.COMPILES.format(name="chance")] * 2
    _forget(tmp_path, number, number + 1)


def test_a_second_process_finds_the_code(tmp_path: Path) -> None:
    number = os.getpid() * 1000 + 7
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from tests.parity.test_compile_refusals import BUYS, spec_for
from manjha.research.kernel.run import run_kernel
run_kernel(spec_for(BUYS.format(when=2, qty={number}), Path({str(tmp_path)!r}), "apart"), on_compile=print)
"""
    told = [subprocess.check_output([sys.executable, "-c", script], text=True) for _ in range(2)]
    assert load.COMPILES.format(name="chance") in told[0]
    assert told[1] == ""
    _forget(tmp_path, number)


def test_nobody_waits_for_a_strategy_that_is_not_compiled_yet(tmp_path: Path) -> None:
    number = os.getpid() * 1000 + 11

    def spec(name: str) -> BacktestSpec:
        return spec_for(BUYS.format(when=2, qty=number), tmp_path, name)

    assert fast_backtest(spec("waits"), may_compile=False).state_digest != ""
    assert fast_backtest(spec("compiles")).state_digest == ""
    assert fast_backtest(spec("is_there"), may_compile=False).state_digest == ""
    _forget(tmp_path, number)


def _forget(folder: Path, *numbers: int) -> None:
    """Take what a test has compiled out of the cache."""
    for number in numbers:
        spec = spec_for(BUYS.format(when=2, qty=number), folder, f"forgotten_{number}")
        program = program_of(spec.strategy, KernelMarket(spec).begun(spec.strategy))
        name = load.name_of(program.source)
        for path in load.places().rglob(f"{name}*"):
            path.unlink()
        assert not load.is_compiled(name)
