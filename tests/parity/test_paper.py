"""A session on paper, traded again: by its journal, and by a backtest over its ticks."""

import msgspec
import numpy as np
import pytest

from manjha.domain.events import KillSwitched
from manjha.domain.journal import faults
from manjha.domain.kill import EVERYTHING, KillLevel
from manjha.domain.moments import TsNs
from manjha.domain.orders import Product, Purpose
from manjha.engine.digest import digest
from manjha.engine.journaling import value_of
from manjha.research.tick_drive import run_tick_backtest
from manjha.services.replays import Replays, recorded_runs
from manjha.strategy.context import Context
from manjha.strategy.interface import Floats, History, Strategy
from tests.fakes.journals import MemoryJournal
from tests.fakes.paper import Paper
from tests.fakes.segments import MemorySegments
from tests.fakes.tick_runs import TickRun, random_tick_run


def plain(run: TickRun) -> TickRun:
    """Return the run with contract notes and without corporate actions, as paper trading has it."""
    return run._replace(spec=msgspec.structs.replace(run.spec, contract_notes=True, actions=()))


def again(run: TickRun) -> type[Strategy]:
    """Return a class that makes the strategy of a run anew, whatever it is given."""

    class Again(type(run.make())):  # type: ignore[misc]
        name = run.make().name

        def __init__(self, **_given: object) -> None:
            self.__dict__.update(vars(run.make()))

    return Again


def traded(paper: Paper) -> str:
    """Trade all the ticks, write down the end, and return the state's digest."""
    session = paper.start()
    for tick in paper.ticks():
        assert session.on_tick(tick, tick.ts_ns)
    session.pump.finish()
    last = digest(session.trader.state)
    session.tape.recorder.ended(last, session.pump.now_ns)
    return last


@pytest.mark.parametrize("seed", range(16))
def test_the_journal_of_a_paper_session_gives_the_same_decisions_and_state(seed: int) -> None:
    run = plain(random_tick_run(seed))
    paper = Paper(run, "run")
    last = traded(paper)
    journal, segments = MemoryJournal(paper.shared), MemorySegments(paper.shared.head.account, paper.stored)
    assert list(faults(paper.shared.rows, paper.shared.head)) == []
    found = (
        Replays(journal, segments, lambda _name: again(run), run.spec.rules).replay(recorded_runs(journal)[-1]).found
    )
    assert found.difference is None
    assert found.digest == last


def liquid(run: TickRun) -> TickRun:
    """Return the run where whatever trades does so in full and at once."""
    fills = msgspec.structs.replace(run.spec.fills, participation_ppm=0)
    return run._replace(spec=msgspec.structs.replace(run.spec, fills=fills, latency_ns=0, bands={}))


def test_where_nothing_had_to_be_put_right_it_is_the_backtest_over_its_ticks() -> None:
    """What only an account at a broker needs is left out: protection placed again, closing orders waited for."""
    same = 0
    for seed in range(40):
        run = liquid(plain(random_tick_run(seed)))
        known = run_tick_backtest(run.fresh(), run.ticks)
        if not known.orders:
            continue
        paper = Paper(run, known.orders[0].order.origin.run)
        session = paper.start()
        for tick in paper.ticks():
            session.on_tick(tick, tick.ts_ns)
        session.pump.finish()
        desk = session.trader.state.desk
        assert desk is not None
        if paper.calls or desk.unprotected or desk.protect_tries:
            continue
        same += 1
        state = session.trader.state
        fills = [msgspec.structs.replace(fill, origin=known.fills[0].origin) for fill in state.record_fills]
        assert tuple(fills) == known.fills
        assert [sent.order.id for sent in paper.sent] == [record.order.id for record in known.orders]
        assert [one.reason for one in state.record_refusals] == [one.reason for one in known.refusals]
        assert state.portfolio.ledger.charges() == known.charges
    assert same >= 8


@pytest.mark.parametrize("seed", range(10))
def test_a_session_that_is_broken_off_goes_on_where_its_journal_ends(seed: int) -> None:
    run = plain(random_tick_run(seed))
    paper = Paper(run, "run")
    ticks = paper.ticks()
    cuts = sorted(np.random.default_rng(seed).integers(1, len(ticks), 3).tolist())
    session, at = paper.start(), 0
    for cut in [*cuts, len(ticks)]:
        for tick in ticks[at:cut]:
            session.on_tick(tick, tick.ts_ns)
        at = cut
        if cut < len(ticks):
            # The process is gone, and with it whatever it had not written down.
            session = paper.start(int(ticks[cut - 1].ts_ns))
            assert not session.is_new
    session.pump.finish()
    state = session.trader.state
    held = {key: position.qty for key, position in state.portfolio.positions.items() if position.qty}
    summed: dict[object, int] = {}
    for fill in state.record_fills:
        key = (fill.origin.strategy, fill.instrument, fill.product)
        summed[key] = summed.get(key, 0) + fill.qty * int(fill.side)
    assert {tuple(key): qty for key, qty in held.items()} == {key: qty for key, qty in summed.items() if qty}
    assert len({sent.tag for sent in paper.sent}) == len(paper.sent)
    assert list(faults(paper.shared.rows, paper.shared.head)) == []


def test_what_was_thrown_while_nobody_ran_is_taken_over_at_the_start() -> None:
    paper = Paper(plain(random_tick_run(3)), "run")
    paper.thrown.append(KillSwitched(KillLevel.NO_NEW, EVERYTHING, "a test", "me", TsNs(1)))
    traded(paper)
    assert not [command for command in paper.sent if command.order.purpose is Purpose.SIGNAL]
    assert [call.about for call in paper.calls].count("kill switch") == 1
    values = [value_of(row.entry) for row in paper.shared.rows]
    assert [value.level for value in values if isinstance(value, KillSwitched)] == [KillLevel.NO_NEW]


@pytest.mark.failure("F76")
def test_what_is_thrown_while_it_runs_flattens_and_lifting_lets_it_trade_again() -> None:
    paper = Paper(plain(random_tick_run(3)), "run")
    session, ticks = paper.start(), paper.ticks()
    state, at = session.trader.state, 0
    while not list(state.portfolio.open_positions()):
        session.on_tick(ticks[at], ticks[at].ts_ns)
        at += 1
    paper.thrown.append(KillSwitched(KillLevel.FLATTEN, EVERYTHING, "a test", "me", TsNs(1)))
    assert session.hears.hear() == 1
    assert session.hears.hear() == 0
    sent = len(paper.sent)
    paper.thrown.append(KillSwitched(KillLevel.OFF, EVERYTHING, "it was a test", "me", TsNs(2)))
    half = (at + len(ticks)) // 2
    for tick in ticks[at:half]:
        session.on_tick(tick, tick.ts_ns)
    assert not list(state.portfolio.open_positions())
    assert not state.book.open_count
    assert all(command.order.purpose is not Purpose.SIGNAL for command in paper.sent[sent:])

    again = paper.start(session.pump.now_ns)
    assert again.trader.state.control().levels == {}
    for tick in ticks[half:]:
        again.on_tick(tick, tick.ts_ns)
    assert any(command.order.purpose is Purpose.SIGNAL for command in paper.sent[sent:])
    assert list(faults(paper.shared.rows, paper.shared.head)) == []


class Failing(Strategy):
    """Buys with a stop, then raises: in `on_bar`, `on_fill` or `targets`."""

    name = "failing"
    product = Product.MIS

    def init(self, ctx: Context) -> None:
        self.seen = 0

    def on_bar(self, ctx: Context) -> None:
        self.seen += 1
        if self.seen == 3:
            ctx.buy(1, stop=ctx.close[-1] * 0.9)
        elif self.seen >= 5:
            raise LookupError("no such thing")


class FailingTargets(Strategy):
    """Raises in `targets` once some bars have come."""

    name = "failing-targets"
    product = Product.MIS

    def targets(self, history: History) -> Floats:
        if len(history.ts_ns) % 9 == 0:
            raise LookupError("no such thing")
        return np.ones_like(history.column("close"))


@pytest.mark.failure("F70")
@pytest.mark.parametrize("make", [Failing, FailingTargets])
def test_a_strategy_that_raises_is_set_aside_and_a_restart_goes_on(make: type[Strategy]) -> None:
    run = plain(random_tick_run(3, lambda _rng, _product: make))
    paper = Paper(run, "run")
    session, ticks = paper.start(), paper.ticks()
    half = len(ticks) // 2
    for tick in ticks[:half]:
        session.on_tick(tick, tick.ts_ns)
    assert [call.what for call in paper.calls if "LookupError: no such thing" in call.what]
    again = paper.start(session.pump.now_ns)
    for tick in ticks[half:]:
        again.on_tick(tick, tick.ts_ns)
    again.pump.finish()
    again.trader.rest()
    assert not again.trader.state.gate.trading_on
    assert list(faults(paper.shared.rows, paper.shared.head)) == []
