"""The book of our own orders in one run: what became of each, and which are still open."""

from collections import defaultdict

import msgspec

from manjha.domain.broker import Sight
from manjha.domain.errors import InvariantBroken
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Fill, Order, OrderId, Phase
from manjha.orders.lifecycle import OPEN_PHASES, TRANSITIONS, Happening, Verdict
from manjha.orders.sight import NOTHING_SEEN

# Members by name: in Python 3.11 a look into an enum costs more than the comparison it is for.
_FULL, _PART, _ALARM, _FILLED = Happening.FULLY_FILLED, Happening.PART_FILLED, Verdict.ALARM, Phase.FILLED
_COMPLETED_BY_FILL = frozenset(
    phase for phase in OPEN_PHASES if TRANSITIONS[phase, Happening.FULLY_FILLED] == (Phase.FILLED, Verdict.NORMAL)
)
"""Phases in which the last fill ends an order in the usual way, by the table: what nearly every fill does."""


class AskedTerms(msgspec.Struct, frozen=True, gc=False):
    """New terms that are on their way to the exchange, and the margin (1e-4 rupee) for the old ones and for them.

    `left_old` and `left_new` are what could still trade under either when they were asked for.
    """

    qty: Qty
    limit: Px
    trigger: Px
    reserve_old: int
    reserve_new: int
    left_old: int
    left_new: int


class AtBroker(msgspec.Struct, gc=False):
    """What is known of an order at the broker, beside the record.

    `broker_id` is empty until it is known. `uncertain_ns` is since when its outcome is unknown, `absent` how many
    trustworthy reads have not shown it since it was old enough. `is_leaving` tells that it is to be
    cancelled, `cancels` how often that was sent; `asked_ns` is when the last change was answered, 0 while on its way.
    """

    tag: str
    broker_id: str = ""
    sight: Sight = NOTHING_SEEN
    uncertain_ns: int = 0
    absent: int = 0
    is_leaving: bool = False
    cancels: int = 0
    asked_ns: int = 0


class OrderRecord(msgspec.Struct, gc=False):
    """What became of one order. Owned and changed by the book alone; read by everybody.

    `qty`, `limit` and `trigger` are the present terms. `turnover` is Σ px × qty of its fills in 1e-4 rupee;
    `reserved` is the margin that risk holds for it; while new terms are `asked` for, the larger of both. `at_broker` is
    None where no broker is asked (a backtest).
    """

    order: Order
    qty: Qty
    limit: Px
    trigger: Px
    reserved: int = 0
    phase: Phase = Phase.SENT
    filled: int = 0
    turnover: int = 0
    reason: str = ""
    closed_ns: TsNs = TsNs(0)
    asked: AskedTerms | None = None
    at_broker: AtBroker | None = None

    @property
    def left(self) -> Qty:
        """Quantity that may still trade."""
        return Qty(self.qty - self.filled)

    @property
    def average(self) -> Px:
        """Average price of the fills in 1e-4 rupee, rounded down; 0 without fills."""
        return Px(self.turnover // self.filled) if self.filled else Px(0)


class OrderBook:
    """All orders of a run by id, and the open ones by instrument, in the order they were placed."""

    __slots__ = ("alarms", "open_by_instrument", "open_count", "records")

    def __init__(self) -> None:
        self.records: dict[OrderId, OrderRecord] = {}
        self.open_by_instrument: defaultdict[InstrumentId, dict[OrderId, OrderRecord]] = defaultdict(dict)
        self.open_count = 0
        self.alarms: list[str] = []

    def add(self, order: Order, reserved: int = 0) -> OrderRecord:
        """Enter a new order in phase SENT."""
        order_id = order.id
        record = OrderRecord(order, order.qty, order.limit, order.trigger, reserved)
        if self.records.setdefault(order_id, record) is not record:
            raise InvariantBroken(f"order id {order_id} is used a second time")
        self.open_by_instrument[order.instrument][order_id] = record
        self.open_count += 1
        return record

    def note(self, record: OrderRecord, happening: Happening, ts_ns: TsNs, reason: str = "") -> None:
        """Apply a happening other than a fill."""
        phase, verdict = TRANSITIONS[record.phase, happening]
        if verdict is _ALARM:
            self._alarm(record, happening)
        if phase is not record.phase:
            self._move(record, phase, ts_ns)
        if reason:
            record.reason = reason

    def modify(self, record: OrderRecord, qty: Qty, limit: Px, trigger: Px) -> None:
        """Take over the new terms of a resting order."""
        record.qty, record.limit, record.trigger = qty, limit, trigger

    def fill(self, record: OrderRecord, fill: Fill) -> None:
        """Count a fill, whatever the phase."""
        qty = fill.qty
        filled = record.filled = record.filled + qty
        record.turnover += fill.px * qty
        if filled == record.qty and record.phase in _COMPLETED_BY_FILL:
            order, record.phase, record.closed_ns = record.order, _FILLED, fill.ts_ns
            del self.open_by_instrument[order.instrument][order.id]
            self.open_count -= 1
            return
        happening = _FULL if filled >= record.qty else _PART
        phase, verdict = TRANSITIONS[record.phase, happening]
        if verdict is _ALARM or filled > record.qty:
            self._alarm(record, happening)
        if phase is not record.phase:
            self._move(record, phase, fill.ts_ns)

    def open_orders(self, instrument: InstrumentId | None = None) -> list[OrderRecord]:
        """Return the open orders of one instrument or all, oldest first: a copy, as the book goes on changing."""
        if instrument is not None:
            return list(self.open_by_instrument[instrument].values())
        return [record for records in self.open_by_instrument.values() for record in records.values()]

    def _move(self, record: OrderRecord, phase: Phase, ts_ns: TsNs) -> None:
        was_open, is_open = record.phase in OPEN_PHASES, phase in OPEN_PHASES
        record.phase = phase
        if was_open is is_open:
            return
        order = record.order
        if is_open:
            self.open_by_instrument[order.instrument][order.id] = record
            self.open_count += 1
            record.closed_ns = TsNs(0)
        else:
            del self.open_by_instrument[order.instrument][order.id]
            self.open_count -= 1
            record.closed_ns = ts_ns

    def _alarm(self, record: OrderRecord, happening: Happening) -> None:
        self.alarms.append(f"order {record.order.id} in phase {record.phase} was {happening}")
