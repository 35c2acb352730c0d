"""One path over ticks: a timeline that grows tick by tick, and one that is known before, give the same run."""

import pytest

from manjha.engine.digest import digest
from manjha.research.tick_drive import run_tick_backtest
from tests.fakes.tick_runs import Chance, TickRun, pumped, random_tick_run


def both(run: TickRun) -> None:
    spec = run.fresh()
    known = run_tick_backtest(spec, run.ticks)
    gone = pumped(run)
    assert isinstance(spec.strategy, Chance)
    assert isinstance(gone.state.strategy, Chance)
    assert gone.state.strategy.seen == spec.strategy.seen
    assert tuple(gone.state.record_fills) == known.fills
    assert tuple(gone.state.record_refusals) == known.refusals
    assert digest(gone.state) == known.state_digest


@pytest.mark.parametrize("seed", range(40))
def test_a_growing_timeline_gives_the_run_of_a_known_one(seed: int) -> None:
    both(random_tick_run(seed))
