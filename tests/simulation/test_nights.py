"""Nights before which no process saw the day end: what was traded unseen is never adopted, and no exit opens anything.

`NightDay(SEED).run()` lives one again.
"""

import os

import pytest

from tests.simulation.nights import NightDay

pytestmark = pytest.mark.slow

SEEDS = int(os.environ.get("SEEDS", "300"))
PARTS = 5


@pytest.mark.failure("F36")
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", range(PARTS))
def test_what_nobody_saw_is_for_a_person_and_nothing_is_opened_by_it(part: int) -> None:
    unseen = frozen = 0
    for seed in range(part, SEEDS, PARTS):
        night = NightDay(seed)
        night.run()
        unseen += bool(night.unseen)
        frozen += bool(night.frozen)
    assert unseen
    assert 0 < frozen < SEEDS // PARTS
