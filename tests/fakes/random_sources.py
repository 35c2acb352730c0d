"""Strategies that act in `on_bar`, written by chance within what can be compiled, as the text of a module."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np

from manjha.domain.orders import Product
from manjha.strategy.interface import Strategy
from tests.fakes.random_runs import pick

Generator = np.random.Generator
FLOATS = (
    "self.f0", "self.f1", "self.share", "a", "1.25", "HALF", "market.close[-1]", "self.fast[-1]", "self.fast[-3]",
    "self.bands.upper[-1]", "self.pair[0][-2]", "market.high[-1]", "market.volume.now", "self.last.low[-self.length]",
    "market.entry_price", "ctx.equity", "self.mixed", "ctx.open[-2]",
)  # fmt: skip
FLOATS_OF = (
    "(<F> + <F>)", "(<F> - <F>)", "(<F> * 0.5)", "(<F> / 3)", "-<F>", "abs(<F>)", "min(<F>, <F>)", "max(<F>, <F>, 0)",
    "(<F> if <B> else <F>)", "(<F> // 0.75)", "(<F> % 2.5)", "math.sqrt(abs(<F>))", "float(<I>)", "(<F> * <I>)",
    "self.mix(<F>, <F>)", "twist(<F>, <F>)", "(<I> / 7)", "(<F> * <F>)", "(<F> / <F>)", "<F> % -0.3",
)  # fmt: skip
WHOLES = (
    "self.i0", "self.i1", "n", "SEVEN", "12", "-5", "self.length", "ctx.minute", "ctx.day % 11", "ctx.position_index",
    "market.position", "market.working", "len(ctx.markets)", "int(yes)", "market.entry_e4 % 1000",
    "market.instrument.lot", "self.day0 % 7", "market.opened_ns // MINUTE_NS % 60", "ctx.now_ns",
)  # fmt: skip
WHOLES_OF = (
    "(<I> + <I>)", "(<I> - <I>)", "(<I> * 3)", "(<I> // 4)", "(<I> % -6)", "-(<I>)", "min(<I>, <I>)", "max(<I>, <I>)",
    "abs(<I>)", "(<I> if <B> else <I>)", "(<I> & 15)", "(<I> | 3)", "(<I> // -5)", "round(market.close[-1])",
    "int(market.low[-1] / 3)", "math.floor(-market.close[-1])", "self.count(1)", "self.count(n)", "(<I> + yes)",
    "(<I> * <I>)", "round(self.share * <I>)",
)  # fmt: skip
TRUTHS = ("self.b0", "yes", "self.loud", "market.is_fresh", "market.position == 0", "self.b1")
TRUTHS_OF = (
    "(<B> and <B>)", "(<B> or <B>)", "(not <B>)", "(<B> == <B>)", "(<B> != <B>)", "(<F> > <F>)", "(<I> <= <I>)",
    "(<I> < <F>)", "(0 < <F> <= 60.0)", "math.isnan(<F>)", "(<I> % 3 == 1)", "(n in (1, 2, SEVEN))",
    "(self.word == 'up')", "(self.side is Side.BUY)", "(self.last is market)", "(market.close[-1] > self.fast[-1])",
    "(market.close[-1] < market.close[-2])",
)  # fmt: skip

_HEAD = '''"""A strategy written by chance."""

import math
from typing import ClassVar

from manjha.domain.moments import MINUTE_NS
from manjha.domain.orders import Product, Side
from manjha.domain.sizing import TargetUnit
from manjha.strategy.indicators import bollinger, sma
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param

HALF = 0.5
SEVEN = 7


def twist(a, b):
    if a > b:
        return a - b * HALF
    return b * HALF - a


class Chance(Strategy):
    """Does what chance wrote."""

    product: ClassVar[Product] = Product.{product}
    instruments_max: ClassVar[int] = 0
    length: int = param(3, low=2, high=9)
    share: float = param(0.25, low=0.0, high=1.0)
    loud: bool = param(True)

    def init(self, ctx):
        self.fast = ctx.indicator(sma, "close", length=self.length)
        self.bands = ctx.indicator(bollinger, "close", length=5)
        self.pair = tuple(ctx.indicator(sma, field, length=2) for field in ("high", "low"))
        self.f0, self.f1, self.mixed = 0.0, 1.5, 0
        self.i0, self.i1, self.day0 = 0, 3, 0
        self.b0, self.b1 = False, True
        self.word, self.side = "none", Side.BUY
        self.last = ctx.market

    def mix(self, a, b):
        total = a * 0.5
        for step in range(3):
            if total > b:
                break
            total += step * 0.25
        return total

    def count(self, by):
        self.i1 = (self.i1 + by) % 50
        return self.i1
'''


def random_source(rng: Generator) -> str:
    """Return the text of a module with a strategy `Chance`."""
    writer = _Writer(rng)
    return _HEAD.format(product=pick(rng, ["CNC", "MIS"])) + writer.on_session() + writer.on_bar()


def made_of(source: str, folder: Path, name: str) -> type[Strategy]:
    """Write a module, import it, and return its strategy."""
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[Strategy] = module.Chance
    assert found.product in Product
    return found


class _Writer:
    """Writes statements and expressions; everything that an expression names has a value where it stands."""

    def __init__(self, rng: Generator) -> None:
        self.rng = rng
        self.loops = 0

    def on_session(self) -> str:
        if self.rng.random() < 0.5:
            return ""
        lines = [
            "",
            "    def on_session(self, ctx, day):",
            "        market, a, n, yes = ctx.market, self.f1, day, self.b0",
        ]
        return "\n".join([*lines, *self.block(2, 2), "        self.day0 = day", ""])

    def on_bar(self) -> str:
        lines = ["", "    def on_bar(self, ctx):", "        market = ctx.market"]
        depth = 2
        if self.rng.random() < 0.4:
            lines.append("        for market in ctx.markets.values():")
            lines.append("            if not market.is_fresh:")
            lines.append("                continue")
            depth = 3
        indent = "    " * depth
        lines += [f"{indent}close = market.close", f"{indent}a, n, yes = close[-1], self.i0, self.b0"]
        return "\n".join([*lines, *self.block(depth, 3), *self.trade(depth), ""])

    # ---- statements

    def block(self, depth: int, size: int) -> list[str]:
        lines: list[str] = []
        for _ in range(int(self.rng.integers(1, size + 1))):
            lines += self.statement(depth)
        return lines

    def statement(self, depth: int) -> list[str]:
        indent = "    " * depth
        kind = pick(self.rng, ["float", "int", "bool", "other", "if", "loop", "local", "grow"])
        if depth > 4 and kind in ("if", "loop"):
            kind = "float"
        if kind == "if":
            lines = [f"{indent}if {self.boolean(2)}:", *self.block(depth + 1, 2)]
            if self.rng.random() < 0.4:
                lines += [f"{indent}elif {self.boolean(1)}:", *self.block(depth + 1, 2)]
            if self.rng.random() < 0.5:
                lines += [f"{indent}else:", *self.block(depth + 1, 2)]
            return lines
        if kind == "loop":
            return self.loop(depth)
        text = {
            "float": f"self.{pick(self.rng, ['f0', 'f1'])} = {self.floating(3)}",
            "int": f"self.{pick(self.rng, ['i0', 'i1'])} = ({self.whole(3)}) % 1000",
            "bool": f"self.{pick(self.rng, ['b0', 'b1'])} = {self.boolean(2)}",
            "local": pick(
                self.rng, [f"a = {self.floating(2)}", f"n = ({self.whole(2)}) % 97", f"yes = {self.boolean(2)}"]
            ),
            "grow": pick(self.rng, [f"self.i0 += {self.whole(1)} % 7", f"self.f0 -= {self.floating(1)}", "n *= 2"]),
            "other": pick(
                self.rng,
                [
                    f"self.mixed = {pick(self.rng, [self.floating(1), self.whole(1)])}",
                    "self.word = 'up' if yes else 'down'",
                    f"self.side = Side.SELL if {self.boolean(1)} else Side.BUY",
                    "self.last = market",
                    f"self.f0, self.f1 = self.f1, {self.floating(1)}",
                    f"self.i0 = self.i1 = {self.whole(1)} % 13",
                ],
            ),
        }[kind]
        return [f"{indent}{text}"]

    def loop(self, depth: int) -> list[str]:
        indent, self.loops = "    " * depth, self.loops + 1
        each = f"j{self.loops}"
        leave = [f"{indent}    if {self.boolean(1)}:", f"{indent}        {pick(self.rng, ['break', 'continue'])}"]
        body = self.block(depth + 1, 2)
        if self.rng.random() < 0.5:
            return [f"{indent}for {each} in range({pick(self.rng, ['3', '1, 4', '5, 0, -2'])}):", *leave, *body]
        return [
            f"{indent}{each} = 0",
            f"{indent}while {each} < 4 and {self.boolean(1)}:",
            f"{indent}    {each} += 1",
            *leave,
            *body,
        ]

    def trade(self, depth: int) -> list[str]:
        """Return what asks for something: entries, exits, targets, cancels, several of them at times."""
        indent, rng = "    " * depth, self.rng
        away = pick(rng, ["0.5", "1.0", "self.share * 4 + 0.05", "abs(self.fast[-1] - close[-1]) + 0.1"])
        terms = pick(
            rng,
            [
                "",
                f"limit=close[-1] - {away}",
                f"trigger=close[-1] + {away}",
                f"limit=close[-1] - {away} if yes else None",
                f"stop=close[-1] - {away}, target=close[-1] + 2 * {away}",
                f"trail={away}, exit_ns=ctx.now_ns + {pick(rng, ['20', 'self.length'])} * MINUTE_NS",
                f"limit=close[-1] - {away}, stop=close[-1] - 3 * {away}, tag='in' if self.b0 else self.word",
            ],
        )
        qty = pick(rng, ["", "10", "self.i0 % 40 + 1", "float(self.i1 + 1)", "-3"])
        buy = pick(
            rng,
            [
                "market.buy({})",
                "ctx.order(market, self.side, {})",
                "enter = market.buy if yes else market.sell\n{indent}    enter({})",
            ],
        )
        first = buy.replace("{indent}", indent).replace("{}", ", ".join(part for part in (qty, terms) if part))
        leave = pick(
            rng,
            [
                "market.close_position(tag='out')",
                "market.sell(market.position)",
                "market.target(0.0)",
                "market.target(self.share)",
                "market.target(self.i1, TargetUnit.QTY)",
                "market.cancel()",
                "market.cancel()\n{indent}    market.buy(1)",
            ],
        ).replace("{indent}", indent)
        lines = [f"{indent}if {self.boolean(2)} and market.working < 4:", f"{indent}    {first}"]
        lines += [f"{indent}{pick(rng, ['elif', 'if'])} {self.boolean(2)}:", f"{indent}    {leave}"]
        return lines

    # ---- expressions

    def floating(self, depth: int) -> str:
        return self.filled(FLOATS if depth == 0 or self.rng.random() < 0.2 else FLOATS_OF, depth)

    def whole(self, depth: int) -> str:
        return self.filled(WHOLES if depth == 0 or self.rng.random() < 0.2 else WHOLES_OF, depth)

    def boolean(self, depth: int) -> str:
        return self.filled(TRUTHS if depth == 0 or self.rng.random() < 0.15 else TRUTHS_OF, depth)

    def filled(self, forms: tuple[str, ...], depth: int) -> str:
        """Return one of some forms, its letters F, I and B filled with floats, integers and truths."""
        deeper = max(depth - 1, 0)
        fill = {"<F>": self.floating, "<I>": self.whole, "<B>": self.boolean}
        return re.sub("<[FIB]>", lambda found: fill[found[0]](deeper), pick(self.rng, forms))
