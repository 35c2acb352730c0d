"""Runs of the engine whose events and decisions are journaled as they come: what a live process will do."""

from collections.abc import Sequence
from typing import Any

import pytest

from manjha.domain.commands import Output
from manjha.domain.events import Event, MarketAdvanced, OrderFilled
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.journal import Entry
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.orders import AccountId, RunId
from manjha.domain.read_models import OrderView, PositionView
from manjha.engine.journaling import entry_of
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.ports.journal import Journal
from manjha.research import drive
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.services.folding import PositionKey, Reference
from manjha.services.read_models import reference_of
from tests.fakes.journals import MemoryJournal, SharedMemory

ACCOUNT, RUN = AccountId("backtest"), RunId("run-1")


class Journaled:
    """A finished run: its entries in order, and the state that it left."""

    def __init__(self, spec: BacktestSpec, entries: Sequence[Entry], state: EngineState) -> None:
        self.spec, self.entries, self.state = spec, entries, state

    @property
    def reference(self) -> Reference:
        """The instruments as they were before the run, and the rules that it charged by."""
        known = {instrument.id: instrument for instrument in self.spec.instruments}

        def instrument_of(instrument: InstrumentId, _day: TradingDay) -> Instrument | None:
            return known.get(instrument)

        return reference_of(self.spec.rules, instrument_of)

    def orders(self) -> list[tuple[Any, ...]]:
        """What the engine's book says of each order, by id."""
        records = sorted(self.state.book.records.values(), key=lambda record: record.order.id)
        return [
            (r.order, r.qty, r.limit, r.trigger, r.phase, r.filled, r.turnover, r.reason, r.closed_ns) for r in records
        ]

    def positions(self) -> dict[PositionKey, tuple[int, int, int]]:
        """What the engine's portfolio says of each position."""
        held = self.state.portfolio.positions.items()
        return {key: (one.qty, one.cost, one.realised) for key, one in held}

    def journal(self) -> MemoryJournal:
        """A journal in memory that has the entries."""
        journal = MemoryJournal(SharedMemory(ACCOUNT))
        append(journal, self.entries)
        return journal


def append(journal: Journal, entries: Sequence[Entry], run: RunId = RUN) -> None:
    journal.begin(run)
    for at in range(0, len(entries), 500):
        journal.append(entries[at : at + 500])


def journaled(spec: BacktestSpec) -> Journaled:
    """Run a spec and keep what it would have journaled."""
    entries: list[Entry] = []
    states: list[EngineState] = []

    def journaling(state: EngineState, event: Event) -> list[Output]:
        outputs = step(state, event)
        at = _moment(state, event)
        entries.extend(entry_of(value, at) for value in (event, *outputs))
        return outputs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drive, "step", journaling)
        run_backtest(spec, watch=states.append)
    return Journaled(spec, entries, states[0])


def _moment(state: EngineState, event: Event) -> TsNs:
    if isinstance(event, MarketAdvanced):
        return TsNs(state.timeline.close_ns[state.reached - 1])
    return event.fill.ts_ns if isinstance(event, OrderFilled) else event.ts_ns


def seen(view: OrderView) -> tuple[Any, ...]:
    """An order as `Journaled.orders` has it."""
    return (
        view.order, view.qty, view.limit, view.trigger, view.phase, view.filled, view.turnover, view.reason,
        view.closed_ns,
    )  # fmt: skip


def held(views: Sequence[PositionView]) -> dict[PositionKey, tuple[int, int, int]]:
    """Positions as `Journaled.positions` has them."""
    return {(one.strategy, one.instrument, one.product): (one.qty, one.cost, one.realised) for one in views}
