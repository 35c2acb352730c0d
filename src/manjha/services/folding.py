"""Read models in the making: what rows of a journal change of orders, trades, positions and runs.

By the same table of an order's life and the same arithmetic of positions as the engine. What each kind of row means is
in `projection` and `broker_folding`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from manjha.domain.charges import ChargeLines
from manjha.domain.commands import Approved, Refused, SubmitOrder
from manjha.domain.errors import JournalHalted
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.journal import Row
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.orders import EXTERNAL, Fill, FillId, Order, OrderId, Product, RunId, StrategyId
from manjha.domain.read_models import (
    Changed,
    NoteView,
    OrderView,
    PositionView,
    Reached,
    RunActivity,
    SentView,
    TradeView,
)
from manjha.engine.journaling import Journaled
from manjha.engine.terms import RunBegun, RunEnded
from manjha.orders.lifecycle import OPEN_PHASES, Happening, Verdict, transition
from manjha.portfolio.positions import traded

InstrumentOf = Callable[[InstrumentId, TradingDay], Instrument | None]
"""Who knows an instrument as of a day; None where nobody does."""
ChargesOf = Callable[[Fill, int, TradingDay], ChargeLines | None]
"""Who knows the charges of a fill, from the turnover of its order before it and the session's day."""
PositionKey = tuple[StrategyId, InstrumentId, Product]
Handlers = Mapping[type, Callable[["Fold", Any], None]]
VERIFY = "`manjha journal verify` says whether it is whole; another one of the same account is another database."


class Reference(msgspec.Struct, frozen=True):
    """Whom a fold asks for what is not in a journal."""

    instrument_of: InstrumentOf
    charges_of: ChargesOf


class Known(msgspec.Struct, frozen=True):
    """What a fold goes on from: how far it came, the rows that the next ones may change, and whom it asks.

    `trades` are those booked since the broker's day began, of those that the next rows speak of.
    """

    reached: Reached
    orders: Mapping[OrderId, OrderView]
    positions: Mapping[PositionKey, PositionView]
    runs: Mapping[RunId, RunActivity]
    reference: Reference
    trades: frozenset[FillId] = frozenset()


class Fold:
    """Rows in the making. `seq` is the row in hand; what was changed is kept apart from what was there.

    `booked` are trades of the broker's day; `tags`, `numbers` and `outside` find the orders of the run by the tag they
    went out with, and those of ours and of others by the broker's number.
    """

    def __init__(self, known: Known, handlers: Handlers) -> None:
        self.known, self.reference, self._handlers = known, known.reference, handlers
        reached = known.reached
        self.account, self.seq, self.hash = reached.account, reached.seq, reached.hash
        self.day, self.strikes, self.desk = reached.day, dict(reached.strikes), reached.desk
        self.orders: dict[OrderId, OrderView] = {}
        self.trades: list[TradeView] = []
        self.notes: list[NoteView] = []
        self.positions: dict[PositionKey, PositionView] = {}
        self.runs: dict[RunId, RunActivity] = {}
        self.booked = set(known.trades)
        self.tags: dict[str, OrderId] = {}
        self.numbers: dict[str, OrderId] = {}
        self.outside: dict[str, OrderId] = {}
        self._doubted: dict[OrderId, None] = {}
        for view in known.orders.values():
            self._find(view)
        self._placed = self._filled = self._told = 0

    def apply(self, row: Row, value: Journaled) -> None:
        """Apply one row."""
        if row.seq != self.seq + 1 or (self.seq and row.previous != self.hash):
            raise JournalHalted(
                f"row {row.seq} does not follow row {self.seq}, which the read models have come to", hint=VERIFY
            )
        self.seq, self.hash = row.seq, row.hash
        self._placed = self._filled = self._told = 0
        strategy, closed_ns = StrategyId(""), TsNs(0)
        if type(value) is Approved:
            if type(value.command) is SubmitOrder:
                strategy = value.command.order.origin.strategy
                self.place(value.command.order, SentView(value.command.tag) if value.command.tag else None)
        elif type(value) is RunBegun:
            strategy = value.origin.strategy
            self._begin(value)
        elif type(value) is RunEnded:
            closed_ns = row.entry.ts_ns
        elif handler := self._handlers.get(type(value)):
            handler(self, value)
        self._count(row, strategy, closed_ns, refusals=int(type(value) is Refused))

    def end(self) -> tuple[Reached, Changed]:
        """Return what has come of it."""
        reached = Reached(self.account, self.seq, self.hash, self.day, self.strikes, self.desk)
        changed = Changed(
            orders=tuple(self.orders.values()),
            trades=tuple(self.trades),
            notes=tuple(self.notes),
            positions=tuple(self.positions.values()),
            runs=tuple(self.runs.values()),
        )
        return reached, changed

    # ---- orders

    def place(self, order: Order, sent: SentView | None = None) -> None:
        """Enter an order that goes out, or that the broker made for us."""
        if order.origin.account != self.account:
            raise JournalHalted(
                f"row {self.seq} places an order of account {order.origin.account} in the journal of {self.account}",
                hint=VERIFY,
            )
        if order.id in self.orders or order.id in self.known.orders:
            raise JournalHalted(f"row {self.seq} places order {order.id} a second time", hint=VERIFY)
        self._placed += 1
        self.put(OrderView(order, order.qty, order.limit, order.trigger, self.seq, self.seq, sent=sent))

    def put(self, view: OrderView) -> None:
        """Take an order as it is now."""
        self.orders[view.order.id] = view
        self._find(view)

    def order(self, order_id: OrderId) -> OrderView:
        """Return an order. Raises `JournalHalted` where no row has placed it."""
        found = self.orders.get(order_id) or self.known.orders.get(order_id)
        if found is None:
            raise JournalHalted(
                f"row {self.seq} speaks of order {order_id}, which no row before it places", hint=VERIFY
            )
        return found

    def in_doubt(self) -> list[OrderView]:
        """Return the orders of the run that are looked for, or of which trades are missing."""
        views = map(self.order, list(self._doubted))
        return [view for view in views if view.sent is not None and (view.sent.is_sought or view.sent.is_short)]

    def note_sent(self, order_id: OrderId, **changes: Any) -> None:
        """Note what is known of an order at the broker; what says nothing new changes nothing."""
        view = self.order(order_id)
        if view.sent is not None:
            sent = msgspec.structs.replace(view.sent, **changes)
            if sent != view.sent:
                self.put(msgspec.structs.replace(view, sent=sent, changed_seq=self.seq))

    def sent_orders(self) -> list[OrderView]:
        """Return the orders of the run that went to the broker, as far as they are known here."""
        return [view for view in {**self.known.orders, **self.orders}.values() if self._is_sent(view)]

    def told(self, order_id: OrderId, happening: Happening, ts_ns: TsNs, **changes: Any) -> None:
        """Note what happened to an order, and what else it changes."""
        view = self.order(order_id)
        phase, verdict = transition(view.phase, happening)
        over = changes.get("filled", 0) > view.qty
        was_open, is_open = view.phase in OPEN_PHASES, phase in OPEN_PHASES
        closed_ns = view.closed_ns if was_open is is_open else TsNs(0) if is_open else ts_ns
        self.orders[order_id] = msgspec.structs.replace(
            view,
            phase=phase,
            alarms=view.alarms + (verdict is Verdict.ALARM or over),
            closed_ns=closed_ns,
            changed_seq=self.seq,
            **changes,
        )

    def filled(self, fill: Fill) -> None:
        """Count a fill of ours: order, trade, position."""
        view = self.order(fill.order_id)
        total = view.filled + fill.qty
        happening = Happening.FULLY_FILLED if total >= view.qty else Happening.PART_FILLED
        turnover = view.turnover + fill.qty * fill.px
        self.book(fill, self.reference.charges_of(fill, view.turnover, self.day))
        self._filled += 1
        self.told(fill.order_id, happening, fill.ts_ns, filled=total, turnover=turnover)
        held = self.held((fill.origin.strategy, fill.instrument, fill.product))
        self.hold(held, *traded(held.qty, held.cost, fill.qty * int(fill.side), fill.px), fill.ts_ns)

    def book(self, fill: Fill, charges: ChargeLines | None) -> None:
        """Write a trade down; those of one row are counted."""
        self.trades.append(TradeView(self.seq, fill, charges, self._told))
        self._told += 1

    # ---- positions

    def held(self, key: PositionKey) -> PositionView:
        """Return what is held by a key, or nothing of it."""
        return self.positions.get(key) or self.known.positions.get(key) or PositionView(self.account, *key)

    def hold(self, held: PositionView, qty: int, cost: int, gain: int, ts_ns: TsNs) -> None:
        """Take a position as it is now."""
        self.positions[held.strategy, held.instrument, held.product] = msgspec.structs.replace(
            held, qty=qty, cost=cost, realised=held.realised + gain, changed_ns=ts_ns, changed_seq=self.seq
        )

    def all_positions(self) -> list[PositionView]:
        """Return all positions, flat ones and what is external too."""
        return list({**self.known.positions, **self.positions}.values())

    def our_positions(self) -> list[PositionView]:
        """Return the positions of strategies."""
        return [held for held in self.all_positions() if held.strategy != EXTERNAL]

    # ---- runs

    def new_book(self) -> None:
        """Forget what the broker has shown: trades and orders of others of before are another day's."""
        self.booked.clear()
        self.outside.clear()

    def _begin(self, terms: RunBegun) -> None:
        """Begin a run: it knows nothing of the broker, nor of what a run before it had there."""
        self.desk = type(self.desk)(terms.origin.run, self.seq, day_seq=self.seq)
        self.tags.clear()
        self.numbers.clear()
        self._doubted.clear()
        self.new_book()
        for held in self.all_positions():
            if held.strategy == EXTERNAL and held.qty:
                self.hold(held, 0, 0, 0, held.changed_ns)

    def _is_sent(self, view: OrderView) -> bool:
        return view.sent is not None and view.placed_seq > self.desk.since and view.order.origin.strategy != EXTERNAL

    def _find(self, view: OrderView) -> None:
        """Let an order be found by its tag and number."""
        if view.order.origin.strategy == EXTERNAL:
            if view.changed_seq > self.desk.day_seq:
                self.outside[view.broker_id] = view.order.id
        elif view.sent is not None and self._is_sent(view):
            self.tags[view.sent.tag] = view.order.id
            if view.broker_id:
                self.numbers[view.broker_id] = view.order.id
            if view.sent.is_sought or view.sent.is_short:
                self._doubted[view.order.id] = None

    def _count(self, row: Row, strategy: StrategyId, closed_ns: TsNs, refusals: int) -> None:
        at = row.entry.ts_ns
        held = self.runs.get(row.run) or self.known.runs.get(row.run)
        if held is None:
            held = RunActivity(self.account, row.run, row.seq, row.seq, at, at)
        self.runs[row.run] = msgspec.structs.replace(
            held,
            last_seq=row.seq,
            last_ns=at,
            strategy=held.strategy or strategy,
            orders=held.orders + self._placed,
            trades=held.trades + self._filled,
            refusals=held.refusals + refusals,
            closed_ns=closed_ns or held.closed_ns,
        )
