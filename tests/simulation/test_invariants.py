"""The table of invariants is the one that the checkers make, none is left out, and each new checker can fail."""

import ast
from collections.abc import Callable

import pytest

from tests.simulation.data_mutants import OF_DATA
from tests.simulation.invariants import ELSEWHERE, INVARIANTS, PAGE, TESTS, page, simulated
from tests.simulation.lived import live


def test_the_page_is_the_one_that_the_checkers_make() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run: python -m tests.simulation.invariants"


def test_every_invariant_is_checked_somewhere() -> None:
    found = simulated()
    assert list(INVARIANTS) == [f"{number:02}" for number in range(1, 31)]
    assert set(found) <= set(INVARIANTS)
    alone = {number for number, (why, _) in ELSEWHERE.items() if why}
    assert alone == set(INVARIANTS) - set(found)


@pytest.mark.parametrize("name", [name for _, names in ELSEWHERE.values() for name in names])
def test_what_is_shown_elsewhere_is_there(name: str) -> None:
    file, _, function = name.partition("::")
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", OF_DATA)
def test_a_planted_bug_of_time_or_data_is_found(name: str, record_property: Callable[[str, object], None]) -> None:
    record_property("planted", name)
    plant, most, invariant = OF_DATA[name]
    with plant():
        for seed in range(most):
            failure = live(seed).failure
            if failure:
                assert failure.startswith(invariant)
                record_property("planted bug", f"{name}: found at seed {seed} by {invariant}")
                return
    pytest.fail(f"{name} was not found in {most} days")
