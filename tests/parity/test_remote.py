"""Days of ticks traded at an exchange that is a network away: its book and ours are one, and the journal says how."""

import asyncio

import numpy as np
import pytest

from manjha.adapters.feeds.replayed import ReplayedFeed
from manjha.app.trading.live import far_session
from manjha.app.trading.loop import Ended, Loop, People
from manjha.app.trading.session import Session
from manjha.app.trading.steady_clock import SteadyClock
from manjha.domain.broker import ENDED
from manjha.domain.instrument import InstrumentId
from manjha.domain.journal import faults
from manjha.domain.moments import TsNs
from manjha.engine.digest import digest
from manjha.services.replays import Replays, recorded_runs
from tests.fakes.journals import MemoryJournal, SharedMemory
from tests.fakes.paper import Paper
from tests.fakes.remote import ACCOUNT, NoKill, Remote, Silent
from tests.fakes.segments import MemorySegments
from tests.fakes.tick_runs import TickRun, random_tick_run
from tests.parity.test_paper import again, liquid, plain

ONE_DAY = (0, 2, 3)
"""Seeds of runs of a single day: virtual nights are long."""
pytestmark = pytest.mark.slow


def replayed(run: TickRun, shared: SharedMemory, stored: dict[int, bytes], session: Session) -> None:
    """See that the journal is whole and steps through to the very same decisions and state."""
    assert list(faults(shared.rows, shared.head)) == []
    last = digest(session.trader.state)
    session.tape.recorder.ended(last, session.pump.now_ns)
    journal, segments = MemoryJournal(shared), MemorySegments(ACCOUNT, stored)
    replays = Replays(journal, segments, lambda _name: again(run), run.spec.rules)
    found = replays.replay(recorded_runs(journal)[-1]).found
    assert found.difference is None
    assert found.digest == last


def agree(remote: Remote, session: Session) -> None:
    """See that our book is the exchange's: fills to the last 1e-4 rupee, positions, cash, what is open."""
    state, exchange = session.trader.state, remote.exchange
    ours = {(fill.id, fill.order_id, fill.side, fill.qty, fill.px, fill.ts_ns) for fill in state.record_fills}
    assert ours == {(fill.id, fill.order_id, fill.side, fill.qty, fill.px, fill.ts_ns) for fill in exchange.traded}
    held: dict[tuple[str, str], int] = {}
    for position in state.portfolio.open_positions():
        key = (position.key.instrument, str(position.key.product))
        held[key] = held.get(key, 0) + position.qty
    there = {(one.instrument, str(one.product)): int(one.qty) for one in exchange.positions()}
    assert {key: qty for key, qty in held.items() if qty} == there
    paid = sum(fill.px * fill.qty * int(fill.side) for fill in exchange.traded)
    worth = sum(qty * state.marks[InstrumentId(name)] for (name, _), qty in there.items())
    assert state.equity() == remote.spec.initial - paid + worth - state.portfolio.ledger.charges().total
    resting = {one.broker_id for one in exchange.orders() if one.status not in ENDED}
    open_orders = list(state.book.open_orders())
    assert {record.at_broker.broker_id for record in open_orders if record.at_broker is not None} == resting
    desk = state.desk
    assert desk is not None
    assert desk.is_compared
    assert not desk.external


@pytest.mark.parametrize("seed", ONE_DAY)
@pytest.mark.parametrize("way_s", [0.05, 1.5])
def test_a_day_ends_with_the_book_of_the_exchange_and_replays_as_recorded(seed: int, way_s: float) -> None:
    run = plain(random_tick_run(seed))
    remote = Remote(run, way_s=way_s)
    session, ended = remote.live()
    assert ended is Ended.FEED
    agree(remote, session)
    replayed(run, remote.shared, remote.stored, session)


@pytest.mark.parametrize("seed", ONE_DAY)
def test_a_day_of_stops_and_starts_ends_with_the_book_of_the_exchange(seed: int) -> None:
    run = plain(random_tick_run(seed))
    remote = Remote(run)
    cuts = np.random.default_rng(seed).integers(remote.ticks[0].ts_ns, remote.ticks[-1].ts_ns, 4)
    session = None
    for cut in sorted(cuts.tolist()):
        session, _ = remote.live((int(cut), Loop.stop))
    session, ended = remote.live()
    assert not session.is_new
    assert ended is Ended.FEED
    agree(remote, session)
    assert len({command.tag for command in remote.exchange.placed}) == len(remote.exchange.placed)
    replayed(run, remote.shared, remote.stored, session)


@pytest.mark.parametrize("seed", range(16))
def test_as_fast_as_it_goes_it_trades_what_paper_trades(seed: int) -> None:
    """The time of a recording stands while a request is on its way, so that answers come at the moment of asking."""
    run = liquid(plain(random_tick_run(seed)))
    here, there = Paper(run, "run"), Paper(run, "run", begin=far_session)
    session = here.start()
    for tick in here.ticks():
        session.on_tick(tick, tick.ts_ns)
    session.pump.finish()
    far = recorded(there)
    assert [(one.order.id, one.order.decided_ns, one.order.qty) for one in here.sent] == [
        (one.order.id, one.order.decided_ns, one.order.qty) for one in there.sent
    ]
    mine, theirs = session.trader.state, far.trader.state
    assert mine.record_fills == theirs.record_fills
    assert mine.portfolio.ledger.charges() == theirs.portfolio.ledger.charges()


def recorded(paper: Paper) -> Session:
    """Trade the ticks as a recording, as fast as it goes."""
    session = paper.start()
    clock = Still()
    loop = Loop(
        session,
        ReplayedFeed(paper.ticks(), clock),
        People(None, NoKill()),
        Silent(),
        SteadyClock(clock.now_ns, clock.now_ns),
    )
    assert asyncio.run(loop.run()) is Ended.FEED
    return session


class Still:
    """A clock that nobody looks at."""

    def now_ns(self) -> TsNs:
        return TsNs(0)

    def wait_until(self, ts_ns: TsNs) -> None:
        raise AssertionError("nobody waits")
