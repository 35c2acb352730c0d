"""The words of rules: what each takes and gives, how it is written in a strategy, and how it is said.

Indicators come from the registry: each output of each one has a kind here, or a reason why it is left out. Lengths and
widths vary, other parameters keep their usual values.
"""

from collections.abc import Iterator

import msgspec

from manjha.domain.errors import InvariantBroken
from manjha.research.evolve import kinds as k
from manjha.research.evolve.kinds import CONSTANTS, SCALES, Kind
from manjha.research.evolve.trees import Node
from manjha.strategy.indicators import INDICATORS, Indicator

OUTPUTS: dict[str, Kind] = {
    **dict.fromkeys(("sma", "ema", "wma", "dema", "tema", "hma", "highest", "lowest", "vwap"), k.Price),
    **{f"{name}_{band}": k.Price for name in ("bollinger", "donchian", "keltner")
       for band in ("upper", "middle", "lower")},
    **dict.fromkeys(("supertrend_line", "heikin_ashi_open", "heikin_ashi_close"), k.Price),
    **dict.fromkeys(("macd_line", "macd_signal", "macd_histogram", "momentum", "slope"), k.Distance),
    **dict.fromkeys(("atr", "true_range"), k.Range),
    **dict.fromkeys(("rsi", "mfi", "stochastic_k", "stochastic_d", "aroon_up", "aroon_down"), k.Percent),
    **dict.fromkeys(("adx_adx", "adx_plus", "adx_minus"), k.Strength),
    "williams_r": k.Williams,
    "zscore": k.Deviations,
    "cci": k.Commodity,
    "roc": k.Change,
    "realised_vol": k.Volatility,
    "obv": k.Flow,
}  # fmt: skip
"""What each output of each indicator of the registry is."""
LEFT_OUT = {
    "supertrend_trend": "the close above or below the line says the same",
    "heikin_ashi_high": "a bar's high, nearly",
    "heikin_ashi_low": "a bar's low, nearly",
}
"""Outputs that rules do without, and why."""
VARIED = {"length": k.Length, "width": k.Width}
"""Parameters that vary."""
NOTHING: dict[str, Kind] = {"no_stop": k.Stop, "no_target": k.Target}


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """A word of the language of rules.

    `code` are parts of a condition, joined by "and", or the one text of a value: {a}, {b}, {c} are the word's parts at
    the bar in hand, {a1}, {b1} at the one before, {past} the first part as many bars ago as the second says. `says` is
    the same in English. An indicator has its registry entry, its output and its columns instead of code.
    """

    name: str
    takes: tuple[Kind, ...] = ()
    gives: Kind
    code: tuple[str, ...] = ()
    says: str = ""
    indicator: str = ""
    output: str = ""
    columns: tuple[str, ...] = ()


class GrammarTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a language may have: volume, a short side, the time of the day, and how long its longest indicator is."""

    has_volume: bool = True
    has_short: bool = False
    has_clock: bool = False
    longest: int = 200


class Grammar:
    """A language of rules: its words by name, and its constants by kind."""

    def __init__(self, terms: GrammarTerms) -> None:
        words = [*_columns(terms), *_indicators(terms), *_conditions(terms)]
        self.words = {word.name: word for word in words}
        self.root = self.words["long_short" if terms.has_short else "long_only"]
        self.constants = CONSTANTS | {k.Length: tuple(n for n in CONSTANTS[k.Length] if n <= terms.longest)}
        self.smallest = 1 + sum(3 if kind is k.Condition else 1 for kind in self.root.takes)

    def require(self, node: Node, kind: Kind = k.Rule) -> None:
        """Raise `InvariantBroken` unless the tree is of this kind and well typed throughout."""
        if node.value is not None:
            _hold(node.value in self.constants.get(kind, ()), node, kind)
            return
        word = self.words.get(node.word)
        if word is None:
            _hold(not node.parts and NOTHING.get(node.word) is kind, node, kind)
            return
        _hold(len(word.takes) == len(node.parts) and issubclass(word.gives, kind), node, kind)
        for part, wanted in zip(node.parts, word.takes, strict=True):
            self.require(part, wanted)


def _hold(is_right: bool, node: Node, kind: Kind) -> None:  # noqa: FBT001 - reads as an assertion
    if not is_right:
        raise InvariantBroken(f"{node.text!r} is no {kind.__name__}")


def _columns(terms: GrammarTerms) -> Iterator[Word]:
    for name in ("open", "high", "low", "close"):
        yield Word(name=name, gives=k.Column, code=(name,), says=f"the {name}")
    if terms.has_volume:
        yield Word(name="volume", gives=k.Amount, code=("volume",), says="the volume")
        yield Word(
            name="average_volume",
            takes=(k.Length,),
            gives=k.Amount,
            indicator="sma",
            columns=("volume",),
            says="the average volume of {a} bars",
        )


def _indicators(terms: GrammarTerms) -> Iterator[Word]:
    for entry in INDICATORS.values():
        if "volume" in entry.inputs and not terms.has_volume:
            continue
        for output in entry.outputs:
            name = entry.name if len(entry.outputs) == 1 else f"{entry.name}_{output}"
            if name in OUTPUTS:
                yield _indicator(entry, name, output if len(entry.outputs) > 1 else "")


def _indicator(entry: Indicator, name: str, output: str) -> Word:
    takes = tuple(VARIED[p.name] for p in entry.parameters if p.name in VARIED)
    is_of_column = entry.inputs == ("x",)
    letters = "bc" if is_of_column else "ab"
    chosen = ", ".join(f"{{{letter}}}" for letter, _ in zip(letters, takes, strict=False))
    plain = entry.name if output == entry.name else name.replace("_", " ")
    said = f"{plain}({chosen})" if chosen else plain
    return Word(
        name=name,
        takes=((k.Column,) if is_of_column else ()) + takes,
        gives=OUTPUTS[name],
        indicator=entry.name,
        output=output,
        columns=() if is_of_column else entry.inputs,
        says=f"{said} of {{a}}" if is_of_column else said,
    )


def _conditions(terms: GrammarTerms) -> Iterator[Word]:
    condition, price, distance = k.Condition, k.Price, k.Distance
    rows: list[tuple[str, tuple[Kind, ...], Kind, tuple[str, ...], str]] = [
        ("both", (condition, condition), condition, ("{a} and {b}",), "({a} and {b})"),
        ("either", (condition, condition), condition, ("{a} or {b}",), "({a} or {b})"),
        ("negation", (condition,), condition, ("not {a}",), "not ({a})"),
        ("ago", (price, k.Shift), price, (), "{a} {b} bars ago"),
        ("above", (price, price), condition, ("{a} > {b}",), "{a} is above {b}"),
        ("crosses_above", (price, price), condition, ("{a} > {b}", "{a1} <= {b1}"), "{a} crosses above {b}"),
        ("crosses_below", (price, price), condition, ("{a} < {b}", "{a1} >= {b1}"), "{a} crosses below {b}"),
        ("far_above", (price, price, k.Multiple), condition, ("{a} - {b} > {c} * {atr}",),
         "{a} is more than {c} ATR above {b}"),
        ("positive", (distance,), condition, ("{a} > 0",), "{a} is above zero"),
        ("turns_positive", (distance,), condition, ("{a} > 0", "{a1} <= 0"), "{a} turns positive"),
        ("turns_negative", (distance,), condition, ("{a} < 0", "{a1} >= 0"), "{a} turns negative"),
        ("wider", (k.Range, k.Range, k.Multiple), condition, ("{a} > {c} * {b}",), "{a} is above {c} times {b}"),
        ("more_volatile", (k.Volatility, k.Volatility), condition, ("{a} > {b}",), "{a} is above {b}"),
        ("stronger", (k.Strength, k.Strength), condition, ("{a} > {b}",), "{a} is above {b}"),
        ("long_only", (condition, condition, k.Stop, k.Target), k.Rule, (), ""),
        ("long_short", (*(condition,) * 4, k.Stop, k.Target), k.Rule, (), ""),
    ]  # fmt: skip
    if terms.has_volume:
        rows += [
            ("busy", (k.Amount, k.Amount, k.Multiple), condition, ("{a} > {c} * {b}",), "{a} is above {c} times {b}"),
            ("rises", (k.Flow, k.Shift), condition, ("{a} > {past}",), "{a} is higher than {b} bars ago"),
        ]
    if terms.has_clock:
        rows += [
            ("before_clock", (k.Clock,), condition, ("ctx.minute < {a}",), "it is before minute {a} of the day"),
            ("after_clock", (k.Clock,), condition, ("ctx.minute >= {a}",), "it is minute {a} of the day or later"),
        ]
    for scale, (kind, level) in SCALES.items():
        pair = (kind, level)
        rows += [
            (f"{scale}_above", pair, condition, ("{a} > {b}",), "{a} is above {b}"),
            (f"{scale}_below", pair, condition, ("{a} < {b}",), "{a} is below {b}"),
            (f"{scale}_rises_over", pair, condition, ("{a} > {b}", "{a1} <= {b}"), "{a} rises over {b}"),
            (f"{scale}_falls_under", pair, condition, ("{a} < {b}", "{a1} >= {b}"), "{a} falls under {b}"),
        ]
    for name, takes, gives, code, says in rows:
        yield Word(name=name, takes=takes, gives=gives, code=code, says=says)
