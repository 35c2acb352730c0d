"""What a kill level does at once: cancels what is open and closes what is held, in its scope."""

from manjha.domain.commands import Output
from manjha.domain.kill import KillLevel, Scope
from manjha.domain.moments import TsNs
from manjha.domain.money import Qty
from manjha.domain.orders import Order, OrderType, Origin, Purpose, Side
from manjha.engine.requests import place
from manjha.engine.state import EngineState
from manjha.orders.planning import slices
from manjha.portfolio.positions import Position


def carry_out_level(state: EngineState, level: KillLevel, scope: Scope, now_ns: TsNs, out: list[Output]) -> None:
    """From CANCEL_ALL on cancel the open orders of a scope, square-offs excepted; at FLATTEN close its positions."""
    if level < KillLevel.CANCEL_ALL:
        return
    for record in state.book.open_orders():
        order = record.order
        if scope.covers(order.origin.strategy, order.instrument) and order.purpose is not Purpose.SQUARE_OFF:
            out.append(state.gate.cancel(record))
    if level is KillLevel.FLATTEN:
        flatten(state, scope, now_ns, out)


def flatten(state: EngineState, scope: Scope, now_ns: TsNs, out: list[Output]) -> None:
    """Close every position of a scope at the market, as far as no square-off is on its way already."""
    for position in list(state.portfolio.open_positions()):
        if scope.covers(position.key.strategy, position.key.instrument):
            _close(state, position, now_ns, out)


def _close(state: EngineState, position: Position, now_ns: TsNs, out: list[Output]) -> None:
    key = position.key
    under_way = sum(
        record.left * int(record.order.side)
        for record in state.book.open_orders(key.instrument)
        if record.order.purpose is Purpose.SQUARE_OFF
        and (record.order.origin.strategy, record.order.product) == (key.strategy, key.product)
    )
    change = -position.qty - under_way
    if change * position.qty >= 0:
        return
    instrument, size = state.instruments[key.instrument], abs(change)
    for part in slices(size, instrument.freeze, instrument.lot, size) or (Qty(size),):
        order = Order(
            state.next_order_id(),
            Origin(state.origin.account, key.strategy, state.origin.run),
            key.instrument,
            Side.BUY if change > 0 else Side.SELL,
            part,
            OrderType.MARKET,
            key.product,
            now_ns,
            purpose=Purpose.SQUARE_OFF,
        )
        place(state, order, out)
