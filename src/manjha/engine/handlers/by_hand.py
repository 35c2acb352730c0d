"""A person asks for an order, changes or cancels one, or gives the strategy other parameters.

An order is cut and put before the gate like a strategy's. What it fills is a position of the person's own
(`domain.orders.MANUAL`), so that no strategy takes it for one of its own; it is protected, squared off, flattened and
compared with the broker like the rest.
"""

from typing import TYPE_CHECKING

from manjha.domain.commands import ModifyOrder, Output, RefusalReason, Refused, SubmitOrder
from manjha.domain.events import ChangeAsked, OrderAsked, ParametersSet
from manjha.domain.instrument import Instrument
from manjha.domain.orders import MANUAL, Exits, Order, OrderType, StrategyId
from manjha.engine.requests import cancel_one, change_some, place
from manjha.engine.state import EngineState
from manjha.orders.planning import slices

if TYPE_CHECKING:
    from manjha.domain.money import Qty

_PRICED = {
    OrderType.MARKET: (False, False),
    OrderType.LIMIT: (True, False),
    OrderType.SL: (True, True),
    OrderType.SL_M: (False, True),
}
"""Which types have a limit and a trigger."""


def order_asked(state: EngineState, event: OrderAsked, out: list[Output]) -> None:
    """Place what a person asked for, in as many orders as the exchange's freeze quantity makes of it."""
    state.show_own()
    instrument = state.instruments.get(event.instrument)
    if instrument is not None:
        _show(state, instrument, event)
    origin = state.origin_of(StrategyId(event.strategy) or MANUAL)
    exits = Exits(event.stop, event.target) if event.stop or event.target else None
    parts: tuple[Qty, ...] = (event.qty,)
    if instrument is not None and instrument.freeze and event.qty > instrument.freeze:
        parts = slices(event.qty, instrument.freeze, instrument.lot, state.setup.limits.slices_max) or parts
        if state.controls is not None:
            state.controls.expect_slices(instrument.id, event.side, event.ts_ns)
    for part in parts:
        order = Order(
            state.next_order_id(), origin, event.instrument, event.side, part, event.kind,
            event.product, event.ts_ns, event.limit, event.trigger, exits,
        )  # fmt: skip
        if (event.limit > 0, event.trigger > 0) != _PRICED[event.kind]:
            detail = f"{event.kind} with limit {event.limit} and trigger {event.trigger}"
            refused = Refused(SubmitOrder(order), RefusalReason.ORDER_TYPE, detail, event.ts_ns)
            state.record_refusals.append(refused)
            out.append(refused)
            return
        if not place(state, order, out):
            # What comes after a part that was refused would be refused too, or be more than was wanted.
            return


def change_asked(state: EngineState, event: ChangeAsked, out: list[Output]) -> None:
    """Cancel the order that a person points at, whoever placed it, or put new terms of it before the gate."""
    state.show_own()
    if event.is_cancel:
        cancel_one(state, event.order_id, event.ts_ns, out)
    else:
        record = state.book.records.get(event.order_id)
        if record is not None:
            _show(state, state.instruments[record.order.instrument], event)
        change_some(state, ModifyOrder(event.order_id, event.qty, event.limit, event.trigger), event.ts_ns, out)


def _show(state: EngineState, instrument: Instrument, event: OrderAsked | ChangeAsked) -> None:
    """Let the controls see the newest price of an instrument: a bar may have closed long before."""
    if state.controls is not None and event.seen_px:
        # The close that is known already first, so that it does not come after the newer price.
        state.controls.watch(instrument, state.marks.get(instrument.id, 0))
        state.controls.shown(instrument, event.seen_px, event.seen_ns)


def parameters_set(state: EngineState, event: ParametersSet, out: list[Output]) -> None:
    """Let the strategy decide with other parameters from the next bar on; what it has decided stays."""
    del out
    state.give(event.values)
