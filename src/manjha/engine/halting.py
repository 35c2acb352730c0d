"""What a kill level does at once: cancels what is open and closes what is held, in its scope."""

from manjha.domain.commands import Output
from manjha.domain.kill import KillLevel, Scope
from manjha.domain.moments import TsNs
from manjha.domain.orders import Purpose
from manjha.engine import flatten as flattening
from manjha.engine.exits import key_of
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.portfolio.positions import Position


def carry_out_level(state: EngineState, level: KillLevel, scope: Scope, now_ns: TsNs, out: list[Output]) -> None:
    """From CANCEL_ALL on cancel the open orders of a scope, square-offs excepted; at FLATTEN close its positions."""
    if level < KillLevel.CANCEL_ALL:
        return
    for record in state.book.open_orders():
        if scope.covers(record.order.origin.strategy, record.order.instrument):
            cancel(state, record, out)
    if level is KillLevel.FLATTEN:
        flatten(state, scope, now_ns, out)


def cancel(state: EngineState, record: OrderRecord, out: list[Output]) -> None:
    """Cancel an order that a level takes out: no square-off, and none that is leaving the market already."""
    if record.order.purpose is not Purpose.SQUARE_OFF and not (record.at_broker and record.at_broker.is_leaving):
        out.append(state.gate.cancel(record))


def flatten(state: EngineState, scope: Scope, now_ns: TsNs, out: list[Output]) -> None:
    """Close every position of a scope, as far as no square-off is on its way already."""
    for position in list(state.portfolio.open_positions()):
        key = position.key
        if scope.covers(key.strategy, key.instrument) and not _is_closing(state, position):
            flattening.flatten(state, key, Purpose.SQUARE_OFF, now_ns, out)


def _is_closing(state: EngineState, position: Position) -> bool:
    """Tell whether square-offs that are open close all of a position."""
    under_way = sum(
        record.left * int(record.order.side)
        for record in state.book.open_orders(position.key.instrument)
        if record.order.purpose is Purpose.SQUARE_OFF and key_of(record.order) == position.key
    )
    return (position.qty + under_way) * position.qty <= 0
