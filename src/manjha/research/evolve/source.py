"""A rule written out as a strategy that a person can read and edit: what is evaluated is what is exported."""

import hashlib
import textwrap
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from manjha.domain.orders import Product
from manjha.research.evolve import kinds as k
from manjha.research.evolve.grammar import OUTPUTS, VARIED, Grammar, Word
from manjha.research.evolve.trees import Node, parse
from manjha.strategy.indicators import INDICATORS
from manjha.strategy.interface import Strategy

WIDTH = 118
SHORT = 90
"""Letters of a joined condition; what is longer gets a line and a name of its own."""
ATR = "atr_14"
"""The range that distances of stops, targets and conditions are told in; its length is no part of a rule."""
ATR_LINE = f'        self.{ATR} = ctx.indicator(atr, "high", "low", "close", length=14)'
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
{imports}


class {cls}(Strategy):
    """{title}

{story}
    """

    name: ClassVar[str] = "{name}"
    chosen_from: ClassVar[str] = "{chosen_from}"
    product: ClassVar[Product] = Product.{product}
{fields}
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
    defaults = ["The numbers are the defaults of its parameters."] if lines.params else []
    story = [*in_words(rule, grammar), *defaults, "", *written.story]
    volume = ["    needs_volume: ClassVar[bool] = True"] if lines.has_volume else []
    return MODULE.format(
        imports=_imports(lines.functions, has_params=bool(lines.params)),
        cls=f"Evolved{mark.capitalize()}",
        title=_safe(written.title or f"Evolved rule {mark}."),
        story="\n".join(_wrapped(line) for line in story).rstrip(),
        name=f"evolved-{mark}",
        chosen_from=Evolved.name,
        product=written.product.name,
        fields="".join(f"{line}\n" for line in (*volume, *lines.params.values())),
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
    """Collects what a strategy needs while its conditions are written.

    Each constant becomes a parameter; what stands in a rule twice, an indicator or a condition, has them once.
    """

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self.declared: dict[str, str] = {}
        self.params: dict[str, str] = {}
        self.functions: set[str] = set()
        self.has_volume = False
        self._known: dict[object, str] = {}
        self._taken = {ATR}

    def method(self, name: str, condition: Node) -> str:
        """Return a method that tells whether a condition holds."""
        self._names: dict[str, str] = {}
        self._body: list[str] = []
        result = self._condition(condition)
        head = f'    def {name}(self, ctx: Context) -> bool:\n        """{SIDES[name][1]}."""\n'
        if not any("ctx" in line for line in self._body):
            self._body.insert(0, "        del ctx")
        return head + "\n".join([*self._body, f"        return bool({result})", ""])

    def value(self, node: Node, shift: int = 0, ago: int = 0) -> str:
        """Return the code of a value, `shift` bars before, and `ago` further ones that are a parameter."""
        word = self._grammar.words[node.word]
        if word.name == "ago":
            return self.value(node.parts[0], shift, ago + int(node.parts[1].value or 0))
        at = f"[{-1 - shift}]"
        if ago:
            at = f"[{-1 - shift} - {self.param((node.text, ago), 'ago', k.Shift, ago, 'how many bars ago')}]"
        if word.indicator:
            return f"self.{self.declare(node)}{f'.{word.output}' if word.output else ''}{at}"
        self.has_volume |= word.name == "volume"
        return f"ctx.{word.name}{at}"

    def param(self, key: object, name: str, kind: k.Kind, value: float, about: str) -> str:
        """Declare a parameter once and return how it is read. `key` is what it belongs to."""
        if key not in self._known:
            name = self._known[key] = self._free(name)
            low, high, step = k.SPREADS[kind]
            spread = f"low={low!r}, high={max(high, value)!r}, step={step!r}"
            typed = f"{name}: {type(value).__name__}"
            self.params[name] = f'    {typed} = param({value!r}, {spread}, help="{about}")'
        return f"self.{self._known[key]}"

    def atr(self) -> str:
        """Make the range that distances are told in, and return how it is read."""
        self.functions.add("atr")
        self.declared[ATR] = ATR_LINE
        return f"self.{ATR}[-1]"

    def declare(self, node: Node) -> str:
        """Make an indicator once and return the attribute's name."""
        word = self._grammar.words[node.word]
        entry = INDICATORS[word.indicator]
        columns = word.columns or (node.parts[0].word,)
        values = [part.value for part in node.parts if part.value is not None]
        key = (word.indicator, columns, *values)
        if key in self._known:
            return self._known[key]
        varied = [parameter.name for parameter in entry.parameters if parameter.name in VARIED]
        name = self._known[key] = self._free("_".join([word.indicator, *(columns if entry.inputs == ("x",) else ())]))
        self.has_volume |= "volume" in columns
        self.functions.add(word.indicator)
        terms = [word.indicator, *(f'"{column}"' for column in columns)]
        terms += [] if _is_price(word) else ["price=False"]
        for each, value in zip(varied, values, strict=True):
            about = f"{'bars' if each == 'length' else each} of {word.indicator}"
            terms.append(f"{each}={self.param((key, each), f'{name}_{each}', VARIED[each], value, about)}")
        self.declared[name] = _declared(name, terms)
        return name

    def _free(self, name: str) -> str:
        """Return a name that nothing has yet."""
        number, found = 1, name
        while found in self._taken:
            number += 1
            found = f"{name}_{number}"
        self._taken.add(found)
        return found

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
        parts, word = node.parts, self._grammar.words[node.word]
        given: dict[str, str] = {}
        for letter, part, kind in zip("abc", parts, word.takes, strict=False):
            if part.value is None:
                given |= {letter: self.value(part), f"{letter}1": self.value(part, 1)}
            elif kind is not k.Shift:
                given[letter] = self._constant(node, part.value, kind)
        if node.word == "rises":
            given["past"] = self.value(parts[0], 0, int(parts[1].value or 0))
        if node.word == "far_above":
            given["atr"] = self.atr()
        return [code.format(**given) for code in word.code]

    def _constant(self, node: Node, value: float, kind: k.Kind) -> str:
        """Return the parameter of a condition's constant."""
        if kind is k.Clock:
            return self.param(node.text, "minute", kind, value, "minute of the day")
        if kind is k.Multiple:
            return self.param(node.text, "multiple", kind, value, f"factor in {node.word}")
        name = self.declare(node.parts[0])
        return self.param(node.text, f"{name}_level", kind, value, f"level of {node.parts[0].word}")

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
            f"{what}=ctx.close[-1] {sign} {_distance(lines, what, node.value)} * {lines.atr()}"
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


def _distance(lines: _Lines, what: str, value: float) -> str:
    kind = k.Stop if what == "stop" else k.Target
    return lines.param(what, what, kind, value, f"distance of the {what} in ATR")


def _call(order: str) -> list[str]:
    """Return an order's line below its condition, over several lines where it is too long."""
    if len(order) + 16 <= WIDTH + 2:
        return [f"        {order}"]
    head, _, inner = order.partition("(")
    inner = inner.removesuffix(")")
    lines = [f"            {inner}"]
    if len(inner) + 20 > WIDTH + 2:
        lines = [f"            {term}," for term in inner.split(", ")]
    return [f"        {head}(", *lines, "        )"]


def _declared(name: str, terms: Sequence[str]) -> str:
    """Return the line of an indicator, or three where it is too long."""
    head, inner = f"        self.{name} = ctx.indicator(", ", ".join(terms)
    if len(head) + len(inner) + 1 <= WIDTH + 2:
        return f"{head}{inner})"
    return f"{head}\n            {inner}\n        )"


def _imports(functions: set[str], *, has_params: bool) -> str:
    names = sorted(functions)
    lines = [f"from manjha.strategy.indicators import {', '.join(names)}"] if names else []
    if lines and len(lines[0]) > WIDTH + 1:
        lines = ["from manjha.strategy.indicators import (", *(f"    {name}," for name in names), ")"]
    lines.append("from manjha.strategy.interface import Strategy")
    lines += ["from manjha.strategy.params import param"] if has_params else []
    return "\n".join(lines)


def _wrapped(line: str) -> str:
    return textwrap.fill(_safe(line), WIDTH - 4, initial_indent="    ", subsequent_indent="    ") if line else ""


def _safe(text: str) -> str:
    """Return a text that cannot end the docstring that it stands in."""
    return text.replace("\\", "/").replace('"', "'")
