"""Orders that wait over night while a corporate action takes effect: what was asked for stays asked for.

An order decided at the last close before an ex-day is placed the next morning, when the share is another one: its
quantity follows a split or bonus, its prices every action that moves the price. An ordinary dividend changes neither.
What protects a position is put back by `engine.exits` instead.
"""

import msgspec

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.commands import Output
from manjha.domain.money import Px, Qty, Rounding, round_to_tick
from manjha.domain.orders import Order, Purpose
from manjha.engine.requests import Instead, place
from manjha.engine.state import EngineState
from manjha.market.adjustment import Ratio, adjusted_px, price_ratio
from manjha.orders.book import OrderRecord


def take_over(state: EngineState, action: CorporateAction, out: list[Output]) -> None:
    """Cancel the open orders of a share that changes, and keep what was asked for in its new terms for the open."""
    if action.kind is ActionKind.DIVIDEND:
        return
    last_px = state.marks.get(action.instrument, 0)
    for record in state.book.open_orders(action.instrument):
        out.append(state.gate.cancel(record))
        # A leg on its way is not: its group is unwound.
        if record.order.purpose is Purpose.SIGNAL and last_px and record.order.group is None:
            order = _in_new_terms(state, record, action, price_ratio(action, last_px))
            if order.qty:
                state.carried_orders.append(order)


def put_back(state: EngineState, out: list[Output]) -> None:
    """Place what was kept; the gate looks at it again."""
    orders, state.carried_orders = state.carried_orders, []
    for order in orders:
        place(state, msgspec.structs.replace(order, id=state.next_order_id()), out, Instead.CLOSING)


def _in_new_terms(state: EngineState, record: OrderRecord, action: CorporateAction, by: Ratio) -> Order:
    order = record.order
    counts = action.kind in (ActionKind.SPLIT, ActionKind.BONUS)
    rounding = Rounding.DOWN if order.side > 0 else Rounding.UP
    tick = state.instruments[order.instrument].tick

    def price(px: Px) -> Px:
        return round_to_tick(adjusted_px(px, by), tick, rounding) if px else px

    exits = order.exits
    if exits is not None:
        exits = msgspec.structs.replace(
            exits, stop=price(exits.stop), target=price(exits.target), trail=price(exits.trail)
        )
    return msgspec.structs.replace(
        order,
        qty=Qty(record.left * action.new_shares // action.old_shares) if counts else record.left,
        limit=price(record.limit),
        trigger=price(record.trigger),
        exits=exits,
    )
