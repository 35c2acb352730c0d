"""The planted bugs: each is found, and how soon is printed at the end of the run."""

from collections.abc import Callable

import pytest

from tests.simulation.hashed import SEEDS, hashes
from tests.simulation.lived import live
from tests.simulation.mutants import MUTANTS, OF_BOUNDS, OF_ORDER
from tests.simulation.storms import storms

pytestmark = pytest.mark.slow
DAYS = 6
"""Days that are lived under each hash seed."""
Record = Callable[[str, object], None]


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_bug_is_found(name: str, record_property: Record) -> None:
    record_property("planted", name)
    plant, most = MUTANTS[name]
    with plant():
        for seed in range(most):
            day = live(seed)
            if day.failure:
                record_property("planted bug", f"{name}: found at seed {seed} by {day.failure.split(' at ')[0]}")
                return
    pytest.fail(f"{name} was not found in {most} days")


def test_no_queue_grows_beyond_its_bound() -> None:
    assert storms() == ""


@pytest.mark.parametrize("name", OF_BOUNDS)
def test_a_queue_without_bound_is_found(name: str, record_property: Record) -> None:
    record_property("planted", name)
    with OF_BOUNDS[name]():
        found = storms()
    assert found.startswith("INV-25")
    record_property("planted bug", f"{name}: found by {found}")


@pytest.mark.timeout(1_800)
def test_days_are_the_same_under_every_hash_seed() -> None:
    assert len(set(hashes(DAYS).values())) == 1


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", OF_ORDER)
def test_an_order_that_a_set_has_is_found(name: str, record_property: Record) -> None:
    record_property("planted", name)
    found = hashes(DAYS, name)
    assert len(set(found.values())) > 1
    differs = next(seed for seed in SEEDS if found[seed] != found[SEEDS[0]])
    record_property("planted bug", f"{name}: found by other days under PYTHONHASHSEED {SEEDS[0]} and {differs}")
