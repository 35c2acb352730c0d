"""What a strategy asked for becomes orders: sized, planned, sliced, and put before the gate."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, NamedTuple

import msgspec

from manjha.domain.commands import (
    Approved,
    CancelOrder,
    ModifyOrder,
    Output,
    RefusalReason,
    Refused,
    SetTimer,
    SubmitOrder,
)
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import TsNs, format_ts
from manjha.domain.money import Qty
from manjha.domain.orders import Order, OrderId, OrderType, Product, Purpose, Side, StrategyId, Variety
from manjha.domain.sizing import FixedQty, TargetUnit
from manjha.engine.closes import recent_daily_closes
from manjha.engine.groups import End, begin, belongs, note
from manjha.engine.state import EngineState
from manjha.orders.legs import Turn
from manjha.orders.planning import needed, slices
from manjha.portfolio.positions import PositionKey
from manjha.risk.sizing import entry_qty, needs_closes, target_qty
from manjha.strategy.asked import (
    CancelRequest,
    CloseLegsRequest,
    LegsRequest,
    ModifyRequest,
    OrderRequest,
    Request,
    TargetRequest,
    TimerRequest,
)

# Members by name: in Python 3.11 a look into an enum costs more than the comparison it is for.
_MIS, _SIGNAL, _REGULAR, _NONE = Product.MIS, Purpose.SIGNAL, Variety.REGULAR, Qty(0)

SQUARE_OFF_TIMER = "square-off"
"""Key of the timer at which intraday positions are closed."""
RATE_TIMER = "rate"
"""Key of the timer at which commands that wait for their turn are looked at again."""


def carry_out(state: EngineState, now_ns: TsNs, out: list[Output]) -> None:
    """Turn the strategy's requests into outputs, in order, and clear them.

    Of several targets those that reduce a position go first, so that what they free pays for the others.
    """
    asked = state.ctx.requests
    if len(asked) == 1:
        request = asked.pop()
        _CARRY_OUT[type(request)](state, request, now_ns, out)
        return
    requests = _reductions_first(state, asked)
    asked.clear()
    for request in requests:
        _CARRY_OUT[type(request)](state, request, now_ns, out)


class Instead(Enum):
    """What of a refused order is placed instead: nothing; what of it closes; and as much more as the funds allow."""

    NOTHING = auto()
    CLOSING = auto()
    AFFORDABLE = auto()


def place(state: EngineState, order: Order, out: list[Output], instead: Instead = Instead.NOTHING) -> bool:
    """Put an order before the gate; tell whether it was approved, in full or as what is placed instead."""
    if state.desk is not None and (order.instrument, order.product) in state.desk.unchecked:
        detail = "what is held is not known yet: the day before ended unseen"
        refused = Refused(SubmitOrder(order), RefusalReason.NOT_RECONCILED, detail, order.decided_ns)
        return _place_smaller(state, order, refused, Instead.NOTHING, out)
    if state.sagas and (detail := belongs(state, order)):
        refused = Refused(SubmitOrder(order), RefusalReason.LEG_GROUP, detail, order.decided_ns)
        return _place_smaller(state, order, refused, Instead.NOTHING, out)
    verdict = state.gate.submit(order, order.decided_ns)
    if type(verdict) is Refused:
        return _place_smaller(state, order, verdict, instead, out)
    out.append(verdict)
    if state.desk is not None and state.desk.asks_margin and instead is Instead.AFFORDABLE:
        state.desk.sized.add(order.id)
    if order.product is _MIS and not state.squares_off:
        _square_off_from_now(state, order, out)
    return True


def _place_smaller(state: EngineState, order: Order, refused: Refused, instead: Instead, out: list[Output]) -> bool:
    """Put what may go of a refused order before the gate; who is long must not stay so for want of funds."""
    smaller = 0
    if instead is not Instead.NOTHING:
        by_funds = instead is Instead.AFFORDABLE and refused.reason is RefusalReason.MARGIN
        smaller = state.gate.smaller(order, sized=by_funds)
    if 0 < smaller < order.qty:
        refused = msgspec.structs.replace(refused, detail=f"{refused.detail}; {smaller} ordered instead".lstrip("; "))
    else:
        smaller = 0
    out.append(refused)
    state.record_refusals.append(refused)
    if not smaller:
        return False
    rest = msgspec.structs.replace(order, id=state.next_order_id(), qty=Qty(smaller))
    return place(state, rest, out, Instead.CLOSING)


def _square_off_from_now(state: EngineState, order: Order, out: list[Output]) -> None:
    """With the first intraday order of a strategy that is not intraday itself, see to the square-off of each day."""
    state.squares_off = True
    times = {rules.square_off_ns for rules in state.gate.today.values()}
    out.extend(SetTimer(SQUARE_OFF_TIMER, TsNs(ts_ns)) for ts_ns in sorted(times) if order.decided_ns < ts_ns)


def cancel_open(state: EngineState, key: PositionKey, out: list[Output], *, entries_only: bool = False) -> None:
    """Cancel the open orders of whose position it is, in an instrument held as a product."""
    for record in state.book.open_orders(key.instrument):
        order = record.order
        if order.product is not key.product or (entries_only and order.purpose is not Purpose.SIGNAL):
            continue
        if order.origin.strategy == key.strategy:
            out.append(state.gate.cancel(record))


def close_out(state: EngineState, key: PositionKey, purpose: Purpose, now_ns: TsNs, out: list[Output]) -> None:
    """Cancel everything open in a position and close it at the market, in slices."""
    cancel_open(state, key, out)
    wish = MarketWish(-state.held_by(key), key.product, purpose, strategy=key.strategy)
    market(state, state.instruments[key.instrument], wish, now_ns, out)


def _order(state: EngineState, request: OrderRequest, now_ns: TsNs, out: list[Output]) -> None:
    instrument = state.instruments[request.instrument]
    qty, instead = request.qty, Instead.NOTHING
    if qty == 0:
        instead = _for_want_of_funds(state)
        px = request.limit or request.trigger or state.marks.get(request.instrument, 0)
        qty = _policy_qty(state, instrument, px, request.exits.stop if request.exits else 0)
    parts: tuple[Qty, ...] = (qty,)
    if instrument.freeze and qty > instrument.freeze:
        parts = slices(qty, instrument.freeze, instrument.lot, state.setup.limits.slices_max) or parts
        if state.controls is not None:
            state.controls.expect_slices(instrument.id, request.side, now_ns)
    for part in parts:
        order = Order(
            state.next_order_id(),
            state.origin,
            instrument.id,
            request.side,
            part,
            request.type,
            request.product,
            now_ns,
            request.limit,
            request.trigger,
            request.exits,
            _SIGNAL,
            None,
            None,
            request.validity,
            _REGULAR,
            _NONE,
            0,
            request.tag,
        )
        place(state, order, out, instead)


def _target(state: EngineState, request: TargetRequest, now_ns: TsNs, out: list[Output]) -> None:
    instrument = state.instruments[request.instrument]
    px = state.marks.get(request.instrument, 0)
    key = PositionKey(state.origin.strategy, request.instrument, request.product)
    held = state.held_by(key)
    if request.value == 0:
        goal = Qty(0)
    else:
        full = _policy_qty(state, instrument, px, 0) if request.unit is TargetUnit.SIGNAL else 0
        goal = target_qty(request.unit, request.value, equity=state.equity(), px=px, lot=instrument.lot, full=full)
    working = sum(
        record.left * int(record.order.side)
        for record in state.book.open_orders(request.instrument)
        if record.order.purpose is Purpose.SIGNAL
        and record.order.product is request.product
        and record.order.origin.strategy == key.strategy
    )
    if goal == 0 and held:
        cancel_open(state, key, out)
        working = 0
    change = needed(goal, held, working)
    if held and goal * held < 0 and request.instrument not in state.ctx.universe:
        # Outside the universe a turn is refused, but the close that is half of it is not.
        cancel_open(state, key, out)
        market(state, instrument, MarketWish(-held, request.product, Purpose.SIGNAL, request.tag), now_ns, out)
        change = goal
    instead = Instead.AFFORDABLE if request.unit is TargetUnit.WEIGHT else Instead.CLOSING
    if request.unit is TargetUnit.SIGNAL:
        instead = _for_want_of_funds(state)
    wish = MarketWish(change, request.product, Purpose.SIGNAL, request.tag, instead=instead)
    before = len(out)
    market(state, instrument, wish, now_ns, out)
    if state.desk is not None and goal == 0:
        state.desk.closers.update(
            output.command.order.id
            for output in out[before:]
            if isinstance(output, Approved) and isinstance(output.command, SubmitOrder)
        )


def _for_want_of_funds(state: EngineState) -> Instead:
    """Return what is ordered where the funds do not suffice: less, unless the user has fixed the quantity."""
    return Instead.CLOSING if isinstance(state.setup.sizing, FixedQty) else Instead.AFFORDABLE


class MarketWish(NamedTuple):
    """A change of a position at the market: signed quantity, held as what, for what; `group` is the entry it ends.

    `instead` tells what is placed where the gate refuses it. `strategy` is whose position, empty for the run's own.
    """

    change: int
    product: Product
    purpose: Purpose
    tag: str = ""
    group: OrderId | None = None
    instead: Instead = Instead.NOTHING
    strategy: StrategyId = StrategyId("")


def market(state: EngineState, instrument: Instrument, wish: MarketWish, now_ns: TsNs, out: list[Output]) -> None:
    """Place the market orders that change a position by a signed quantity, in slices."""
    if wish.change == 0:
        return
    size = abs(wish.change)
    origin = state.origin_of(wish.strategy) if wish.strategy else state.origin
    # What closes a position is cut into as many orders as it takes: a limit must not trap it.
    held = state.held_by((origin.strategy, instrument.id, wish.product))
    closes = wish.purpose is not Purpose.SIGNAL or held == -wish.change
    most = size if closes else state.setup.limits.slices_max
    parts = slices(size, instrument.freeze, instrument.lot, most) or (Qty(size),)
    if len(parts) > 1 and state.controls is not None:
        state.controls.expect_slices(instrument.id, Side.BUY if wish.change > 0 else Side.SELL, now_ns)
    for part in parts:
        order = Order(
            state.next_order_id(),
            origin,
            instrument.id,
            Side.BUY if wish.change > 0 else Side.SELL,
            part,
            OrderType.MARKET,
            wish.product,
            now_ns,
            purpose=wish.purpose,
            group=wish.group,
            tag=wish.tag,
        )
        place(state, order, out, wish.instead)


def _policy_qty(state: EngineState, instrument: Instrument, px: int, stop: int) -> Qty:
    policy = state.setup.sizing
    closes = recent_daily_closes(state, instrument.id, policy) if needs_closes(policy) else ()
    return entry_qty(policy, equity=state.equity(), px=px, stop=stop, lot=instrument.lot, closes=closes)


def _cancel(state: EngineState, request: CancelRequest, now_ns: TsNs, out: list[Output]) -> None:
    if request.order_id is None:
        key = PositionKey(state.origin.strategy, request.instrument, state.ctx.product)
        cancel_open(state, key, out, entries_only=True)
        return
    cancel_one(state, request.order_id, now_ns, out)


def cancel_one(state: EngineState, order_id: OrderId, now_ns: TsNs, out: list[Output]) -> None:
    """Cancel an order that is open; what protected its entry is not placed again."""
    record = state.book.records.get(order_id)
    if record is not None and record.order.id in state.book.open_by_instrument.get(record.order.instrument, {}):
        out.append(state.gate.cancel(record))
        if state.desk is not None and record.order.parent is not None:
            state.desk.waived.add(record.order.parent)
        return
    _refuse(state, CancelOrder(order_id), order_id, now_ns, out)


def _modify(state: EngineState, request: ModifyRequest, now_ns: TsNs, out: list[Output]) -> None:
    change_some(state, ModifyOrder(request.order_id, request.qty, request.limit, request.trigger), now_ns, out)


def change_some(state: EngineState, some: ModifyOrder, now_ns: TsNs, out: list[Output]) -> None:
    """Put new terms of an order before the gate, which has to be open; those that are zero stay as they are."""
    record = state.book.records.get(some.order_id)
    if record is None or record.closed_ns:
        _refuse(state, some, some.order_id, now_ns, out)
        return
    whole = (some.qty or record.qty, some.limit or record.limit, some.trigger or record.trigger)
    modify(state, ModifyOrder(some.order_id, *whole), now_ns, out)


def modify(state: EngineState, command: ModifyOrder, now_ns: TsNs, out: list[Output]) -> None:
    """Put new terms of an open order before the gate."""
    verdict = state.gate.modify(state.book.records[command.order_id], command, now_ns)
    out.append(verdict)
    if isinstance(verdict, Refused):
        state.record_refusals.append(verdict)


def _refuse(
    state: EngineState, subject: CancelOrder | ModifyOrder, order_id: OrderId, now_ns: TsNs, out: list[Output]
) -> None:
    refused = Refused(subject, RefusalReason.UNKNOWN_ORDER, order_id, now_ns)
    state.record_refusals.append(refused)
    out.append(refused)


def _legs(state: EngineState, request: LegsRequest, now_ns: TsNs, out: list[Output]) -> None:
    """Begin a group; `engine.legs` sends its orders when the step ends."""
    detail = begin(state, request.group)
    if detail:
        refused = Refused(request.group, RefusalReason.LEG_GROUP, detail, now_ns)
        state.record_refusals.append(refused)
        out.append(refused)


def _close_legs(state: EngineState, request: CloseLegsRequest, now_ns: TsNs, out: list[Output]) -> None:
    """Let a group end, or all; one that has ended meanwhile stays so."""
    for saga in list(state.sagas.values()):
        if request.group_id in (None, saga.id):
            note(state, saga, End(Turn.ENDING, "asked for"), now_ns, out)


def _timer(state: EngineState, request: TimerRequest, now_ns: TsNs, out: list[Output]) -> None:
    del state
    if request.ts_ns <= now_ns:
        raise UsageError(
            f"timer {request.key!r} was set for {format_ts(request.ts_ns)}, not after now, {format_ts(now_ns)}",
            hint="Act at once instead, or set it for a later moment.",
        )
    out.append(SetTimer(request.key, request.ts_ns))


def _reductions_first(state: EngineState, requests: list[Request]) -> list[Request]:
    """Order target requests so that reductions come before increases; all else keeps its place before them."""
    targets = [r for r in requests if isinstance(r, TargetRequest)]
    if len(targets) < 2:
        return requests[:]
    others = [r for r in requests if not isinstance(r, TargetRequest)]

    def grows(request: TargetRequest) -> bool:
        if request.value == 0:
            return False
        held = state.held(request.instrument, request.product)
        if not held:
            return True
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


_CARRY_OUT: dict[type, Callable[[EngineState, Any, TsNs, list[Output]], None]] = {
    OrderRequest: _order,
    TargetRequest: _target,
    CancelRequest: _cancel,
    ModifyRequest: _modify,
    LegsRequest: _legs,
    CloseLegsRequest: _close_legs,
    TimerRequest: _timer,
}
