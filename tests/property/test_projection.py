"""Read models say what the engine says of the same journal, however its rows are cut into batches."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.charges import LINES
from manjha.domain.orders import RunId
from manjha.domain.read_models import Reached
from manjha.engine.journaling import value_of
from manjha.engine.state import CHARGED
from manjha.research.backtest import BacktestSpec
from manjha.services.folding import Known
from manjha.services.projection import project
from manjha.services.read_models import follow, rebuild
from tests.fakes.journaled_runs import ACCOUNT, RUN, Journaled, append, held, journaled, seen
from tests.fakes.journals import MemoryJournal, SharedMemory
from tests.fakes.random_runs import random_contracts, random_run
from tests.fakes.records import MemoryReadModels, MemoryWork
from tests.property.test_core_laws import random_spec

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


@settings(max_examples=15)
@given(seed=SEEDS)
def test_they_say_what_the_engine_says_of_orders_of_every_kind(seed: int) -> None:
    run = journaled(random_spec(seed))
    assert_same(run, made(run, 2_000))


@settings(max_examples=30)
@given(seed=SEEDS, make=st.sampled_from([random_run, random_contracts, random_spec]), data=st.data())
def test_batches_of_any_size_stops_and_beginnings_anew_give_the_same(
    seed: int, make: Callable[[int], BacktestSpec], data: st.DataObject
) -> None:
    run = journaled(make(seed))
    whole = made(run, len(run.entries) + 1)
    assert (whole.mark, whole.rows) == in_one_piece(run)
    work, journal = MemoryWork(), MemoryJournal(SharedMemory(ACCOUNT))
    cuts = data.draw(st.lists(st.integers(0, len(run.entries)), max_size=4).map(sorted))
    journal.begin(RUN)
    for first, last in pairwise([0, *cuts, len(run.entries)]):
        journal.append(run.entries[first:last])
        batch = data.draw(st.integers(1, 400))
        make_again = data.draw(st.booleans())
        (rebuild if make_again else follow)(journal, work, run.reference, batch=batch)
    assert (work.read_models.mark, work.read_models.rows) == (whole.mark, whole.rows)


def in_one_piece(run: Journaled) -> tuple[Reached, dict[tuple[str, object], object]]:
    """Fold all rows by hand, without a batch or a store."""
    reads = [(row, value_of(row.entry)) for row in run.journal().rows()]
    reached, changes = project(Known(Reached(ACCOUNT), {}, {}, {}, run.reference), reads)
    models = MemoryReadModels()
    models.write(Reached(ACCOUNT), reached, changes)
    return reached, models.rows


def test_a_second_run_of_the_account_goes_on_with_what_it_holds() -> None:
    first, second = journaled(random_spec(3)), journaled(random_spec(4))
    journal, work = first.journal(), MemoryWork()
    follow(journal, work, first.reference)
    append(journal, second.entries, RunId("run-2"))
    followed = follow(journal, work, first.reference, batch=100)
    models = work.read_models
    assert (followed.before.seq, followed.reached.seq) == (len(first.entries), journal.head().seq)
    [position] = models.positions(ACCOUNT)
    fills = [trade.fill for trade in models.trades(ACCOUNT, limit=EVER)]
    assert fills == first.state.record_fills + second.state.record_fills
    assert position.qty == sum(int(fill.side) * fill.qty for fill in fills)
    paid = sum(int(fill.side) * fill.qty * fill.px for fill in fills)
    assert position.realised == position.cost - paid
    assert models.activity(ACCOUNT, RUN) != models.activity(ACCOUNT, RunId("run-2"))
