"""A stop that the price has jumped over: trigger passed, and still not filled (RELIABILITY F38).

Only what closes a position counts: an entry that was missed is no danger. A stop limit gets a limit through the market,
as the collar of the controls reaches, in the order that rests: nothing is cancelled, so nothing can trade twice. What
does not help, or a stop that has no limit, ends in closing the position; a person is called in any case.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from manjha.domain.commands import ModifyOrder, Output, SetTimer
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Rounding, format_px, round_to_tick
from manjha.domain.orders import OrderId, OrderType, Phase, Purpose
from manjha.engine.desk import SKIPPED, Desk, call
from manjha.engine.exits import key_of
from manjha.engine.flatten import flatten
from manjha.engine.requests import modify
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord

if TYPE_CHECKING:
    from manjha.risk.controls import Controls

TRIES = 2
"""How often a stop limit is let through the market before the position is closed."""
_STOPS: Mapping[OrderType, bool] = {OrderType.SL: True, OrderType.SL_M: False}
"""Kinds of stops, and whether they have a limit that can be moved."""


def look_for_skipped(state: EngineState, desk: Desk, now_ns: TsNs, out: list[Output]) -> None:
    """After a close: give each closing stop whose trigger it has passed its time, and then look again."""
    controls = state.controls
    if controls is None or not controls.limits.skipped_stop_ns or not state.book.open_count:
        return
    for record in state.book.open_orders():
        order_id = record.order.id
        if order_id not in desk.skipped and _is_passed(state, record):
            desk.skipped[order_id] = 0
            _wait(controls, order_id, now_ns, out)


def skipped_fired(state: EngineState, order_id: OrderId, now_ns: TsNs, out: list[Output]) -> None:
    """See to a stop whose time is over: it has filled, the price has come back, or it is let through the market."""
    desk, controls = state.desk, state.controls
    if desk is None or controls is None:
        return
    tries, record = desk.skipped.pop(order_id, None), state.book.records[order_id]
    if tries is None or not _is_passed(state, record):
        return
    order = record.order
    if record.phase is Phase.UNCONFIRMED:
        # Nobody knows whether it is there: that comes first.
        desk.skipped[order_id] = tries
        _wait(controls, order_id, now_ns, out)
        return
    px = format_px(state.marks[order.instrument])
    told = f"the price {px} has passed stop {order_id} at {format_px(record.trigger)}, {record.left} are not filled"
    if _STOPS[order.type] and tries < TRIES:
        limit = _through(state, controls, record)
        call(order.instrument, f"{told}: its limit becomes {format_px(limit)}", now_ns, out)
        modify(state, ModifyOrder(order_id, record.qty, limit, record.trigger), now_ns, out)
        desk.skipped[order_id] = tries + 1
        _wait(controls, order_id, now_ns, out)
        return
    call(order.instrument, f"{told}: the position is closed", now_ns, out)
    flatten(state, key_of(order), Purpose.STOP, now_ns, out)


def _wait(controls: "Controls", order_id: OrderId, now_ns: int, out: list[Output]) -> None:
    out.append(SetTimer(SKIPPED + order_id, TsNs(now_ns + controls.limits.skipped_stop_ns)))


def _is_passed(state: EngineState, record: OrderRecord) -> bool:
    """Tell whether an open stop closes something and the last price is at its trigger or beyond."""
    order, px = record.order, state.marks.get(record.order.instrument, 0)
    if order.type not in _STOPS or record.closed_ns or not px or not record.left:
        return False
    if record.at_broker is not None and record.at_broker.is_leaving:
        return False
    sign = int(order.side)
    return (px - record.trigger) * sign >= 0 and state.held_by(key_of(order)) * sign < 0


def _through(state: EngineState, controls: "Controls", record: OrderRecord) -> Px:
    """Return the limit that reaches through the market: past the last price by the collar, inside the band."""
    from manjha.risk.control_limits import collar_distance

    order, px = record.order, state.marks[record.order.instrument]
    instrument = state.instruments[order.instrument]
    sign = int(order.side)
    wanted = px + sign * collar_distance(controls.limits, instrument, px)
    band = controls.bands.get(order.instrument)
    if band is not None:
        wanted = min(max(wanted, band.low), band.high)
    rounding = Rounding.UP if (sign > 0) == (band is None) else Rounding.DOWN
    return Px(max(round_to_tick(wanted, instrument.tick, rounding), instrument.tick))
