"""Orders in the account that no intent of ours made: a person's, or the broker's own.

A person's trade counts as external and is no business of a strategy, as long as both fit into one account. What the
broker's risk management closes is taken from the strategy that holds it, and what protected it goes with it.
"""

from manjha.domain.broker import OrderSeen, TradeSeen
from manjha.domain.commands import Output
from manjha.domain.events import OrderFilled
from manjha.domain.moments import TsNs
from manjha.engine.desk import External, call
from manjha.engine.freezing import freeze
from manjha.engine.handlers import orders
from manjha.engine.handlers.broker import desk_of
from manjha.engine.state import EngineState
from manjha.orders.reading import closed_parts, closer
from manjha.portfolio.positions import Position


def external_order(state: EngineState, seen: OrderSeen, now_ns: TsNs, out: list[Output]) -> None:
    """Remember an order that is not ours; tell a person of the first sight of it."""
    desk = desk_of(state)
    known = desk.external_orders.get(seen.broker_id)
    if known is None:
        desk.external_orders[seen.broker_id] = External(seen)
        who = "the broker's risk management" if seen.by_broker else "somebody else"
        call(seen.instrument, f"order {seen.broker_id} was placed by {who}", now_ns, out)
    else:
        known.seen = seen


def external_trade(state: EngineState, trade: TradeSeen, now_ns: TsNs, out: list[Output]) -> None:
    """Count a trade of an order that is not ours."""
    desk = desk_of(state)
    one = desk.external_orders[trade.broker_id]
    one.counted += trade.qty
    signed = trade.qty * int(trade.side)
    if one.seen.by_broker:
        signed -= _close_ours(state, trade, signed, out)
    if not signed:
        return
    key = (trade.instrument, trade.product)
    after = desk.external[key] = desk.external.get(key, 0) + signed
    if after * ours(state, trade) < 0:
        why = f"{signed:+} traded outside of Manjha stands against a strategy's position"
        freeze(state, trade.instrument, why, now_ns, out)


def ours(state: EngineState, trade: TradeSeen) -> int:
    """Return what our strategies hold of what was traded, signed."""
    return sum(position.qty for position in _positions(state, trade))


def _positions(state: EngineState, trade: TradeSeen) -> list[Position]:
    open_positions = state.portfolio.open_positions(trade.instrument)
    return [position for position in open_positions if position.key.product is trade.product]


def _close_ours(state: EngineState, trade: TradeSeen, signed: int, out: list[Output]) -> int:
    """Book the part of the broker's own trade that closes strategies' positions; return it, signed."""
    seen, origin = desk_of(state).external_orders[trade.broker_id].seen, state.origin
    positions = _positions(state, trade)
    parts = closed_parts(signed, [position.qty for position in positions])
    for position, part in zip(positions, parts, strict=True):
        if part:
            whose = type(origin)(origin.account, position.key.strategy, origin.run)
            order, fill = closer(seen.type, trade, whose, part)
            state.book.add(order)
            orders.filled(state, OrderFilled(fill), out)
    return sum(parts) if signed > 0 else -sum(parts)
