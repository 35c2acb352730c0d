"""What a strategy asked for becomes orders: sized, planned, sliced, and put before the gate."""

from manjha.domain.commands import CancelOrder, ModifyOrder, Output, RefusalReason, Refused, SetTimer
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Qty
from manjha.domain.orders import Order, OrderId, OrderType, Product, Purpose, Side
from manjha.domain.sizing import TargetUnit
from manjha.engine.closes import recent_daily_closes
from manjha.engine.state import EngineState
from manjha.orders.planning import needed, slices
from manjha.risk.sizing import entry_qty, needs_closes, target_qty
from manjha.strategy.context import (
    CancelRequest,
    ModifyRequest,
    OrderRequest,
    Request,
    TargetRequest,
    TimerRequest,
)


def carry_out(state: EngineState, now_ns: TsNs, out: list[Output]) -> None:
    """Turn the strategy's requests into outputs, in order, and clear them.

    Of several targets those that reduce a position go first, so that what they free pays for the others.
    """
    requests = state.ctx.requests[:]
    state.ctx.requests.clear()
    if len(requests) > 1:
        requests = _reductions_first(state, requests)
    for request in requests:
        match request:
            case OrderRequest():
                _order(state, request, now_ns, out)
            case TargetRequest():
                _target(state, request, now_ns, out)
            case CancelRequest():
                _cancel(state, request, out)
            case ModifyRequest():
                _modify(state, request, now_ns, out)
            case TimerRequest():
                out.append(SetTimer(request.key, request.ts_ns))


def place(state: EngineState, order: Order, out: list[Output]) -> bool:
    """Put an order before the gate; tell whether it was approved."""
    verdict = state.gate.submit(order, order.decided_ns)
    out.append(verdict)
    if isinstance(verdict, Refused):
        state.record_refusals.append(verdict)
        return False
    state.refresh(order.instrument)
    return True


def cancel_open(
    state: EngineState, instrument: InstrumentId, product: Product, out: list[Output], *, entries_only: bool = False
) -> None:
    """Cancel the open orders of an instrument held as a product."""
    for record in state.book.open_orders(instrument):
        order = record.order
        if order.product is product and not (entries_only and order.purpose is not Purpose.SIGNAL):
            out.append(state.gate.cancel(record))


def close_out(
    state: EngineState, instrument: InstrumentId, product: Product, purpose: Purpose, now_ns: TsNs, out: list[Output]
) -> None:
    """Cancel everything open in a position and close it at the market, in slices."""
    cancel_open(state, instrument, product, out)
    _market(state, state.instruments[instrument], -state.held(instrument, product), product, purpose, now_ns, out)


def _order(state: EngineState, request: OrderRequest, now_ns: TsNs, out: list[Output]) -> None:
    instrument = state.instruments.get(request.instrument)
    lot = instrument.lot if instrument is not None else 1
    qty: int = request.qty
    if qty == 0:
        px = request.limit or request.trigger or state.marks.get(request.instrument, 0)
        qty = _policy_qty(state, request.instrument, px, request.exits.stop if request.exits else 0, lot)
    freeze = instrument.freeze if instrument is not None else 0
    parts = slices(qty, freeze, lot, state.setup.limits.slices_max) or (Qty(qty),)
    for part in parts:
        order = Order(
            state.next_order_id(),
            state.origin,
            request.instrument,
            request.side,
            part,
            request.type,
            request.product,
            now_ns,
            request.limit,
            request.trigger,
            request.exits,
            tag=request.tag,
        )
        place(state, order, out)


def _target(state: EngineState, request: TargetRequest, now_ns: TsNs, out: list[Output]) -> None:
    instrument = state.instruments[request.instrument]
    px = state.marks.get(request.instrument, 0)
    held = state.held(request.instrument, request.product)
    if request.value == 0:
        goal = Qty(0)
    else:
        full = _policy_qty(state, request.instrument, px, 0, instrument.lot) if request.unit is TargetUnit.SIGNAL else 0
        goal = target_qty(request.unit, request.value, equity=state.equity(), px=px, lot=instrument.lot, full=full)
    working = sum(
        record.left * int(record.order.side)
        for record in state.book.open_orders(request.instrument)
        if record.order.purpose is Purpose.SIGNAL and record.order.product is request.product
    )
    if goal == 0 and held:
        cancel_open(state, request.instrument, request.product, out)
        working = 0
    change = needed(goal, held, working)
    _market(state, instrument, change, request.product, Purpose.SIGNAL, now_ns, out, tag=request.tag)


def _market(
    state: EngineState,
    instrument: Instrument,
    change: int,
    product: Product,
    purpose: Purpose,
    now_ns: TsNs,
    out: list[Output],
    *,
    tag: str = "",
) -> None:
    if change == 0:
        return
    side = Side.BUY if change > 0 else Side.SELL
    size = abs(change)
    parts = slices(size, instrument.freeze, instrument.lot, state.setup.limits.slices_max) or (Qty(size),)
    for part in parts:
        order = Order(
            state.next_order_id(),
            state.origin,
            instrument.id,
            side,
            part,
            OrderType.MARKET,
            product,
            now_ns,
            purpose=purpose,
            tag=tag,
        )
        place(state, order, out)


def _policy_qty(state: EngineState, instrument: InstrumentId, px: int, stop: int, lot: int) -> int:
    policy = state.setup.sizing
    closes = recent_daily_closes(state, instrument, policy) if needs_closes(policy) else ()
    return entry_qty(policy, equity=state.equity(), px=px, stop=stop, lot=lot, closes=closes)


def _cancel(state: EngineState, request: CancelRequest, out: list[Output]) -> None:
    if request.order_id is None:
        cancel_open(state, request.instrument, state.ctx.product, out, entries_only=True)
        return
    record = state.book.records.get(request.order_id)
    if record is not None and record.order.id in state.book.open_by_instrument.get(record.order.instrument, {}):
        out.append(state.gate.cancel(record))
        return
    _refuse(state, CancelOrder(request.order_id), request.order_id, out)


def _modify(state: EngineState, request: ModifyRequest, now_ns: TsNs, out: list[Output]) -> None:
    record = state.book.records.get(request.order_id)
    if record is None or record.closed_ns:
        _refuse(
            state, ModifyOrder(request.order_id, request.qty, request.limit, request.trigger), request.order_id, out
        )
        return
    modify(
        state,
        ModifyOrder(
            request.order_id,
            request.qty or record.qty,
            request.limit or record.limit,
            request.trigger or record.trigger,
        ),
        now_ns,
        out,
    )


def modify(state: EngineState, command: ModifyOrder, now_ns: TsNs, out: list[Output]) -> None:
    """Put new terms of an open order before the gate."""
    verdict = state.gate.modify(state.book.records[command.order_id], command, now_ns)
    out.append(verdict)
    if isinstance(verdict, Refused):
        state.record_refusals.append(verdict)


def _refuse(state: EngineState, subject: CancelOrder | ModifyOrder, order_id: OrderId, out: list[Output]) -> None:
    now_ns = TsNs(state.timeline.close_ns[max(0, state.cursor[0])])
    refused = Refused(subject, RefusalReason.UNKNOWN_ORDER, order_id, now_ns)
    state.record_refusals.append(refused)
    out.append(refused)


def _reductions_first(state: EngineState, requests: list[Request]) -> list[Request]:
    """Order target requests so that reductions come before increases; all else keeps its place before them."""
    others = [r for r in requests if not isinstance(r, TargetRequest)]
    targets = [r for r in requests if isinstance(r, TargetRequest)]

    def grows(request: TargetRequest) -> bool:
        if request.value == 0:
            return False
        held = state.held(request.instrument, request.product)
        goal = target_qty(
            request.unit,
            request.value,
            equity=state.equity(),
            px=state.marks.get(request.instrument, 0),
            lot=state.instruments[request.instrument].lot,
            full=abs(held),
        )
        return abs(goal) > abs(held)

    return [*others, *sorted(targets, key=grows)]
