"""Rules as trees, as text, in words, and as strategies that are fit to be read."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manjha.domain.errors import DataError, InvariantBroken
from manjha.domain.orders import Product
from manjha.research.backtest import run_backtest
from manjha.research.evolve.grammar import LEFT_OUT, OUTPUTS, Grammar, GrammarTerms
from manjha.research.evolve.kinds import CONSTANTS, SPREADS, Condition, Kind, Price
from manjha.research.evolve.source import Written, class_of, in_words, mark_of, source_of
from manjha.research.evolve.trees import canonical, parse
from manjha.strategy.indicators import INDICATORS
from manjha.strategy.interface import Strategy
from tests.fakes.evolved import spec_that_returns

ROOT = Path(__file__).parents[2]
LONG = (
    "long_only(both(crosses_above(bollinger_upper(close, 20, 2.5), keltner_middle(20, 1.5)), "
    "far_above(ago(bollinger_lower(close, 20, 2.5), 10), donchian_middle(30), 1.5)), "
    "either(negation(busy(volume, average_volume(20), 2.0)), both(rises(obv, 5), after_clock(900))), 2.0, 6.0)"
)
SHORT = (
    "long_short(percent_below(rsi(close, 2), 30), above(close, vwap), deviations_above(zscore(close, 20), 2.0), "
    "turns_negative(macd_line(close)), 1.5, no_target)"
)
ALL = GrammarTerms(has_clock=True)
BOTH_WAYS = GrammarTerms(has_clock=True, has_short=True)


def test_every_output_of_the_registry_has_a_kind_or_a_reason() -> None:
    names = {
        entry.name if len(entry.outputs) == 1 else f"{entry.name}_{output}"
        for entry in INDICATORS.values()
        for output in entry.outputs
    }
    assert names == OUTPUTS.keys() | LEFT_OUT.keys()
    assert not OUTPUTS.keys() & LEFT_OUT.keys()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("above(close, 30)", Condition),
        ("above(close, rsi(close, 14))", Condition),
        ("percent_below(rsi(close, 14), 33)", Condition),
        ("percent_below(adx_adx(14), 30)", Condition),
        ("above(close)", Condition),
        ("sma(sma(close, 5), 5)", Price),
        ("os", Price),
        ("no_stop", Price),
    ],
)
def test_what_is_not_well_typed_is_refused(text: str, kind: Kind) -> None:
    with pytest.raises(InvariantBroken, match="is no"):
        Grammar(ALL).require(parse(text), kind)


@pytest.mark.parametrize("text", ["", "a +", "f(x=1)", "a.b", "'word'", "True", "f()", "1;2", "(" * 500])
def test_what_is_no_tree_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="no expression tree"):
        parse(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("both(above(open, close), above(high, low))", "both(above(high, low), above(open, close))"),
        ("negation(negation(above(open, close)))", "above(open, close)"),
        ("either(above(open, close), negation(negation(above(open, close))))", "above(open, close)"),
    ],
)
def test_equal_rules_have_one_form(one: str, other: str) -> None:
    assert canonical(parse(one)) == canonical(parse(other))


def test_without_volume_no_word_needs_it() -> None:
    words = Grammar(GrammarTerms(has_volume=False)).words
    assert not {"volume", "average_volume", "vwap", "mfi", "obv", "busy", "rises"} & words.keys()


def test_a_rule_is_said_in_words() -> None:
    assert in_words(parse(SHORT), Grammar(BOTH_WAYS)) == [
        "Buy when rsi(2) of the close is below 30.",
        "Sell when the close is above vwap.",
        "Sell short when zscore(20) of the close is above 2.",
        "Buy back when macd line of the close turns negative.",
        "A stop rests 1.5 ATR of 14 bars from the deciding close.",
    ]


def test_a_docstring_cannot_be_ended_by_what_is_told() -> None:
    told = Written(Product.CNC, 'A "title"""', ('"""', "\\"))
    compile(source_of(LONG, Grammar(ALL), told), "rule", "exec")


def test_a_strategy_says_what_it_needs() -> None:
    made = class_of(LONG, Grammar(ALL), Product.CNC)
    assert made.needs_volume
    assert made.name == f"evolved-{mark_of(LONG)}"
    other = class_of(SHORT, Grammar(BOTH_WAYS), Product.MIS)
    assert other.product is Product.MIS


def literal(source: str, made: type[Strategy]) -> type[Strategy]:
    """Return the strategy with each parameter's default written where it is read."""
    text = re.sub(r"self\.(\w+)", lambda m: repr(made.params[m[1]].default) if m[1] in made.params else m[0], source)
    text = re.sub(r"^    \w+: (int|float) = param\(.*\n", "", text, flags=re.MULTILINE)
    names: dict[str, Any] = {"__name__": "literal"}
    exec(compile(text, "<literal>", "exec"), names)  # noqa: S102
    found: type[Strategy] = names[made.__name__]
    assert not found.params
    return found


RETURNS = (
    "long_only(both(deviations_below(zscore(close, 20), -0.5), far_above(ago(highest(high, 5), 3), low, 0.5)), "
    "either(percent_above(rsi(close, 3), 70), busy(volume, average_volume(20), 0.5)), 2.0, 6.0)"
)


@pytest.mark.parametrize("text", [RETURNS, RETURNS.replace("2.0, 6.0)", "no_stop, no_target)")])
def test_the_defaults_are_what_was_bred(text: str) -> None:
    made = class_of(text, Grammar(ALL), Product.CNC)
    other = literal(source_of(text, Grammar(ALL), Written(Product.CNC)), made)
    spec = spec_that_returns()
    one, two = (run_backtest(msgspec.structs.replace(spec, strategy=each())) for each in (made, other))
    assert len(one.fills) > 20
    assert [(f.ts_ns, f.side, f.qty, f.px) for f in one.fills] == [(f.ts_ns, f.side, f.qty, f.px) for f in two.fills]
    assert one.curve.equity.tolist() == two.curve.equity.tolist()


def test_each_constant_is_a_parameter_with_a_range() -> None:
    made = class_of(RETURNS, Grammar(ALL), Product.CNC)
    assert {name: one.default for name, one in made.params.items()} == {
        "zscore_close_length": 20,
        "zscore_close_level": -0.5,
        "highest_high_length": 5,
        "ago": 3,
        "multiple": 0.5,
        "rsi_close_length": 3,
        "rsi_close_level": 70,
        "sma_volume_length": 20,
        "multiple_2": 0.5,
        "stop": 2.0,
        "target": 6.0,
    }
    assert {type(one.default) for one in made.params.values()} == {int, float}
    assert all(one.low is not None and one.high is not None and one.step for one in made.params.values())
    assert made(stop=3, rsi_close_level=75).values["stop"] == 3.0


def test_a_constant_that_stands_twice_is_one_parameter() -> None:
    text = (
        "long_only(percent_below(rsi(close, 2), 30), either(negation(percent_below(rsi(close, 2), 30)), "
        "above(ago(ago(close, 2), 3), sma(close, 2))), no_stop, no_target)"
    )
    params = class_of(text, Grammar(ALL), Product.CNC).params
    assert {name: one.default for name, one in params.items()} == {
        "rsi_close_length": 2,
        "rsi_close_level": 30,
        "ago": 5,
        "sma_close_length": 2,
    }


def test_every_constant_is_on_a_step_of_its_range() -> None:
    assert SPREADS.keys() == CONSTANTS.keys()
    for kind, values in CONSTANTS.items():
        low, high, step = SPREADS[kind]
        assert all(low <= value <= high and (value - low) % step == 0 for value in values)


@pytest.mark.slow
def test_the_files_are_clean_and_typed(tmp_path: Path) -> None:
    for text, terms in ((LONG, ALL), (SHORT, BOTH_WAYS)):
        told = Written(Product.MIS, "A title.", ("In sample, and held out.",))
        (tmp_path / f"evolved_{mark_of(text)}.py").write_text(source_of(text, Grammar(terms), told), encoding="utf-8")
    config = ["--config", str(ROOT / "pyproject.toml"), "--no-cache", str(tmp_path)]
    typed = ["--strict", "--follow-imports=skip", "--allow-subclassing-any", "--cache-dir", str(tmp_path / "cache")]
    for command in (
        ["ruff", "check", *config],
        ["ruff", "format", "--check", *config],
        ["mypy", *typed, "--config-file", "", *map(str, tmp_path.glob("*.py"))],
    ):
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
