"""Rules as trees, as text, in words, and as strategies that are fit to be read."""

import subprocess
import sys
from pathlib import Path

import pytest

from manjha.domain.errors import DataError, InvariantBroken
from manjha.domain.orders import Product
from manjha.research.evolve.grammar import LEFT_OUT, OUTPUTS, Grammar, GrammarTerms
from manjha.research.evolve.kinds import Condition, Kind, Price
from manjha.research.evolve.source import Written, class_of, in_words, mark_of, source_of
from manjha.research.evolve.trees import canonical, parse
from manjha.strategy.indicators import INDICATORS

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
