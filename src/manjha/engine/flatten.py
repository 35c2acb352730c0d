"""Closing a position at a broker, where a cancel takes time and may lose against a fill.

What rests is cancelled first, and only when that is gone, or has had its time, is what is held closed: two orders that
both close would turn the position round. It is looked at again until nothing is held and nothing is on its way.
"""

from manjha.domain.commands import Approved, Output, Refused, SetTimer, SubmitOrder
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Qty
from manjha.domain.orders import Fill, Phase, Product, Purpose
from manjha.engine.desk import Closing, Desk, call
from manjha.engine.exits import key_of
from manjha.engine.groups import End, group_in, note
from manjha.engine.requests import MarketWish, close_out, market
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.orders.legs import Turn
from manjha.portfolio.positions import PositionKey

FLATTEN = "broker:flatten"
"""Timer at which positions that are being closed are looked at again."""
LOOK_NS = 2 * SECOND_NS
REFUSED_MAX_NS = 60 * SECOND_NS
"""How long is waited at most after the broker has refused to close: twice as long each time, from a look on."""
PATIENCE_NS = 10 * SECOND_NS
"""How long a cancel may take before the position is closed beside it."""


def flatten(state: EngineState, key: PositionKey, purpose: Purpose, now_ns: TsNs, out: list[Output]) -> None:
    """Begin to close what is held of an instrument as a product; a group of legs in it ends whole (`engine.legs`)."""
    desk, saga = state.desk, group_in(state, key.instrument, key.product)
    if saga is not None and key.strategy == state.origin.strategy:
        note(state, saga, End(Turn.ENDING, f"its positions are to be closed ({purpose})", purpose), now_ns, out)
        return
    if desk is None:
        close_out(state, key, purpose, now_ns, out)
        return
    desk.closing.setdefault(key, Closing(key, purpose, now_ns))
    look_again(state, now_ns, out)


def fit_fill(state: EngineState, fill: Fill, now_ns: TsNs, out: list[Output]) -> None:
    """After a fill: close what must not be there. An order that was to close has opened, or it is after square-off."""
    desk = state.desk
    if desk is None:
        return
    order = state.book.records[fill.order_id].order
    key = key_of(order)
    held = state.held_by(key)
    if held * int(fill.side) <= 0:
        return
    today = state.gate.today.get(fill.instrument)
    late = fill.product is Product.MIS and today is not None and now_ns >= today.square_off_ns
    turned = order.purpose is not Purpose.SIGNAL or order.id in desk.closers
    if turned:
        call(fill.instrument, f"order {order.id} was to close, and has opened {held}: it is closed", now_ns, out)
    if late or turned:
        flatten(state, key, Purpose.SQUARE_OFF, now_ns, out)


def look_again(state: EngineState, now_ns: TsNs, out: list[Output]) -> None:
    """Go on with everything that is being closed."""
    desk = state.desk
    if desk is None or not desk.closing:
        return
    for key in list(desk.closing):
        _look(state, key, now_ns, out)
    _again(state, now_ns, out)


def _again(state: EngineState, now_ns: TsNs, out: list[Output]) -> None:
    desk = state.desk
    if desk is None or all((one.instrument, one.product) in desk.unchecked for one in desk.closing):
        # What is to be checked first is looked at again after the read that shows it.
        return
    if desk.look_due <= now_ns:
        desk.look_due = now_ns + LOOK_NS
        out.append(SetTimer(FLATTEN, TsNs(desk.look_due)))


def _look(state: EngineState, key: PositionKey, now_ns: TsNs, out: list[Output]) -> None:
    desk = state.desk
    if desk is None:
        return
    strategy, instrument, product = key
    wish, held = desk.closing[key], state.held_by(key)
    records = [record for record in state.book.open_orders(instrument) if key_of(record.order) == key]
    exits = [record for record in records if _is_ours(record, desk)]
    others = [record for record in records if not _is_ours(record, desk)]
    out.extend(state.gate.cancel(record) for record in others if not _is_leaving(record))
    if not held and not records:
        del desk.closing[key]
        return
    today = state.gate.today.get(instrument)
    if today is None or now_ns >= max(today.close_ns, today.auction_end_ns):
        # Nothing trades any more; what is left of an intraday position is closed when the next session opens.
        del desk.closing[key]
        if held:
            call(instrument, f"{held} held as {product} could not be closed before the market was", now_ns, out)
        return
    if (instrument, product) in desk.unchecked or (others and now_ns < wish.since_ns + PATIENCE_NS):
        return
    change = _still_needed(state, exits, held, out)
    if not change or now_ns < _refused_until(state, wish):
        return
    before = len(out)
    closing = MarketWish(Qty(change), product, wish.purpose, strategy=strategy)
    market(state, state.instruments[instrument], closing, now_ns, out)
    for output in out[before:]:
        if isinstance(output, Approved) and isinstance(output.command, SubmitOrder):
            desk.closers.add(output.command.order.id)
        elif isinstance(output, Refused):
            call(instrument, f"{held} held as {product} cannot be closed: {output.reason}", now_ns, out)


def _refused_until(state: EngineState, wish: Closing) -> int:
    """Return until when nothing is sent, as the broker refuses: it says the same again, and counts what it is sent."""
    refused = [
        record.order.decided_ns
        for record in state.book.records.values()
        if record.phase is Phase.REJECTED
        and record.order.purpose is wish.purpose
        and record.order.decided_ns >= wish.since_ns
        and key_of(record.order) == wish.key
    ]
    return refused[-1] + min(LOOK_NS << len(refused) - 1, REFUSED_MAX_NS) if refused else 0


def _still_needed(state: EngineState, exits: list[OrderRecord], held: int, out: list[Output]) -> int:
    """Return what is to be ordered beside the exits that are there, signed; those that are too much are cancelled.

    Somebody else may have closed a part meanwhile. No order is placed against an exit that is on its way, as the exit
    may be refused, and nothing beside one that would close more than is held: what it opens is closed when it has
    (`fit_fill`).
    """
    change, waits = -held, False
    for record in exits:
        change_of = record.left * int(record.order.side)
        if change * change_of > 0 and abs(change_of) <= abs(change):
            change -= change_of
            continue
        waits = waits or change * change_of > 0
        if not _is_leaving(record):
            out.append(state.gate.cancel(record))
    return 0 if waits else change


def _is_ours(record: OrderRecord, desk: Desk) -> bool:
    """Tell whether an order was placed here to close; a strategy's own is cancelled like everything else."""
    return record.order.id in desk.closers and record.order.purpose is not Purpose.SIGNAL


def _is_leaving(record: OrderRecord) -> bool:
    at = record.at_broker
    return at is not None and (at.is_leaving or record.phase is Phase.UNCONFIRMED)
