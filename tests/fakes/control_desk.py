"""A desk with controls: two flat shares at 100 rupees, five-minute bars, and a hand that places orders at the gate."""

from typing import Any

import msgspec

from manjha.domain.commands import Approved, ModifyOrder, Output, Refused, SubmitOrder
from manjha.domain.events import Event, MarketAdvanced, OrderAccepted, OrderFilled, OrderRejected, SessionOpened
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Fill, FillId, Order, OrderId, OrderType, Product, Purpose, Side
from manjha.engine.step import step
from manjha.research.backtest import BacktestSpec, prepare
from manjha.risk.control_limits import NO_LIMITS, ControlLimits
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import FIRST_DAY, Row, flat, minutes, share_named, spec_of

ALPHA, BETA = share_named(), share_named("BETA")
RUPEE, SECOND = 10_000, 1_000_000_000
Verdict = Approved[SubmitOrder] | Refused


class Idle(Strategy):
    """Ask for nothing."""

    product = Product.MIS
    instruments_max = 0


def limits_of(**changes: Any) -> ControlLimits:
    """Return controls that hold nothing back but what is given."""
    return msgspec.structs.replace(NO_LIMITS, **changes)


def desk_spec(limits: ControlLimits | None, rows: list[Row] | None = None, **changes: Any) -> BacktestSpec:
    """Return a run over two shares with the same prices, one day long."""
    prices = rows if rows is not None else [flat(100)] * 75
    return spec_of(Idle(), minutes(ALPHA, prices), minutes(BETA, prices), controls=limits, **changes)


class Desk:
    """An engine at the close of bar `at`, and what it said to each event."""

    def __init__(self, limits: ControlLimits | None = NO_LIMITS, rows: list[Row] | None = None, at: int = 3) -> None:
        self.state = prepare(desk_spec(limits, rows))
        self.count = 0
        self.feed(SessionOpened(FIRST_DAY, TsNs(self.state.timeline.open_ns[0])))
        self.advance(at)
        self.now = self.state.timeline.close_ns[at]

    def feed(self, event: Event) -> list[Output]:
        """Let an event happen."""
        return step(self.state, event)

    def advance(self, at: int) -> list[Output]:
        """Let bars close up to this one."""
        out: list[Output] = []
        while self.state.reached <= at:
            out += self.feed(MarketAdvanced(self.state.reached, at + 1))
        return out

    def order(self, qty: int = 10, side: Side = Side.BUY, px: float = 0, **changes: Any) -> Order:
        """Return an order: at the market, or with a limit in rupees."""
        self.count += 1
        given: dict[str, Any] = {
            "id": OrderId(f"t{self.count}"), "origin": self.state.origin, "instrument": ALPHA.id, "side": side,
            "qty": Qty(qty), "type": OrderType.LIMIT if px else OrderType.MARKET, "product": Product.MIS,
            "decided_ns": TsNs(self.now), "limit": Px(round(px * RUPEE)),
        }  # fmt: skip
        return Order(**(given | changes))

    def submit(self, qty: int = 10, side: Side = Side.BUY, px: float = 0, **changes: Any) -> Verdict:
        """Put an order before the gate."""
        order = self.order(qty, side, px, **changes)
        return self.state.gate.submit(order, order.decided_ns)

    def place(self, qty: int = 10, side: Side = Side.BUY, px: float = 0, **changes: Any) -> Order:
        """Put an order before the gate that must be let through, and let the exchange take it."""
        verdict = self.submit(qty, side, px, **changes)
        assert isinstance(verdict, Approved), verdict
        self.feed(OrderAccepted(verdict.command.order.id, TsNs(self.now)))
        return verdict.command.order

    def hold(self, qty: int = 10, side: Side = Side.BUY, px: float = 100, **changes: Any) -> Order:
        """Open a position."""
        order = self.place(qty, side, **changes)
        self.fill(order, px)
        return order

    def fill(self, order: Order, px: float = 100, qty: int = 0) -> list[Output]:
        """Let an order trade, whole where no quantity is given."""
        self.count += 1
        terms = (order.id, order.origin, order.instrument, order.side, Qty(qty or order.qty), Px(round(px * RUPEE)))
        fill = Fill(FillId(f"f{self.count}"), *terms, Px(round(px * RUPEE)), order.product, TsNs(self.now))
        return self.feed(OrderFilled(fill))

    def reject(self, order: Order) -> list[Output]:
        """Let the exchange refuse an order."""
        return self.feed(OrderRejected(order.id, TsNs(self.now), "a test"))

    def modify(self, order: Order, px: float = 0, qty: int = 0) -> Approved[ModifyOrder] | Refused:
        """Put new terms before the gate."""
        record = self.state.book.records[order.id]
        limit = Px(round(px * RUPEE)) if px else record.limit
        return self.state.gate.modify(
            record, ModifyOrder(order.id, Qty(qty or record.qty), limit, record.trigger), TsNs(self.now)
        )


def exit_order(desk: Desk, qty: int = 10, **changes: Any) -> Verdict:
    """Sell at the market what is held."""
    return desk.submit(qty, Side.SELL, **changes)


SQUARE_OFF = Purpose.SQUARE_OFF
