"""The book of our own orders in one run: what became of each, and which are still open."""

from collections.abc import Iterator

from manjha.domain.errors import invariant
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import Fill, Order, OrderId, Phase
from manjha.orders.lifecycle import Happening, Verdict, transition


class OrderRecord:
    """What became of one order. Owned and changed by the book alone; read by everybody.

    `turnover` is Σ px × qty of its fills in 1e-4 rupee; `reserved` is the margin that risk holds for it.
    """

    __slots__ = (
        "closed_ns", "filled", "limit", "order", "phase", "qty", "reason", "reserved", "trigger", "turnover",
    )  # fmt: skip

    def __init__(self, order: Order, reserved: int = 0) -> None:
        self.order = order
        self.phase = Phase.SENT
        self.qty = order.qty
        self.limit = order.limit
        self.trigger = order.trigger
        self.filled = Qty(0)
        self.turnover = Cash(0)
        self.reserved = reserved
        self.reason = ""
        self.closed_ns = TsNs(0)

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

    __slots__ = ("alarms", "children", "open_by_instrument", "open_count", "records")

    def __init__(self) -> None:
        self.records: dict[OrderId, OrderRecord] = {}
        self.open_by_instrument: dict[InstrumentId, dict[OrderId, OrderRecord]] = {}
        self.children: dict[OrderId, list[OrderId]] = {}
        self.open_count = 0
        self.alarms: list[str] = []

    def add(self, order: Order, reserved: int = 0) -> OrderRecord:
        """Enter a new order in phase SENT."""
        invariant(order.id not in self.records, "an order id is used once")
        record = self.records[order.id] = OrderRecord(order, reserved)
        self.open_by_instrument.setdefault(order.instrument, {})[order.id] = record
        self.open_count += 1
        if order.parent is not None:
            self.children.setdefault(order.parent, []).append(order.id)
        return record

    def note(self, record: OrderRecord, happening: Happening, ts_ns: TsNs, reason: str = "") -> None:
        """Apply a happening other than a fill."""
        phase, verdict = transition(record.phase, happening)
        if verdict is Verdict.ALARM:
            self._alarm(record, happening)
        self._move(record, phase, ts_ns)
        if reason:
            record.reason = reason

    def modify(self, record: OrderRecord, qty: Qty, limit: Px, trigger: Px) -> None:
        """Take over the new terms of a resting order."""
        record.qty, record.limit, record.trigger = qty, limit, trigger

    def fill(self, record: OrderRecord, fill: Fill) -> None:
        """Count a fill, whatever the phase."""
        record.filled = Qty(record.filled + fill.qty)
        record.turnover = Cash(record.turnover + fill.px * fill.qty)
        full = record.filled >= record.qty
        happening = Happening.FULLY_FILLED if full else Happening.PART_FILLED
        phase, verdict = transition(record.phase, happening)
        if verdict is Verdict.ALARM or record.filled > record.qty:
            self._alarm(record, happening)
        self._move(record, phase, fill.ts_ns)

    def open_orders(self, instrument: InstrumentId | None = None) -> Iterator[OrderRecord]:
        """Yield the open orders, oldest first, of one instrument or all."""
        if instrument is not None:
            yield from list(self.open_by_instrument.get(instrument, {}).values())
            return
        for records in list(self.open_by_instrument.values()):
            yield from list(records.values())

    def _move(self, record: OrderRecord, phase: Phase, ts_ns: TsNs) -> None:
        if phase is record.phase:
            return
        still_open = phase is Phase.WORKING or phase is Phase.SENT or phase is Phase.UNCONFIRMED
        order = record.order
        was_open = order.id in self.open_by_instrument.setdefault(order.instrument, {})
        record.phase = phase
        if was_open and not still_open:
            del self.open_by_instrument[order.instrument][order.id]
            self.open_count -= 1
            record.closed_ns = ts_ns
        elif still_open and not was_open:
            self.open_by_instrument[order.instrument][order.id] = record
            self.open_count += 1

    def _alarm(self, record: OrderRecord, happening: Happening) -> None:
        self.alarms.append(f"order {record.order.id} in phase {record.phase} was {happening}")
