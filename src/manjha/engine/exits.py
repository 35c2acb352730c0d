"""Protection of positions: stop and target as one-cancels-other, trailing stops, exits by time.

The orders rest at the exchange, so that they work when we do not; the engine keeps their quantities equal to what the
entry has filled, moves trailing stops at each close, and puts them back each morning while the position lives.
"""

from collections.abc import Sequence

import msgspec

from manjha.domain.commands import ModifyOrder, Output, SetTimer
from manjha.domain.kill import KillLevel
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty, Rounding, round_to_tick
from manjha.domain.orders import Fill, Order, OrderId, OrderType, Product, Purpose, Side
from manjha.engine.desk import PROTECT_TRIES, call
from manjha.engine.requests import MarketWish, market, modify, place
from manjha.engine.state import EngineState, Protection
from manjha.orders.book import OrderRecord
from manjha.portfolio.positions import PositionKey

# Members by name: in Python 3.11 a look into an enum costs more than the comparison it is for.
_BUY, _SELL, _LIMIT, _SL_M = Side.BUY, Side.SELL, OrderType.LIMIT, OrderType.SL_M
_STOP, _TARGET, _NO_PX = Purpose.STOP, Purpose.TARGET, Px(0)

EXIT_TIMER = "exit:"
"""Prefix of the timers that close a position by time; the entry's id follows."""


def entry_filled(state: EngineState, record: OrderRecord, fill: Fill, out: list[Output]) -> None:
    """Protect what an entry with exits has filled: place the orders at the first fill, grow them at later ones."""
    entry, exits = record.order, record.order.exits
    if exits is None:
        return
    protection = state.protections.get(entry.id)
    if protection is None:
        protection = state.protections[entry.id] = Protection(entry, exits, best=fill.px)
        protection.stop_px = _first_stop(state, entry, fill)
        protection.filled = fill.qty
        _place_both(state, protection, fill.ts_ns, out)
        if exits.exit_ns:
            # An entry that fills after its own exit time leaves as soon as it can.
            out.append(SetTimer(EXIT_TIMER + entry.id, TsNs(max(exits.exit_ns, fill.ts_ns))))
        return
    protection.filled += fill.qty
    for order_id in (protection.stop_id, protection.target_id):
        _resize(state, order_id, protection.filled, fill.ts_ns, out)


def exit_filled(state: EngineState, record: OrderRecord, fill: Fill, out: list[Output]) -> None:
    """After a stop, target or time exit traded: cancel the others, or shrink them to what is left."""
    entry_id = record.order.group
    protection = state.protections.get(entry_id) if entry_id is not None else None
    if protection is None or entry_id is None:
        return
    protection.filled -= fill.qty
    other = protection.target_id if record.order.id == protection.stop_id else protection.stop_id
    if protection.filled > 0:
        _resize(state, other, protection.filled, fill.ts_ns, out)
    else:
        forget(state, entry_id)
        _cancel(state, other, out)
    if protection.timed_out:
        _keep(state, _time_exits(state, protection), protection.filled, fill.ts_ns, out)


def fit_to_position(state: EngineState, fill: Fill, held: int, out: list[Output]) -> None:
    """After a fill, protect no more than what is held: a stop must never open the opposite position.

    Protection on the other side, or of what was sold by another way, is cancelled or shrunk; the oldest entries keep
    theirs.
    """
    left = abs(held)
    for entry_id, protection in list(state.protections.items()):
        entry = protection.entry
        if entry.instrument != fill.instrument or entry.product is not fill.product:
            continue
        if entry.origin.strategy != fill.origin.strategy:
            continue
        keep = min(protection.filled, left) if held * entry.side > 0 else 0
        left -= keep
        if keep == 0:
            forget(state, entry_id)
            _cancel(state, protection.stop_id, out)
            _cancel(state, protection.target_id, out)
        elif keep < protection.filled:
            protection.filled = keep
            _resize(state, protection.stop_id, keep, fill.ts_ns, out)
            _resize(state, protection.target_id, keep, fill.ts_ns, out)
        if protection.timed_out:
            _keep(state, _time_exits(state, protection), keep, fill.ts_ns, out)


def fit_sales(state: EngineState, fill: Fill, held: int, out: list[Output]) -> None:
    """After a delivery sale, sell no more than is still held: shares cannot be sold short for delivery.

    The oldest orders keep their quantity; what protects is fitted by `fit_to_position`.
    """
    sales = [
        record
        for record in state.book.open_orders(fill.instrument)
        if record.order.side is Side.SELL
        and record.order.product is fill.product
        and record.order.parent is None
        and record.order.origin.strategy == fill.origin.strategy
    ]
    _keep(state, sales, max(0, held), fill.ts_ns, out)


def move_trailing_stops(state: EngineState, out: list[Output]) -> None:
    """At a close, pull each trailing stop after the best close since entry; a stop never moves back."""
    for entry_id in sorted(state.trailing):
        protection = state.protections[entry_id]
        entry = protection.entry
        series = state.ctx.markets[entry.instrument].series
        # In today's shares: after a corporate action the last close is of other ones until the next bar.
        close, now_ns = state.marks[entry.instrument], TsNs(series.seen_ns(series.row()))
        sign = int(entry.side)
        if (close - protection.best) * sign <= 0 or protection.stop_id is None:
            continue
        protection.best = close
        stop = _on_tick(state, entry, close - sign * protection.exits.trail)
        if (stop - protection.stop_px) * sign > 0:
            protection.stop_px = stop
            modify(state, ModifyOrder(protection.stop_id, Qty(protection.filled), Px(0), Px(stop)), now_ns, out)


def rearm(state: EngineState, now_ns: TsNs, out: list[Output]) -> None:
    """See, at the open, to positions that were carried over night: protection put back, missed time exits tried again.

    An intraday position is not protected again but squared off, which `handlers.session` does.
    """
    for entry_id, protection in state.protections.items():
        entry, exit_ns = protection.entry, protection.exits.exit_ns
        if entry.product is Product.MIS or not state.held_by(key_of(entry)) or _waits(state, entry):
            continue
        if exit_ns and exit_ns <= now_ns:
            exit_by_time(state, entry_id, now_ns, out)
        elif not _is_open(state, protection.stop_id) and not _is_open(state, protection.target_id):
            _place_both(state, protection, now_ns, out)


def unprotected(state: EngineState, now_ns: int) -> list[OrderId]:
    """Return the entries whose stop or target should rest at the exchange and does not, while nothing closes them.

    None outside the hours of trading: what is carried over night is protected again when the next session opens.
    """
    found, desk = list[OrderId](), state.desk
    if desk is None:
        return found
    for entry_id, protection in state.protections.items():
        entry = protection.entry
        if protection.timed_out or entry_id in desk.waived or key_of(entry) in desk.closing:
            continue
        if _is_killed(state, entry) or _waits(state, entry):
            # Protection may not rest now; it is placed when the level is lifted, or what is held was checked.
            continue
        today = state.gate.today.get(entry.instrument)
        if today is None or not today.open_ns <= now_ns < today.close_ns:
            continue
        if not _lacks(state, protection) or not state.held_by(key_of(entry)):
            continue
        opens = state.book.open_by_instrument[entry.instrument]
        if not any(order_id in desk.closers for order_id in opens):
            found.append(entry_id)
    return found


def key_of(order: Order) -> PositionKey:
    """Return which position an order is about."""
    return PositionKey(order.origin.strategy, order.instrument, order.product)


def _waits(state: EngineState, entry: Order) -> bool:
    """Tell whether it has to be checked first what is held (`engine.overnight`)."""
    return state.desk is not None and (entry.instrument, entry.product) in state.desk.unchecked


def _is_killed(state: EngineState, entry: Order) -> bool:
    """Tell whether the kill switch forbids stops and targets of an entry."""
    controls = state.controls
    if controls is None:
        return False
    return controls.level(entry.origin.strategy, entry.instrument) >= KillLevel.CANCEL_ALL


def _lacks(state: EngineState, protection: Protection) -> tuple[Purpose, ...]:
    """Return which protection does not rest at the exchange."""
    stop = protection.stop_px and not _is_open(state, protection.stop_id)
    target = protection.exits.target and not _is_open(state, protection.target_id)
    return (_STOP,) * bool(stop) + (_TARGET,) * bool(target)


def protect_again(state: EngineState, entry_id: OrderId, now_ns: TsNs, out: list[Output]) -> None:
    """Place protection that did not reach the exchange once more; after some tries close the position instead."""
    protection, desk = state.protections.get(entry_id), state.desk
    if desk is None or protection is None:
        return
    desk.unprotected.pop(entry_id, None)
    if entry_id not in unprotected(state, now_ns):
        if not _lacks(state, protection):
            desk.protect_tries.pop(entry_id, None)
        return
    entry = protection.entry
    tries = desk.protect_tries[entry_id] = desk.protect_tries.get(entry_id, 0) + 1
    if tries > PROTECT_TRIES:
        call(entry.instrument, f"its protection was refused {PROTECT_TRIES} times: the position is closed", now_ns, out)
        exit_by_time(state, entry_id, now_ns, out)
        return
    for purpose in _lacks(state, protection):
        order = _child(state, protection, purpose, now_ns)
        placed = order.id if place(state, order, out) else None
        if purpose is _STOP:
            protection.stop_id = placed
        else:
            protection.target_id = placed


def exit_by_time(state: EngineState, entry_id: OrderId, now_ns: TsNs, out: list[Output]) -> None:
    """Close at the market what an entry opened and still holds; the protection of other entries stays.

    What would have ended it otherwise is cancelled: its stop and target, what is left of the entry itself and, where
    nothing else is held, resting orders of the strategy that would now open the opposite position.
    """
    protection = state.protections.get(entry_id)
    if protection is None or _time_exits(state, protection) or _waits(state, protection.entry):
        return
    entry = protection.entry
    for order_id in (entry_id, protection.stop_id, protection.target_id):
        _cancel(state, order_id, out)
    protection.stop_id = protection.target_id = None
    protection.timed_out = True
    state.trailing.discard(entry_id)
    if abs(state.held_by(key_of(entry))) <= protection.filled:
        for record in state.book.open_orders(entry.instrument):
            order = record.order
            if order.side is not entry.side and key_of(order) == key_of(entry) and order.exits is None:
                _cancel(state, order.id, out)
    change, whose = -int(entry.side) * protection.filled, entry.origin.strategy
    wish = MarketWish(change, entry.product, Purpose.TIME_EXIT, group=entry_id, strategy=whose)
    market(state, state.instruments[entry.instrument], wish, now_ns, out)


def rescale(state: EngineState, protection: Protection, new_shares: int, old_shares: int, held: int) -> None:
    """Apply a split or bonus to what protects a position: prices in the new basis, quantity as held."""
    exits = protection.exits
    entry = protection.entry

    def price(px: int) -> Px:
        return Px(_on_tick(state, entry, px * old_shares // new_shares)) if px else Px(0)

    protection.exits = msgspec.structs.replace(
        exits, stop=price(exits.stop), target=price(exits.target), trail=price(exits.trail)
    )
    protection.stop_px = price(protection.stop_px)
    protection.best = protection.best * old_shares // new_shares
    protection.filled = min(abs(held), protection.filled * new_shares // old_shares)


def _place_both(state: EngineState, protection: Protection, now_ns: TsNs, out: list[Output]) -> None:
    entry = protection.entry
    protection.stop_id = protection.target_id = None
    if protection.stop_px:
        order = _child(state, protection, _STOP, now_ns)
        if place(state, order, out):
            protection.stop_id = order.id
            if protection.exits.trail:
                state.trailing.add(entry.id)
    if protection.exits.target:
        order = _child(state, protection, _TARGET, now_ns)
        if place(state, order, out):
            protection.target_id = order.id


def _child(state: EngineState, protection: Protection, purpose: Purpose, now_ns: TsNs) -> Order:
    entry = protection.entry
    is_stop = purpose is _STOP
    return Order(
        state.next_order_id(),
        entry.origin,
        entry.instrument,
        _SELL if entry.side > 0 else _BUY,
        Qty(protection.filled),
        _SL_M if is_stop else _LIMIT,
        entry.product,
        now_ns,
        _NO_PX if is_stop else protection.exits.target,
        Px(protection.stop_px) if is_stop else _NO_PX,
        None,
        purpose,
        entry.id,
        entry.id,
        tag=entry.tag,
    )


def _first_stop(state: EngineState, entry: Order, fill: Fill) -> int:
    exits = entry.exits
    if exits is None or exits.stop or not exits.trail:
        return exits.stop if exits is not None else 0
    return _on_tick(state, entry, fill.px - int(entry.side) * exits.trail)


def _on_tick(state: EngineState, entry: Order, px: int) -> int:
    """Put a stop onto the tick, away from the price, so that rounding never makes it tighter."""
    rounding = Rounding.DOWN if entry.side > 0 else Rounding.UP
    return round_to_tick(px, state.instruments[entry.instrument].tick, rounding)


def _resize(state: EngineState, order_id: OrderId | None, qty: int, now_ns: TsNs, out: list[Output]) -> None:
    if order_id is not None and _is_open(state, order_id):
        record = state.book.records[order_id]
        terms = ModifyOrder(order_id, Qty(record.filled + qty), record.limit, record.trigger)
        modify(state, terms, now_ns, out)


def _keep(state: EngineState, records: Sequence[OrderRecord], most: int, now_ns: TsNs, out: list[Output]) -> None:
    """Let open orders trade at most this much in all; the oldest keep their quantity."""
    left = most
    for record in records:
        keep = min(record.left, left)
        left -= keep
        if keep == 0:
            _cancel(state, record.order.id, out)
        elif keep < record.left:
            _resize(state, record.order.id, keep, now_ns, out)


def _time_exits(state: EngineState, protection: Protection) -> list[OrderRecord]:
    """Return the open orders of a time exit that is under way."""
    entry = protection.entry
    return [
        record
        for record in state.book.open_orders(entry.instrument)
        if record.order.purpose is Purpose.TIME_EXIT and record.order.group == entry.id
    ]


def _cancel(state: EngineState, order_id: OrderId | None, out: list[Output]) -> None:
    if order_id is not None and _is_open(state, order_id):
        out.append(state.gate.cancel(state.book.records[order_id]))


def _is_open(state: EngineState, order_id: OrderId | None) -> bool:
    if order_id is None:
        return False
    record = state.book.records[order_id]
    return order_id in state.book.open_by_instrument.get(record.order.instrument, ())


def forget(state: EngineState, entry_id: OrderId) -> None:
    """Protect an entry no longer; its orders are left as they are."""
    state.protections.pop(entry_id, None)
    state.trailing.discard(entry_id)
