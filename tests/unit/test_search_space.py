"""Ranges as people type them, and conditions on them."""

import pytest

from manjha.domain.errors import UsageError
from manjha.research.search.constraints import parse_constraint
from manjha.research.search.space import Dimension, parse_space, size_of
from manjha.strategy.library.sma_cross import SmaCross
from tests.fakes.searches import Waves

NAMES = ("fast", "slow", "mode")


def space(**words: str) -> tuple[Dimension, ...]:
    return parse_space(Waves.name, Waves.params, words)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5:20:5", (5, 10, 15, 20)),
        ("5:21:5", (5, 10, 15, 20)),
        ("7:9", (7, 8, 9)),
        ("20, 5,20", (20, 5)),
        ("7", (7,)),
        ("*", tuple(range(1, 41))),
    ],
)
def test_whole_numbers(text: str, values: tuple[int, ...]) -> None:
    assert space(length=text)[0].values == values


def test_steps_of_fractions_are_exact() -> None:
    assert space(lots="0.1:0.5:0.1")[0].values == (0.1, 0.2, 0.3, 0.4, 0.5)


def test_a_range_of_fractions_without_step_has_no_end_of_values() -> None:
    found = space(lots="0.5:2", length="1:3")
    assert found[0] == Dimension("lots", (), 0.5, 2.0)
    assert size_of(found) is None


def test_choices_and_switches() -> None:
    assert space(mode="flat,long")[0].values == ("flat", "long")
    assert space(mode="*")[0].values == ("long", "flat")
    assert parse_space("sma-cross", SmaCross.params, {"both_sides": "*"})[0].values == (False, True)
    assert size_of(space(mode="*", length="1:10")) == 20


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        ({}, "nothing to vary", "length (1 to 40)"),
        ({"lenght": "1:3"}, "no parameter 'lenght'", "Did you mean 'length'?"),
        ({"length": "50:5"}, "the range 50:5 of length is empty", "5:50"),
        ({"length": "0:5"}, "a whole number from 1 to 40, was '0'", ""),
        ({"length": "1:5:0"}, "must be above zero", ""),
        ({"length": "1:x"}, "expects low:high or low:high:step, was '1:x'", "length=5:50:5"),
        ({"length": ""}, "no value to try", "length=5:50:5"),
        ({"lots": "0:5:0.00001"}, "500,001 values", "wider step"),
        ({"mode": "short"}, "one of long, flat, was 'short'", ""),
    ],
)
def test_what_cannot_be_varied_is_said(words: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_space(Waves.name, Waves.params, words)
    assert message in raised.value.message
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("fast < slow", True),
        ("slow - fast >= 10 and not mode == 'b'", True),
        ("5 < fast < slow * 2", True),
        ("fast > slow or mode in ('a', 'c')", True),
        ("(fast + 1) % 2 == 0", False),
        ("slow / (fast - 10) > 1", False),
        ("mode < fast", False),
        ("-fast > -slow", True),
        ("mode not in ('b',) and slow / fast == 2.0", True),
    ],
)
def test_conditions_say_what_python_would(text: str, holds: bool) -> None:
    values: dict[str, int | float | bool | str] = {"fast": 10, "slow": 20, "mode": "a"}
    assert parse_constraint(text, NAMES).holds(values) is holds


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "fast.real < 2", "(lambda: fast)() < 1", "fast ** slow > 1", "[fast] == 1",
        "fast if slow else 1", "f'{fast}' == 'a'", "fast[0] > 1", "(fast := 3) > 1", "fast is slow", "~fast < 3",
        "{fast} == 1", "fast <", "fast", "", "fast = 3", "(" * 300 + "fast" + ")" * 300, "b'a' == fast", "... == fast",
        "True < 2j",
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="condition"):
        parse_constraint(text, NAMES)


def test_an_unknown_name_is_told_with_a_near_one() -> None:
    with pytest.raises(UsageError) as raised:
        parse_constraint("fats < slow", NAMES)
    assert "names 'fats', which is no parameter" in raised.value.message
    assert "Did you mean 'fast'?" in raised.value.hint
