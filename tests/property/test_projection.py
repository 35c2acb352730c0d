"""Read models say what the engine says of the same journal, however its rows are cut into batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.charges import LINES
from manjha.engine.state import CHARGED
from manjha.services.read_models import follow, rebuild
from tests.fakes.journaled_runs import ACCOUNT, RUN, Journaled, held, journaled, seen
from tests.fakes.random_runs import random_contracts, random_run
from tests.fakes.records import MemoryReadModels, MemoryWork

EVER = 2**62
SEEDS = st.integers(0, 2**32 - 1)


def made(run: Journaled, batch: int) -> MemoryReadModels:
    work = MemoryWork()
    rebuild(run.journal(), work, run.reference, batch=batch)
    return work.read_models


def assert_same(run: Journaled, models: MemoryReadModels) -> None:
    """Compare orders, positions, fills and their charges with the engine's own records."""
    state = run.state
    orders = models.orders(ACCOUNT, limit=EVER)
    assert sorted(map(seen, orders), key=lambda one: one[0].id) == run.orders()
    assert sum(order.alarms for order in orders) == len(state.book.alarms)
    assert held(models.positions(ACCOUNT)) == run.positions()
    trades = models.trades(ACCOUNT, limit=EVER)
    assert [trade.fill for trade in trades] == state.record_fills
    charged = np.frombuffer(bytes(state.record_charges), np.int64).reshape(-1, CHARGED)
    assert [[getattr(t.charges, line) for line in LINES[:CHARGED]] for t in trades] == charged.tolist()
    activity = models.activity(ACCOUNT, RUN)
    assert activity is not None
    assert (activity.orders, activity.trades) == (len(orders), len(trades))
    assert activity.refusals == len(state.record_refusals)


@settings(max_examples=25)
@given(seed=SEEDS)
def test_they_say_what_the_engine_says_of_shares(seed: int) -> None:
    run = journaled(random_run(seed))
    assert_same(run, made(run, 2_000))


@settings(max_examples=25)
@given(seed=SEEDS)
def test_they_say_what_the_engine_says_of_contracts(seed: int) -> None:
    run = journaled(random_contracts(seed))
    assert_same(run, made(run, 2_000))
