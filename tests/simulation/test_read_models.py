"""Read models of days at a broker full of faults say what the engine's books say, wherever the journal is cut.

Days of chance end healed, so the same events are made worse as well: trades that come late, positions that are wrong,
numbers that are given twice, days that end in doubt. `compared(disturbed(traded(Day(SEED)), SEED), SEED)` repeats one.
"""

import os
import random
from collections import Counter

import pytest

from manjha.engine.journaling import EVENT_KINDS, value_of
from manjha.engine.step import step
from manjha.research.backtest import prepare
from manjha.services.read_models import follow, rebuild
from tests.fakes.paper import Paper
from tests.fakes.records import MemoryWork
from tests.fakes.tick_runs import random_tick_run
from tests.fakes.traded import Traded, assert_as_traded
from tests.parity.test_paper import plain
from tests.simulation.day import Day
from tests.simulation.journals import disturbed, traded
from tests.simulation.legs import LegDay

SEEDS = int(os.environ.get("SEEDS", "200"))
DOUBTS = ("unconfirmed", "short", "loose", "suspects", "thawed", "external", "external_orders", "was_compared")


def compared(lived: Traded, seed: int) -> Counter[str]:
    """Step through a journal, comparing here and there, oftener in doubt; return in which doubts it was compared."""
    rng, state, met = random.Random(seed), prepare(lived.spec, lived.state.origin), Counter[str]()
    journal, work, written = lived.journal(), MemoryWork(), 0
    for at, (_, entry) in enumerate(lived.rows):
        if entry.kind not in EVENT_KINDS:
            continue
        desk = state.desk
        in_doubt = desk is not None and (desk.loose or desk.suspects or desk.short or desk.unconfirmed)
        if desk is not None and rng.random() < (0.03 if in_doubt else 0.003):
            lived.write(journal, written, at)
            written = at
            make = rebuild if rng.random() < 0.3 else follow
            make(journal, work, lived.reference, batch=rng.choice((1, 9, 2_000)))
            assert_as_traded(lived._replace(state=state), work.read_models)
            met.update(name for name in DOUBTS if getattr(desk, name))
        step(state, value_of(entry))  # type: ignore[arg-type]
    lived.write(journal, written, len(lived.rows))
    follow(journal, work, lived.reference, batch=rng.choice((1, 9, 2_000)))
    assert_as_traded(lived, work.read_models)
    whole = MemoryWork()
    rebuild(journal, whole, lived.reference, batch=len(lived.rows))
    assert whole.read_models.rows == work.read_models.rows
    return met


def test_days_of_chance_are_told_as_the_engine_has_them() -> None:
    met = Counter[str]()
    for seed in range(12):
        met += compared(traded(Day(seed)), seed)
    assert met["unconfirmed"]


def test_worse_days_are_told_as_the_engine_has_them() -> None:
    met = Counter[str]()
    for seed in range(25):
        met += compared(disturbed(traded(Day(seed)), seed), seed)
    assert met.keys() == set(DOUBTS)


@pytest.mark.parametrize("seed", [0, 11, 34])
def test_days_of_groups_of_legs_are_told_as_the_engine_has_them(seed: int) -> None:
    lived = traded(LegDay(seed))
    compared(lived, seed)
    compared(disturbed(lived, seed), seed)


@pytest.mark.parametrize("seed", range(8))
def test_a_session_on_paper_that_was_broken_off_is_told_as_the_engine_has_it(seed: int) -> None:
    paper, rng = Paper(plain(random_tick_run(seed)), "run"), random.Random(seed)
    ticks, at = paper.ticks(), 0
    session = paper.start()
    for cut in (*sorted(rng.sample(range(1, len(ticks)), 3)), len(ticks)):
        for tick in ticks[at:cut]:
            session.on_tick(tick, tick.ts_ns)
        at = cut
        if cut < len(ticks):
            session = paper.start(int(ticks[cut - 1].ts_ns))
    session.pump.finish()
    session.trader.rest()
    rows = [(row.run, row.entry) for row in paper.shared.rows]
    lived = Traded(rows, session.trader.state, paper.run.spec)
    for batch in (1, 17, len(rows)):
        work = MemoryWork()
        rebuild(lived.whole(), work, lived.reference, batch=batch)
        assert_as_traded(lived, work.read_models)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("part", range(10))
def test_many_days(part: int) -> None:
    for seed in range(10_000 + part, 10_000 + SEEDS, 10):
        lived = traded((LegDay if seed % 3 == 0 else Day)(seed))
        compared(lived, seed)
        compared(disturbed(lived, seed), seed)
