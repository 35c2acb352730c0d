"""The exchange has answered: orders change phase, fills change positions, cash and protection."""

from manjha.domain.commands import ModifyOrder, Output, RefusalReason, Refused
from manjha.domain.errors import InvariantBroken
from manjha.domain.events import (
    ModifyRejected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderModified,
    OrderRejected,
)
from manjha.domain.moments import TsNs
from manjha.domain.money import proportion
from manjha.domain.orders import Fill, OrderId, Product, Side
from manjha.engine.exits import entry_filled, exit_filled, fit_sales, fit_to_position
from manjha.engine.groups import count_fill
from manjha.engine.isolation import let_decide
from manjha.engine.state import PACKED_CHARGES, EngineState
from manjha.market.charges import fill_charges
from manjha.orders.book import OrderRecord
from manjha.orders.lifecycle import Happening
from manjha.portfolio.positions import Position
from manjha.portfolio.settlement import Holding, held_back

_CNC, _SELL = Product.CNC, Side.SELL


def accepted(state: EngineState, event: OrderAccepted, out: list[Output]) -> None:
    """Note that an order rests at the exchange."""
    record = _record(state, event.order_id)
    state.book.note(record, Happening.ACCEPTED, event.ts_ns)
    if state.controls is not None:
        from manjha.engine import learning

        learning.taken(state, state.controls, record, out)


def rejected(state: EngineState, event: OrderRejected, out: list[Output]) -> None:
    """Note that the exchange refused an order; its margin is free again."""
    del out
    ended(state, event.order_id, Happening.REJECTED, event.ts_ns, event.reason)
    if state.controls is not None:
        state.controls.rejected(state.book.records[event.order_id].order, event.ts_ns)


def cancelled(state: EngineState, event: OrderCancelled, out: list[Output]) -> None:
    """Note that what was left of an order is gone; its margin is free again."""
    del out
    ended(state, event.order_id, Happening.CANCELLED, event.ts_ns, event.reason)


def modified(state: EngineState, event: OrderModified, out: list[Output]) -> None:
    """Take over new terms of a resting order, and reserve what they need."""
    del out
    record = _record(state, event.order_id)
    state.book.note(record, Happening.MODIFIED, event.ts_ns)
    state.book.modify(record, event.qty, event.limit, event.trigger)
    if record.asked is not None:
        state.gate.terms_taken(record)
    if state.controls is not None:
        state.controls.answered(event.order_id, event.limit)


def modify_rejected(state: EngineState, event: ModifyRejected, out: list[Output]) -> None:
    """Leave an order as it was; what its new terms would have needed is free again."""
    record = _record(state, event.order_id)
    if record.asked is not None:
        state.gate.terms_refused(record)
    if state.controls is not None:
        state.controls.answered(event.order_id, event.limit)
    terms = ModifyOrder(event.order_id, event.qty, event.limit, event.trigger)
    refused = Refused(terms, RefusalReason.EXCHANGE, event.reason, event.ts_ns)
    state.record_refusals.append(refused)
    out.append(refused)


def filled(state: EngineState, event: OrderFilled, out: list[Output]) -> None:
    """Apply a fill: order, position, cash, charges, margin, protection; then tell the strategy."""
    fill = event.fill
    record = state.book.records.get(fill.order_id) or _record(state, fill.order_id)
    order, product, qty, sells = record.order, fill.product, fill.qty, fill.side is _SELL
    instrument = state.instruments[fill.instrument]
    turnover_before, left_before = record.turnover, record.qty - record.filled
    portfolio, ctx = state.portfolio, state.ctx
    state.book.fill(record, fill)
    position = portfolio.apply(fill, instrument)
    card = state.card(instrument, product) if state.rates is None else state.rates
    lines = fill_charges(card, fill.side, fill.px * qty, turnover_before)
    portfolio.ledger.charge(order.origin.strategy, lines)
    state.record_fills.append(fill)
    state.record_charges += PACKED_CHARGES(*lines)
    state.record_account(position.number, position.qty, position.cost)
    if record.reserved:
        _release(state, record, qty, left_before)
    if product is _CNC:
        _settle(state, position, fill)
    else:
        state.margins.hold(instrument, position)
    if state.groups:
        count_fill(state, order, fill, position.qty, out)
    if order.exits is not None:
        entry_filled(state, record, fill, out)
    elif order.group is not None:
        exit_filled(state, record, fill, out)
    if state.protections:
        fit_to_position(state, fill, position.qty, out)
    if sells and product is _CNC and state.book.open_by_instrument[fill.instrument]:
        fit_sales(state, fill, position.qty, out)
    is_own = order.origin.strategy == state.origin.strategy
    if is_own and product is ctx.product:
        market = ctx.markets[fill.instrument]
        market.position, market.cost_e4 = position.qty, position.cost
    if is_own and state.calls_on_fill:
        let_decide(state, fill.ts_ns, out, state.strategy.on_fill, fill)
    _learn_of_fill(state, fill, out)


def _learn_of_fill(state: EngineState, fill: Fill, out: list[Output]) -> None:
    if state.controls is not None:
        # Loaded where there are controls: a plain backtest starts without them.
        from manjha.engine import learning

        learning.filled(state, state.controls, fill, out)


def _record(state: EngineState, order_id: OrderId) -> OrderRecord:
    try:
        return state.book.records[order_id]
    except KeyError:
        raise InvariantBroken(f"the exchange speaks of order {order_id}, which we did not place") from None


def ended(state: EngineState, order_id: OrderId, happening: Happening, ts_ns: TsNs, reason: str) -> None:
    """Note that an order will not trade any more; its margin is free again."""
    record = _record(state, order_id)
    state.book.note(record, happening, ts_ns, reason)
    state.portfolio.ledger.reserved -= record.reserved
    record.reserved = 0
    if state.desk is not None:
        # Nothing of it can change any more, and nothing need be asked for it.
        state.desk.changing.pop(order_id, None)
        state.desk.checking.pop(order_id, None)


def _release(state: EngineState, record: OrderRecord, qty: int, left_before: int) -> None:
    """Free the part of the reserved margin that the fill turned into a position; all of it with the last fill."""
    part = record.reserved if qty >= left_before else proportion(record.reserved, qty, left_before)
    record.reserved -= part
    state.portfolio.ledger.reserved -= part


def _settle(state: EngineState, position: Position, fill: Fill) -> None:
    """Move delivery shares between today, T1 and settled, and hold back proceeds that are not usable yet."""
    holding = state.portfolio.holdings.get(position.key)
    if holding is None:
        holding = state.portfolio.holdings[position.key] = Holding()
    if fill.side is not _SELL:
        holding.buy(fill.qty)
        return
    _, from_settled, from_t1 = holding.sell(fill.qty)
    if from_settled or from_t1:
        amount = held_back(from_settled, from_t1, fill.px, state.day)
        if amount:
            state.portfolio.ledger.hold_back(amount, state.sessions.next_day(state.day))
