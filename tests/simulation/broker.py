"""The truth: an account at a broker, with a book of its own that shares no code with ours."""

from dataclasses import dataclass, field
from functools import partial

from manjha.domain.broker import BrokerStatus, OrderSeen, PositionSeen, Source, TradeSeen
from manjha.domain.commands import SubmitOrder
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import FillId, OrderType, Product, Side
from tests.simulation.world import World


@dataclass
class Placed:
    """One order as it really is."""

    broker_id: str
    tag: str
    instrument: InstrumentId
    side: int
    qty: int
    type: OrderType
    product: Product
    limit: int
    trigger: int
    by_broker: bool = False
    status: BrokerStatus = BrokerStatus.PENDING
    filled: int = 0
    changed_ns: int = 0
    reason: str = ""
    trades: list[TradeSeen] = field(default_factory=list)

    @property
    def is_live(self) -> bool:
        return self.status not in (BrokerStatus.COMPLETE, BrokerStatus.CANCELLED, BrokerStatus.REJECTED)


class FakeBroker:
    """Takes what arrives, trades by chance near the mark, and shows what it has."""

    def __init__(self, world: World, marks: dict[InstrumentId, int]) -> None:
        self.world = world
        self.marks = marks
        self.orders: dict[str, Placed] = {}
        self.positions: dict[tuple[InstrumentId, Product], int] = {}
        self.is_open = True
        self.session_until = 2**62
        self.hinted: list[str] = []
        self.hidden: set[str] = set()
        self._ids = 0

    # ---- requests that arrive

    def place(self, command: SubmitOrder, now_ns: int) -> tuple[str, str]:
        """Take an order; return its number, or why it is refused."""
        order = command.order
        if not self.is_open:
            return "", "the market is closed"
        if self.world.chance("reject"):
            return "", "insufficient funds"
        placed = Placed(
            self.new_id(), command.tag, order.instrument, int(order.side), order.qty, order.type, order.product,
            order.limit, order.trigger, changed_ns=now_ns,
        )  # fmt: skip
        self.enter(placed)
        return placed.broker_id, ""

    def new_id(self) -> str:
        """Return a number that no order has."""
        self._ids += 1
        return f"2511300{self._ids:08}"

    def enter(self, placed: Placed) -> None:
        """Enter an order in the book and let it live."""
        self.orders[placed.broker_id] = placed
        self.world.after(0.02 + self.world.rng.random() * 0.2, partial(self._opens, placed))

    def cancel(self, number: str) -> str:
        """Take a cancel; return why not."""
        placed = self.orders.get(number)
        if placed is None or not placed.is_live:
            return "order cannot be cancelled, it is complete or cancelled"
        if self.world.chance("cancel_refused"):
            return "order is being processed, try later"
        if self.world.chance("fill_in_cancel"):
            self._trade(placed, placed.qty - placed.filled)
            return ""
        placed.status = BrokerStatus.CANCEL_PENDING
        wait = self.world.rng.random() * (20.0 if self.world.chance("slow_cancel") else 0.3)
        self.world.after(wait, partial(self._cancelled, placed, "cancelled by user"))
        return ""

    def modify(self, number: str, qty: int, limit: int, trigger: int) -> str:
        """Take new terms; return why not."""
        placed = self.orders.get(number)
        if placed is None or not placed.is_live or qty <= placed.filled:
            return "order cannot be modified"
        if self.world.chance("modify_ignored"):
            return ""
        self.world.after(self.world.rng.random() * 0.3, partial(self._modified, placed, qty, limit, trigger))
        return ""

    # ---- what happens to orders

    def _opens(self, placed: Placed) -> None:
        if placed.status is not BrokerStatus.PENDING:
            return
        waits = placed.type in (OrderType.SL, OrderType.SL_M)
        self._change(placed, BrokerStatus.TRIGGER_PENDING if waits else BrokerStatus.OPEN)
        if placed.type is OrderType.MARKET:
            self.world.after(self.world.rng.random() * 1.5, partial(self._trades_on, placed))

    def _trades_on(self, placed: Placed) -> None:
        """Trade an order to its end, in parts."""
        if not placed.is_live or not self.is_open:
            return
        left = placed.qty - placed.filled
        part = self.world.rng.randint(1, left) if self.world.chance("part_fill") else left
        self._trade(placed, part)
        if placed.is_live:
            self.world.after(self.world.rng.random() * 3, partial(self._trades_on, placed))

    def market_moved(self) -> None:
        """Look at what rests, after the marks have moved."""
        for placed in list(self.orders.values()):
            if not placed.is_live or placed.status is BrokerStatus.PENDING or placed.type is OrderType.MARKET:
                continue
            mark = self.marks[placed.instrument]
            if placed.trigger and placed.status is BrokerStatus.TRIGGER_PENDING:
                if (mark - placed.trigger) * placed.side >= 0:
                    self._change(placed, BrokerStatus.OPEN)
                    self.world.after(self.world.rng.random(), partial(self._trades_on, placed))
            elif placed.limit and (placed.limit - mark) * placed.side >= 0:
                self.world.after(self.world.rng.random(), partial(self._trades_on, placed))

    def close_market(self) -> None:
        """End the day: what rests is gone."""
        self.is_open = False
        for placed in self.orders.values():
            if placed.is_live:
                self._cancelled(placed, "the day ended")

    def _trade(self, placed: Placed, qty: int) -> None:
        if qty <= 0:
            return
        slip = self.world.rng.randint(-4, 4) * 500
        px = placed.limit or max(500, self.marks[placed.instrument] + slip)
        placed.filled += qty
        trade = self.trade_of(placed, qty, FillId(f"T{placed.broker_id}-{len(placed.trades)}"), px)
        placed.trades.append(trade)
        key = (placed.instrument, placed.product)
        self.positions[key] = self.positions.get(key, 0) + qty * placed.side
        self._change(placed, BrokerStatus.COMPLETE if placed.filled >= placed.qty else placed.status)

    def trade_of(self, placed: Placed, qty: int, name: FillId, px: int = 5_000_000) -> TradeSeen:
        """Return how a trade of an order is shown."""
        return TradeSeen(
            name, placed.broker_id, placed.instrument, Side(placed.side), Qty(qty), Px(px), placed.product,
            TsNs(self.world.now_ns),
        )  # fmt: skip

    def _cancelled(self, placed: Placed, reason: str) -> None:
        if not placed.is_live:
            return
        placed.reason = reason
        self._change(placed, BrokerStatus.CANCELLED)
        if placed.filled < placed.qty and self.is_open and self.world.chance("fill_after_cancel"):
            self._trade(placed, 1)
            placed.status = BrokerStatus.CANCELLED if placed.filled < placed.qty else placed.status

    def _modified(self, placed: Placed, qty: int, limit: int, trigger: int) -> None:
        if placed.is_live and qty > placed.filled:
            placed.qty, placed.limit, placed.trigger = qty, limit, trigger
            self._change(placed, placed.status)

    def _change(self, placed: Placed, status: BrokerStatus) -> None:
        placed.status, placed.changed_ns = status, self.world.now_ns
        self.hinted.append(placed.broker_id)

    # ---- what it shows

    def shown(self) -> list[OrderSeen]:
        """Return the day's book."""
        return [self._shown(placed) for name, placed in self.orders.items() if name not in self.hidden]

    def _shown(self, placed: Placed) -> OrderSeen:
        status = placed.status
        if status is BrokerStatus.OPEN and self.world.chance("odd_status"):
            status = BrokerStatus.UNRECOGNISED
        return OrderSeen(
            placed.broker_id, placed.tag, placed.instrument, Side(placed.side), Qty(placed.qty), placed.type,
            placed.product, status, Qty(placed.filled), TsNs(placed.changed_ns), Source.BOOK, Px(placed.limit),
            Px(placed.trigger), placed.reason, placed.by_broker,
        )  # fmt: skip

    def trades(self) -> list[TradeSeen]:
        """Return the day's trades."""
        orders = [placed for name, placed in self.orders.items() if name not in self.hidden]
        return [trade for placed in orders for trade in placed.trades]

    def held(self) -> list[PositionSeen]:
        """Return what the account holds."""
        return [PositionSeen(name, product, Qty(qty)) for (name, product), qty in self.positions.items() if qty]
