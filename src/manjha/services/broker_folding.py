"""What rows of trading at a broker say, paper and live: the engine's reading of them, without its decisions.

Each function here does to the read models what the one of the same name in `engine.handlers.broker`, `reconcile`,
`external` and `holdings` does to the engine's books, by the same plain functions; what they ask for (cancels, calls,
further reads, frozen instruments) stands in the journal by itself. Tests compare the two on days full of faults.
"""

from collections.abc import Callable, Mapping

import msgspec

from manjha.domain.broker import (
    BrokerStatus,
    OrderSeen,
    OutcomeUnknown,
    PositionSeen,
    Sent,
    TradeSeen,
    Turned,
    Unsent,
)
from manjha.domain.errors import JournalHalted
from manjha.domain.events import (
    AccountTaken,
    BrokerRead,
    DifferenceAccepted,
    SendVetoed,
    SessionClosed,
    SessionOpened,
    SubmitAnswered,
)
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs, day_of
from manjha.domain.money import Qty
from manjha.domain.orders import EXTERNAL, Fill, Order, OrderId, Origin, Phase, Product, Purpose
from manjha.domain.read_models import DeskView, OrderView, SentView
from manjha.engine.desk import READS_MIN, Held
from manjha.engine.holdings import differences, is_external, settled_thaws
from manjha.engine.overnight import UNSEEN, could_explain, is_over
from manjha.engine.reconcile import absences
from manjha.orders.lifecycle import OPEN_PHASES, Happening
from manjha.orders.reading import EXPECTED, closed_parts, closer, fill_of, reading
from manjha.orders.sight import NOTHING_SEEN, joined, sight_of
from manjha.services.folding import VERIFY, Fold

_PHASES = {
    BrokerStatus.COMPLETE: Phase.FILLED,
    BrokerStatus.CANCELLED: Phase.CANCELLED,
    BrokerStatus.REJECTED: Phase.REJECTED,
}


def account_taken(fold: Fold, event: AccountTaken) -> None:
    """What was sent without an answer is unconfirmed; what was looked for is looked for from now on."""
    fold.desk = _changed(fold.desk, epoch=event.epoch)
    for view in fold.sent_orders():
        if view.phase is Phase.SENT:
            _uncertain(fold, view.order.id, event.ts_ns, "the process ended before the outcome was known")
        elif view.phase is Phase.UNCONFIRMED:
            fold.note_sent(view.order.id, uncertain_ns=event.ts_ns, absent=0)


def opened(fold: Fold, event: SessionOpened) -> None:
    """Begin a session's day; at a broker, what was in doubt in the book of yesterday ends with it."""
    fold.day = event.day
    desk = fold.desk
    if not desk.epoch or event.day == desk.day:
        return
    gone = _gone(fold)
    for view in fold.in_doubt():
        if _sent(view).is_sought:
            why = "not found at the broker before its day ended"
            _ended(fold, view.order.id, Happening.WRITTEN_OFF, event.ts_ns, why)
        fold.note_sent(view.order.id, is_sought=False, is_short=False)
    fold.desk = _changed(desk, day=event.day, day_seq=fold.seq, loose=(), gone=gone, opened_ns=event.ts_ns)
    fold.new_book()


def closed(fold: Fold, event: SessionClosed) -> None:
    """Remember when a session ended: what was decided before it is over on the next day."""
    if fold.desk.epoch:
        fold.desk = _changed(fold.desk, closed_ns=event.ts_ns)


def _gone(fold: Fold) -> dict[OrderId, PositionSeen]:
    """Return what is left, signed, of the orders of the broker's day so far."""
    gone: dict[OrderId, PositionSeen] = {}
    for view in _there(fold):
        order, left = view.order, view.qty - view.filled
        if is_over(order.decided_ns, fold.desk.closed_ns, fold.desk.day):
            gone[order.id] = PositionSeen(order.instrument, order.product, Qty(left * int(order.side)))
    return gone


def _end_gone(fold: Fold, ts_ns: TsNs) -> None:
    """End the orders of the day before that a whole read of the new day does not show."""
    if fold.desk.gone and ts_ns > fold.desk.opened_ns:
        for view in _there(fold):
            if view.order.id in fold.desk.gone and view.phase is Phase.WORKING:
                _ended(fold, view.order.id, Happening.CANCELLED, ts_ns, UNSEEN)


def _there(fold: Fold) -> list[OrderView]:
    """Return the open orders that were at the broker, or may have been."""
    return [view for view in fold.sent_orders() if view.phase in (Phase.WORKING, Phase.UNCONFIRMED)]


def submit_answered(fold: Fold, event: SubmitAnswered) -> None:
    """Note how sending an order ended."""
    order_id, ts_ns = event.order_id, event.ts_ns
    match event.outcome:
        case Sent(broker_id=broker_id):
            bind(fold, order_id, broker_id)
            if fold.order(order_id).phase in EXPECTED:
                fold.told(order_id, Happening.ACCEPTED, ts_ns)
        case Unsent(reason=reason):
            _ended(fold, order_id, Happening.UNSENT, ts_ns, reason)
            fold.note_sent(order_id, is_sought=False)
        case Turned(reason=reason):
            # Where it is there, what was seen is believed, not what the answer says.
            if not fold.order(order_id).broker_id:
                _ended(fold, order_id, Happening.REJECTED, ts_ns, reason)
                fold.note_sent(order_id, is_sought=False)
        case OutcomeUnknown(reason=reason):
            _uncertain(fold, order_id, ts_ns, reason)


def vetoed(fold: Fold, event: SendVetoed) -> None:
    """Note that an order did not go out."""
    if event.is_order:
        _ended(fold, event.order_id, Happening.UNSENT, event.ts_ns, event.reason)
        fold.note_sent(event.order_id, is_sought=False)


def difference_accepted(fold: Fold, event: DifferenceAccepted) -> None:
    """The next comparison takes what is there as external."""
    thawed = dict.fromkeys((*fold.desk.thawed, event.instrument))
    fold.desk = _changed(fold.desk, thawed=tuple(thawed))


def bind(fold: Fold, order_id: OrderId, broker_id: str) -> bool:
    """Remember the broker's number of an order; False where it has another one already: an intent is one order."""
    view = fold.order(order_id)
    if view.sent is None:
        raise JournalHalted(f"row {fold.seq} speaks of order {order_id}, which was sent without a tag", hint=VERIFY)
    if view.broker_id and view.broker_id != broker_id:
        return False
    sent = msgspec.structs.replace(view.sent, is_sought=False)
    fold.numbers[broker_id] = order_id
    if (view.broker_id, view.sent) != (broker_id, sent):
        fold.put(msgspec.structs.replace(view, broker_id=broker_id, sent=sent, changed_seq=fold.seq))
    return True


# ---- a read of the broker


def broker_read(fold: Fold, event: BrokerRead) -> None:
    """Take over what a read of the broker showed."""
    touched: dict[OrderId, None] = {}
    for seen in event.orders:
        order_id = _known(fold, seen)
        if order_id is None:
            _external_order(fold, seen)
        else:
            touched[order_id] = None
    for trade in (*_loose(fold), *event.trades):
        order_id = _book_trade(fold, trade)
        if order_id is not None:
            touched[order_id] = None
    for order_id in touched:
        _settle(fold, order_id, event.ts_ns)
    if event.whole and not event.missing:
        _whole(fold, event)


def _known(fold: Fold, seen: OrderSeen) -> OrderId | None:
    """Return which of our orders the broker shows, with what is seen of it; None for one that is not ours."""
    order_id = fold.tags.get(seen.tag) or fold.numbers.get(seen.broker_id)
    if order_id is None or not bind(fold, order_id, seen.broker_id):
        return None
    before = _sent(fold.order(order_id)).sight
    fold.note_sent(order_id, sight=joined(before, sight_of(seen)))
    if order_id in fold.desk.gone:
        fold.desk = _changed(fold.desk, gone={name: one for name, one in fold.desk.gone.items() if name != order_id})
    return order_id


def _loose(fold: Fold) -> list[TradeSeen]:
    """Return the trades that came before their orders, and forget them: they are put back if it is still so."""
    by_order: dict[str, list[TradeSeen]] = {}
    for trade in fold.desk.loose:
        by_order.setdefault(trade.broker_id, []).append(trade)
    fold.desk = _changed(fold.desk, loose=())
    return [trade for trades in by_order.values() for trade in trades]


def _book_trade(fold: Fold, trade: TradeSeen) -> OrderId | None:
    """Book a trade once, to whom its order belongs; return which order of ours that is."""
    if trade.id in fold.booked:
        return None
    order_id = fold.numbers.get(trade.broker_id)
    if order_id is None and trade.broker_id not in fold.outside:
        fold.desk = _changed(fold.desk, loose=(*fold.desk.loose, trade))
        return None
    fold.booked.add(trade.id)
    if order_id is None:
        _external_trade(fold, trade)
    else:
        fold.filled(fill_of(fold.order(order_id).order, trade))
    return order_id


def _settle(fold: Fold, order_id: OrderId, now_ns: TsNs) -> None:
    """Take over what the broker says of one of our orders, once all its trades are booked."""
    view = fold.order(order_id)
    sent = _sent(view)
    if sent.sight == NOTHING_SEEN:
        return
    found = reading(view, sent.sight)
    fold.note_sent(order_id, is_short=found.is_short)
    if found.arrives:
        fold.told(order_id, Happening.ACCEPTED, now_ns)
    if found.terms is not None:
        fold.told(order_id, Happening.MODIFIED, now_ns, **found.terms._asdict())
    if found.end is not None:
        _ended(fold, order_id, found.end, now_ns, found.reason)


def _whole(fold: Fold, event: BrokerRead) -> None:
    """Draw conclusions from what a whole and trustworthy read does not show, and compare positions."""
    for view in fold.in_doubt():
        sent = _sent(view)
        if sent.is_sought:
            absent = absences(sent.uncertain_ns, sent.absent, event.ts_ns)
            if absent >= READS_MIN:
                _ended(fold, view.order.id, Happening.WRITTEN_OFF, event.ts_ns, "not found at the broker")
            fold.note_sent(view.order.id, absent=absent, is_sought=absent < READS_MIN)
    if event.positions is not None:
        _compare(fold, event.positions, event.ts_ns)


def _compare(fold: Fold, seen: tuple[PositionSeen, ...], now_ns: TsNs) -> None:
    """Compare all positions; what nothing explains is external, where our strategies hold none of it."""
    _end_gone(fold, now_ns)
    desk = fold.desk
    in_doubt = fold.in_doubt()
    doubtful = {view.order.instrument for view in in_doubt} | {trade.instrument for trade in desk.loose}
    if day_of(now_ns) > desk.day:
        doubtful |= {view.order.instrument for view in _there(fold)}
    there = {(one.instrument, one.product): int(one.qty) for one in seen}
    here: dict[Held, int] = {}
    for held in fold.our_positions():
        if held.qty and held.changed_seq > desk.since:
            key = (held.instrument, held.product)
            here[key] = here.get(key, 0) + held.qty
    external = {(one.instrument, one.product): one.qty for one in fold.all_positions() if one.strategy == EXTERNAL}
    known = {(one.instrument, one.product): int(one.qty) for one in (*desk.suspects, *desk.standing)}
    suspects, certain = differences(there, here, external, known, doubtful)
    thawed = dict.fromkeys(desk.thawed)
    for key, difference in certain:
        rests = [int(one.qty) for one in desk.gone.values() if (one.instrument, one.product) == key]
        is_unseen, is_thawed = could_explain(difference, rests), key[0] in thawed
        if is_external(here.get(key, 0), was_compared=desk.was_compared, is_thawed=is_thawed, is_unseen=is_unseen):
            thawed.pop(key[0], None)
            _hold_external(fold, key, difference, now_ns)
    for name in settled_thaws(thawed, suspects, doubtful):
        del thawed[name]
    agrees = all(name in doubtful for name, _ in suspects) and not any(_sent(view).is_short for view in in_doubt)
    fold.desk = _changed(
        desk,
        suspects=_seen_of(suspects),
        standing=_seen_of(dict(certain)),
        thawed=tuple(thawed),
        was_compared=desk.was_compared or agrees,
    )


def _seen_of(held: Mapping[Held, int]) -> tuple[PositionSeen, ...]:
    return tuple(PositionSeen(name, product, Qty(qty)) for (name, product), qty in held.items())


# ---- what is not ours


def external_id(broker_id: str) -> OrderId:
    """Return under which id an order that is not ours stands."""
    return OrderId(f"external-{broker_id}")


def _external_order(fold: Fold, seen: OrderSeen) -> None:
    """Take an order that is not ours as the broker shows it now."""
    order_id = external_id(seen.broker_id)
    was = fold.orders.get(order_id) or fold.known.orders.get(order_id)
    order = Order(
        order_id, Origin(fold.account, EXTERNAL, fold.desk.run), seen.instrument, seen.side, seen.qty, seen.type,
        seen.product, seen.exchange_ns if was is None else was.order.decided_ns, seen.limit, seen.trigger,
        purpose=Purpose.SQUARE_OFF if seen.by_broker else Purpose.SIGNAL, tag=seen.tag,
    )  # fmt: skip
    phase = _PHASES.get(seen.status, Phase.WORKING)
    view = was or OrderView(order, order.qty, order.limit, order.trigger, fold.seq, fold.seq, broker_id=seen.broker_id)
    closed_ns = TsNs(0) if phase in OPEN_PHASES else view.closed_ns or seen.exchange_ns
    fold.put(
        msgspec.structs.replace(
            view, order=order, qty=order.qty, limit=order.limit, trigger=order.trigger, phase=phase,
            reason=seen.reason, closed_ns=closed_ns, changed_seq=fold.seq,
        )
    )  # fmt: skip


def _external_trade(fold: Fold, trade: TradeSeen) -> None:
    """Count a trade of an order that is not ours."""
    view = fold.order(fold.outside[trade.broker_id])
    signed = trade.qty * int(trade.side)
    if view.order.purpose is Purpose.SQUARE_OFF:
        signed -= _close_ours(fold, view.order, trade, signed)
    turnover = view.turnover + trade.qty * trade.px
    filled = view.filled + trade.qty
    fold.put(msgspec.structs.replace(view, filled=filled, turnover=turnover, changed_seq=fold.seq))
    if not signed:
        return
    fill = Fill(
        trade.id, view.order.id, view.order.origin, trade.instrument, trade.side, Qty(abs(signed)), trade.px,
        trade.reference or trade.px, trade.product, trade.ts_ns,
    )  # fmt: skip
    # What others pay for their trades is not booked here.
    fold.book(fill, None)
    _hold_external(fold, (trade.instrument, trade.product), signed, trade.ts_ns)


def _close_ours(fold: Fold, order: Order, trade: TradeSeen, signed: int) -> int:
    """Book the part of the broker's own trade that closes strategies' positions; return it, signed."""
    key, since = (trade.instrument, trade.product), fold.desk.since
    positions = [
        held
        for held in fold.our_positions()
        if (held.instrument, held.product) == key and held.qty and held.changed_seq > since
    ]
    parts = closed_parts(signed, [held.qty for held in positions])
    for held, part in zip(positions, parts, strict=True):
        if part:
            whose = Origin(fold.account, held.strategy, fold.desk.run)
            ours, fill = closer(order.type, trade, whose, part)
            fold.place(ours)
            fold.filled(fill)
    return sum(parts) if signed > 0 else -sum(parts)


def _hold_external(fold: Fold, key: tuple[InstrumentId, Product], signed: int, ts_ns: TsNs) -> None:
    held = fold.held((EXTERNAL, *key))
    fold.hold(held, held.qty + signed, 0, 0, ts_ns)


# ---- notes


def _ended(fold: Fold, order_id: OrderId, happening: Happening, ts_ns: TsNs, reason: str) -> None:
    fold.told(order_id, happening, ts_ns, **({"reason": reason} if reason else {}))


def _uncertain(fold: Fold, order_id: OrderId, ts_ns: TsNs, reason: str) -> None:
    """Note that nobody knows whether an order is at the broker, and that it is looked for."""
    was = fold.order(order_id).phase
    _ended(fold, order_id, Happening.UNCERTAIN, ts_ns, reason)
    if was is not Phase.UNCONFIRMED and fold.order(order_id).phase is Phase.UNCONFIRMED:
        fold.note_sent(order_id, uncertain_ns=ts_ns, absent=0, is_sought=True)


def _sent(view: OrderView) -> SentView:
    return view.sent or SentView()


_changed: Callable[..., DeskView] = msgspec.structs.replace
