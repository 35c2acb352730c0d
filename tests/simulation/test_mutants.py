"""The planted bugs: each is found, and how soon is printed at the end of the run."""

from collections.abc import Callable

import pytest

from tests.simulation.lived import live
from tests.simulation.mutants import MUTANTS

pytestmark = pytest.mark.slow


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(name: str, record_property: Callable[[str, object], None]) -> None:
    plant, most = MUTANTS[name]
    with plant():
        for seed in range(most):
            day = live(seed)
            if day.failure:
                record_property("planted bug", f"{name}: found at seed {seed} by {day.failure.split(' at ')[0]}")
                return
    pytest.fail(f"{name} was not found in {most} days")
