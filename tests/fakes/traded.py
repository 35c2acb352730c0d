"""Journals of trading at a broker, the engine's state at their end, and read models compared with it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from manjha.app.trading.trader import restored
from manjha.domain.charges import LINES
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.journal import Entry
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.orders import EXTERNAL, AccountId
from manjha.engine.desk import Desk
from manjha.engine.journaling import EVENT_KINDS, entry_of, value_of
from manjha.engine.state import CHARGED, EngineState
from manjha.ports.read_models import ReadModels
from manjha.research.backtest import BacktestSpec, prepare
from manjha.services.folding import Reference
from manjha.services.read_models import reference_of
from manjha.services.recorded_backtests import terms_of
from tests.fakes.journaled_runs import held
from tests.fakes.journals import MemoryJournal, SharedMemory

EVER = 2**62


class Traded(NamedTuple):
    """Rows of a journal by the process that wrote them, the state at their end, and what the run was made of."""

    rows: Sequence[tuple[str, Entry]]
    state: EngineState
    spec: BacktestSpec

    @property
    def account(self) -> AccountId:
        return self.state.origin.account

    @property
    def reference(self) -> Reference:
        known = {instrument.id: instrument for instrument in self.spec.instruments}

        def instrument_of(instrument: InstrumentId, _day: TradingDay) -> Instrument | None:
            return known.get(instrument)

        return reference_of(self.spec.rules, instrument_of)

    def journal(self) -> MemoryJournal:
        """Return a journal in memory that has nothing yet."""
        return MemoryJournal(SharedMemory(self.account))

    def ends(self) -> list[int]:
        """Return where the rows may be cut so that what was decided on an event is with it."""
        events = [at for at, (_, entry) in enumerate(self.rows) if entry.kind in EVENT_KINDS]
        return [*events[1:], len(self.rows)]

    def until(self, last: int) -> "Traded":
        """Return the journal up to one of its `ends`, with the state at it."""
        state = prepare(self.spec, self.state.origin)
        restored(state, (value_of(entry) for _, entry in self.rows[1:last]))  # type: ignore[misc]
        return Traded(self.rows[:last], state, self.spec)

    def whole(self) -> MemoryJournal:
        """Return a journal that has all of it."""
        journal = self.journal()
        self.write(journal, 0, len(self.rows))
        return journal

    def write(self, journal: Any, first: int, last: int) -> None:
        """Write some of the rows, each under its run."""
        run = None
        for name, entry in self.rows[first:last]:
            if name != run:
                journal.begin(name)
                run = name
            journal.append([entry])


def beginning(spec: BacktestSpec, state: EngineState) -> Entry:
    """Return the row by which a run begins."""
    return entry_of(terms_of(spec, state.origin, "strategy"), TsNs(1))


def assert_as_traded(traded: Traded, models: ReadModels) -> None:
    """Compare everything that read models tell with the engine's books."""
    _assert_orders(traded.state, models)
    _assert_trades(traded.state, models)
    _assert_external(traded.state, models)
    account, state = traded.account, traded.state
    ours = [one for one in models.positions(account) if one.strategy != EXTERNAL]
    there = {tuple(key): (one.qty, one.cost, one.realised) for key, one in state.portfolio.positions.items()}
    assert held(ours) == there


def _assert_orders(state: EngineState, models: ReadModels) -> None:
    views = models.orders(state.origin.account, limit=EVER)
    told = {view.order.id: view for view in views if view.order.origin.strategy != EXTERNAL}
    assert len({view.order.id for view in views}) == len(views)
    # What waited for its turn and was dropped never left, and no row places it.
    left = {record.order.id: record for record in state.book.records.values() if _has_left(record)}
    assert told.keys() == left.keys()
    for order_id, record in left.items():
        view, at = told[order_id], record.at_broker
        assert (view.order, view.qty, view.limit, view.trigger) == (
            record.order, record.qty, record.limit, record.trigger,
        )  # fmt: skip
        assert (view.phase, view.filled, view.turnover, view.reason, view.closed_ns) == (
            record.phase, record.filled, record.turnover, record.reason, record.closed_ns,
        ), record  # fmt: skip
        if at is None:
            assert view.sent is None
            continue
        assert view.sent is not None
        assert (view.broker_id, view.sent.tag, view.sent.sight) == (at.broker_id, at.tag, at.sight)
        assert (view.sent.uncertain_ns, view.sent.absent) == (at.uncertain_ns, at.absent)
    alarms = Counter(alarm.split()[1] for alarm in state.book.alarms if alarm.startswith("order "))
    assert {order_id: view.alarms for order_id, view in told.items() if view.alarms} == alarms
    desk = desk_of(state)
    assert {order_id for order_id, view in told.items() if view.sent and view.sent.is_sought} == set(desk.unconfirmed)
    assert {order_id for order_id, view in told.items() if view.sent and view.sent.is_short} == set(desk.short)


def _has_left(record: Any) -> bool:
    return record.at_broker is not None or record.order.id.startswith("external-")


def _assert_trades(state: EngineState, models: ReadModels) -> None:
    trades = models.trades(state.origin.account, limit=EVER)
    ours = [trade for trade in trades if trade.fill.origin.strategy != EXTERNAL]
    assert [trade.fill for trade in ours] == state.record_fills
    charged = np.frombuffer(bytes(state.record_charges), np.int64).reshape(-1, CHARGED)
    assert [[getattr(trade.charges, line) for line in LINES[:CHARGED]] for trade in ours] == charged.tolist()
    assert len({(trade.seq, trade.number) for trade in trades}) == len(trades)


def _assert_external(state: EngineState, models: ReadModels) -> None:
    account, desk = state.origin.account, desk_of(state)
    positions = [one for one in models.positions(account) if one.strategy == EXTERNAL and one.qty]
    assert {(one.instrument, one.product): one.qty for one in positions} == {
        key: qty for key, qty in desk.external.items() if qty
    }
    views = [view for view in models.orders(account, limit=EVER) if view.order.origin.strategy == EXTERNAL]
    shown = {view.broker_id: view for view in views}
    for number, one in desk.external_orders.items():
        view = shown[number]
        assert (view.order.instrument, view.qty, view.order.type) == (one.seen.instrument, one.seen.qty, one.seen.type)
        # The engine counts anew each day.
        assert view.filled >= one.counted
        assert view.changed_seq > models.reached(account).desk.day_seq
    known = models.reached(account).desk
    assert (known.epoch, known.was_compared, known.run) == (desk.epoch, desk.was_compared, state.origin.run)
    assert {(one.instrument, one.product): one.qty for one in known.suspects} == desk.suspects
    assert {(one.instrument, one.product): one.qty for one in known.standing} == desk.standing
    assert known.closed_ns == desk.closed_ns
    assert {name: int(one.qty) for name, one in known.gone.items()} == desk.gone
    assert list(known.thawed) == list(desk.thawed)
    assert sorted(map(repr, known.loose)) == sorted(repr(one) for some in desk.loose.values() for one in some)


def desk_of(state: EngineState) -> Desk:
    assert state.desk is not None
    return state.desk
