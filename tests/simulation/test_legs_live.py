"""Live days of groups of legs in which everything may fail, by seed; `LegDay(seed).run()` repeats one."""

import pytest

from manjha.orders.legs import OVER
from tests.simulation.legs import LegDay

SEEDS = (0, 3, 11, 17, 33, 61, 64, 77, 110)
"""Some in which cancels were refused, orders landed late or the broker closed a leg itself."""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_of_groups_of_legs(seed: int) -> None:
    day = LegDay(seed)
    day.run()
    state = day.processes[-1].state
    assert state.groups
    assert {saga.phase for saga in state.groups.values()} <= OVER


def test_the_days_meet_every_phase_but_one() -> None:
    met: set[str] = set()
    for seed in SEEDS[2:5]:
        day = LegDay(seed)
        day.run()
        met |= day.phases
    assert met >= {"hedging", "entering", "held", "unwinding", "closing", "unwound", "closed"}
