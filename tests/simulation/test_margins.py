"""Days on which the broker is asked what entries need: nothing leaves unanswered, and nothing is held up for ever.

A seed that fails is lived again by `MarginDay(SEED).run()`.
"""

import os
from collections import Counter

import pytest

from tests.simulation.checkers import Violation
from tests.simulation.margins import MarginDay

pytestmark = pytest.mark.slow

SEEDS = int(os.environ.get("SEEDS", "200"))
PARTS = 4
ENOUGH = 50
"""Days from which on every way in which a question may end must have been seen."""


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_leaves_unanswered_on_days_of_chance(part: int) -> None:
    told: Counter[str] = Counter()
    days = range(part, SEEDS, PARTS)
    for seed in days:
        day = MarginDay(seed)
        try:
            day.run()
        except Violation as violation:
            pytest.fail(f"seed {seed}: {violation}")
        told += day.told
    if len(days) >= ENOUGH:
        ends = ("let go", "refused", "assumed", "answered too late", "died meanwhile")
        assert all(told[name] for name in ends), told


def test_a_day_of_questions_is_the_same_when_it_is_lived_again() -> None:
    one, two = MarginDay(5), MarginDay(5)
    one.run()
    two.run()
    assert one.told == two.told
    assert one.shared.head == two.shared.head
