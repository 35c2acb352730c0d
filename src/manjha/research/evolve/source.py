"""A rule written out as a strategy that a person can read and edit: what is evaluated is what is exported."""

import hashlib
import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from manjha.domain.errors import InvariantBroken
from manjha.domain.orders import Product
from manjha.research.evolve import kinds as k
from manjha.research.evolve.grammar import OUTPUTS, Grammar, Word
from manjha.research.evolve.trees import Node, parse
from manjha.strategy.indicators import INDICATORS
from manjha.strategy.interface import Strategy

WIDTH = 118
SHORT = 90
"""Letters of a joined condition; what is longer gets a line and a name of its own."""
ATR = Node("atr", (Node(value=14),))
PRICES = frozenset({k.Price, k.Distance, k.Range})
"""Kinds whose values are in rupees, and change with a split."""
SIDES = {
    "enters": ("buy", "Tell whether to buy"),
    "leaves": ("sell", "Tell whether to sell what is held"),
    "shorts": ("sell short", "Tell whether to sell short"),
    "covers": ("buy back", "Tell whether to buy back what was sold short"),
}
MODULE = '''"""A trading rule that was bred by a search (manjha evolve), not thought of by a person."""

from typing import ClassVar

from manjha.domain.orders import Product
from manjha.strategy.context import Context
{imports}from manjha.strategy.interface import Strategy


class {cls}(Strategy):
    """{title}

{story}
    """

    name: ClassVar[str] = "{name}"
    product: ClassVar[Product] = Product.{product}
{volume}
    def init(self, ctx: Context) -> None:
        """Make the indicators."""
{indicators}

    def on_bar(self, ctx: Context) -> None:
        """Enter when flat, leave when the rule says so; what is asked for trades at the next open."""
        market = ctx.market
{acts}

{methods}'''


class Evolved(Strategy):
    """Stands in the trial ledger for every rule that a search evaluates; the rule is its parameter."""

    name: ClassVar[str] = "evolved"

    def on_bar(self, ctx: Any) -> None:
        """Do nothing: a rule is evaluated as the strategy that is written for it."""


class Written(msgspec.Struct, frozen=True):
    """How a rule is written: the short mark that its class is named by, what it is held as, and what is told of it."""

    product: Product = Product.CNC
    title: str = ""
    story: tuple[str, ...] = ()


def mark_of(text: str) -> str:
    """Return the eight letters that a rule is known by."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def class_of(text: str, grammar: Grammar, product: Product) -> type[Strategy]:
    """Return the strategy of a rule in canonical form. Raises `InvariantBroken` for what is no rule of the grammar."""
    source = source_of(text, grammar, Written(product))
    names: dict[str, Any] = {"__name__": f"manjha_evolved_{mark_of(text)}"}
    # Every word of the source is one of the grammar or a constant: `source_of` has checked it.
    exec(compile(source, f"<rule {mark_of(text)}>", "exec"), names)  # noqa: S102  # nosec B102
    made: type[Strategy] = names[f"Evolved{mark_of(text).capitalize()}"]
    return made


def source_of(text: str, grammar: Grammar, written: Written) -> str:
    """Return a rule as the text of a strategy file."""
    rule = parse(text)
    grammar.require(rule)
    mark, lines = mark_of(text), _Lines(grammar)
    names = list(SIDES)[: len(rule.parts) - 2]
    methods = [lines.method(name, part) for name, part in zip(names, rule.parts, strict=False)]
    acts = _acts(names, lines, *rule.parts[-2:])
    story = [*(f"{line}" for line in in_words(rule, grammar)), "", *written.story]
    return MODULE.format(
        imports=_imports(lines.functions),
        cls=f"Evolved{mark.capitalize()}",
        title=_safe(written.title or f"Evolved rule {mark}."),
        story="\n".join(_wrapped(line) for line in story).rstrip(),
        name=f"evolved-{mark}",
        product=written.product.name,
        volume="    needs_volume: ClassVar[bool] = True\n" if lines.has_volume else "",
        indicators="\n".join(lines.declared.values()) or "        del ctx",
        acts=acts,
        methods="\n".join(methods),
    )


def in_words(rule: Node, grammar: Grammar) -> list[str]:
    """Return a rule as sentences."""
    said = []
    for (verb, _), part in zip(SIDES.values(), rule.parts[:-2], strict=False):
        said.append(f"{verb.capitalize()} when {say(part, grammar)}.")
    stop, target = rule.parts[-2:]
    for what, node in (("stop", stop), ("target", target)):
        if node.value is not None:
            said.append(f"A {what} rests {node.value:g} ATR of 14 bars from the deciding close.")
    return said


def say(node: Node, grammar: Grammar) -> str:
    """Return a tree in words."""
    if node.value is not None:
        return f"{node.value:g}"
    given = dict(zip("abcd", (say(part, grammar) for part in node.parts), strict=False))
    return grammar.words[node.word].says.format(**given)


class _Lines:
    """Collects what a strategy needs while its conditions are written."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self.declared: dict[str, str] = {}
        self.functions: set[str] = set()
        self.has_volume = False

    def method(self, name: str, condition: Node) -> str:
        """Return a method that tells whether a condition holds."""
        self._names: dict[str, str] = {}
        self._body: list[str] = []
        result = self._condition(condition)
        head = f'    def {name}(self, ctx: Context) -> bool:\n        """{SIDES[name][1]}."""\n'
        if not any("ctx" in line for line in self._body):
            self._body.insert(0, "        del ctx")
        return head + "\n".join([*self._body, f"        return bool({result})", ""])

    def value(self, node: Node, shift: int = 0) -> str:
        """Return the code of a value, as many bars ago."""
        if node.value is not None:
            return repr(node.value)
        word = self._grammar.words[node.word]
        if word.name == "ago":
            return self.value(node.parts[0], shift + int(node.parts[1].value or 0))
        if word.indicator:
            return f"self.{self.declare(node)}{f'.{word.output}' if word.output else ''}[-{1 + shift}]"
        self.has_volume |= word.name == "volume"
        return f"ctx.{word.name}[-{1 + shift}]"

    def declare(self, node: Node) -> str:
        """Make an indicator once and return the attribute's name."""
        word = self._grammar.words[node.word]
        entry = INDICATORS[word.indicator]
        columns = word.columns or (node.parts[0].word,)
        values = [part.value for part in node.parts if part.value is not None]
        varied = [parameter.name for parameter in entry.parameters if parameter.name in ("length", "width")]
        said = [word.indicator, *(columns if entry.inputs == ("x",) else ()), *map(str, values)]
        name = "_".join(said).replace(".", "_")
        self.has_volume |= "volume" in columns
        self.functions.add(word.indicator)
        if name not in self.declared:
            terms = [word.indicator, *(f'"{column}"' for column in columns)]
            terms += [] if _is_price(word) else ["price=False"]
            terms += [f"{each}={value!r}" for each, value in zip(varied, values, strict=True)]
            self.declared[name] = f"        self.{name} = ctx.indicator({', '.join(terms)})"
        return name

    def _condition(self, node: Node) -> str:
        """Return a condition as a name or a short expression of names."""
        parts = [self._condition(part) for part in node.parts if self._is_condition(part)]
        if not parts:
            return self._named(node, self._atom(node))
        code = self._grammar.words[node.word].code[0]
        inner = [f"({part})" if " " in part else part for part in parts]
        joined = code.format(**dict(zip("ab", inner, strict=False)))
        return joined if len(joined) <= SHORT else self._named(node, [joined])

    def _is_condition(self, node: Node) -> bool:
        word = self._grammar.words.get(node.word)
        return word is not None and word.gives is k.Condition

    def _atom(self, node: Node) -> list[str]:
        parts = node.parts
        given = dict(zip("abc", map(self.value, parts), strict=False))
        given |= {f"{letter}1": self.value(part, 1) for letter, part in zip("ab", parts, strict=False)}
        if node.word == "rises":
            given["past"] = self.value(parts[0], int(parts[1].value or 0))
        if node.word == "far_above":
            self.declare(ATR)
        return [code.format(**given) for code in self._grammar.words[node.word].code]

    def _named(self, node: Node, tests: Sequence[str]) -> str:
        """Give a condition a line and a name of its own, once, with what it says above it."""
        text = node.text
        if text not in self._names:
            name = self._names[text] = f"c{len(self._names) + 1}"
            is_joined = any(self._is_condition(part) for part in node.parts)
            note = [] if is_joined else textwrap.wrap(f"{name}: {say(node, self._grammar)}", WIDTH - 10)
            self._body += [f"        # {line}" for line in note]
            self._body += _assigned(name, tests)
        return self._names[text]


def _is_price(word: Word) -> bool:
    return word.gives in PRICES and word.name in OUTPUTS


def _assigned(name: str, tests: Sequence[str]) -> list[str]:
    """Return an assignment in one line, or in brackets over several where it is too long."""
    one = f"        {name} = {' and '.join(tests)}"
    if len(one) <= WIDTH + 2:
        return [one]
    if len(tests) == 1:
        left, sign, right = tests[0].partition(" > ")
        tests = [left, f"{sign.strip()} {right}"] if sign else tests
        return [f"        {name} = (", *(f"            {line}" for line in tests), "        )"]
    lines = [f"            {'and ' if index else ''}{test}" for index, test in enumerate(tests)]
    return [f"        {name} = (", *lines, "        )"]


def _acts(names: Sequence[str], lines: _Lines, stop: Node, target: Node) -> str:
    """Return the body of `on_bar`."""
    orders = {}
    for name, toward in (("enters", "-"), ("shorts", "+")):
        away = "+" if toward == "-" else "-"
        terms = [
            f"{what}=ctx.close[-1] {sign} {node.value!r} * self.{lines.declare(ATR)}[-1]"
            for what, node, sign in (("stop", stop, toward), ("target", target, away))
            if node.value is not None
        ]
        verb = "buy" if name == "enters" else "sell"
        orders[name] = f"market.{verb}({', '.join([*terms, f'tag={verb!r}'])})".replace("'", '"')
    flat = [("enters", "if"), ("shorts", "elif")] if "shorts" in names else [("enters", "if")]
    body = ["if market.position == 0:", "    if market.working:", "        return"]
    for name, keyword in flat:
        body += [f"    {keyword} self.{name}(ctx):", *_call(orders[name])]
    if "shorts" in names:
        body += ["elif market.position > 0:", "    if self.leaves(ctx):", '        market.close_position(tag="leave")']
        body += ["elif self.covers(ctx):", '    market.close_position(tag="cover")']
    else:
        body += ["elif self.leaves(ctx):", '    market.close_position(tag="leave")']
    return "\n".join(f"        {line}" for line in body)


def _call(order: str) -> list[str]:
    """Return an order's line below its condition, over several lines where it is too long."""
    if len(order) + 16 <= WIDTH + 2:
        return [f"        {order}"]
    head, _, inner = order.partition("(")
    inner = inner.removesuffix(")")
    if len(inner) + 20 <= WIDTH + 2:
        return [f"        {head}(", f"            {inner}", "        )"]
    raise InvariantBroken(f"an order of {len(order)} letters")


def _imports(functions: set[str]) -> str:
    if not functions:
        return ""
    names = sorted(functions)
    line = f"from manjha.strategy.indicators import {', '.join(names)}\n"
    if len(line) <= WIDTH + 2:
        return line
    return "from manjha.strategy.indicators import (\n" + "".join(f"    {name},\n" for name in names) + ")\n"


def _wrapped(line: str) -> str:
    return textwrap.fill(_safe(line), WIDTH - 4, initial_indent="    ", subsequent_indent="    ") if line else ""


def _safe(text: str) -> str:
    """Return a text that cannot end the docstring that it stands in."""
    return text.replace("\\", "/").replace('"', "'")
