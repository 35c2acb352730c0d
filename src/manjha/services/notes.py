"""What notes say: from what happened to a few words for a person. Account ids are masked."""

from collections.abc import Callable

from manjha.domain.commands import Approved, CallPerson, MarginAssumed, Refused, SubmitOrder
from manjha.domain.events import Event, LinkLost, OrderFilled, OrderRejected, TradingSwitched
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs, format_day
from manjha.domain.money import Cash, format_cash, format_px
from manjha.domain.notes import Note, NoteKind, NoteLevel
from manjha.domain.orders import AccountId, Fill, Order, OrderType, Side

Names = Callable[[InstrumentId], str]
"""From an id to what people call it."""

Happened = Event | Approved[SubmitOrder] | Refused | MarginAssumed | CallPerson
"""What may be told of."""


def masked(account: AccountId) -> str:
    """Return an account's id with all but its first and last two letters hidden, "AB**34"; a short one wholly."""
    hidden = len(account) - 4
    return f"{account[:2]}{'*' * hidden}{account[-2:]}" if hidden > 0 else "*" * len(account)


def order_note(order: Order, name: Names) -> Note:
    """Tell of an order that goes out."""
    price = f" at {format_px(order.limit)}" if order.limit else ""
    trigger = f", trigger {format_px(order.trigger)}" if order.trigger else ""
    kind = "" if order.type is OrderType.LIMIT else f" {order.type}"
    text = f"{_what(order.side, order.qty, order.instrument, name)}{kind}{price}{trigger} ({_whose(order)})"
    return Note(NoteKind.ORDER, NoteLevel.INFO, "Order", text, order.decided_ns)


def fill_note(fill: Fill, name: Names) -> Note:
    """Tell of a fill."""
    whose = f"{fill.origin.strategy}, {masked(fill.origin.account)}"
    text = f"{_what(fill.side, fill.qty, fill.instrument, name)} filled at {format_px(fill.px)} ({whose})"
    return Note(NoteKind.FILL, NoteLevel.INFO, "Fill", text, fill.ts_ns)


def reject_note(what: str, reason: str, ts_ns: TsNs) -> Note:
    """Tell of something that was refused, by risk or by the broker."""
    return Note(NoteKind.REJECT, NoteLevel.WARNING, "Rejected", f"{what}: {reason}", ts_ns)


def halt_note(account: AccountId, reason: str, ts_ns: TsNs) -> Note:
    """Tell that trading stopped."""
    return Note(NoteKind.HALT, NoteLevel.ALARM, "Trading is halted", f"{masked(account)}: {reason}", ts_ns)


def daily_note(account: AccountId, day: TradingDay, figures: dict[str, Cash | int], ts_ns: TsNs) -> Note:
    """Tell how a day went; `figures` by name, those that end in "(Rs)" in 1e-4 rupee, the others as they are."""
    lines = [
        f"{name.removesuffix(' (Rs)')}: {format_cash(value, grouping=True) if name.endswith(' (Rs)') else f'{value:,}'}"
        for name, value in figures.items()
    ]
    title = f"{format_day(day)} of {masked(account)}"
    return Note(NoteKind.DAILY, NoteLevel.INFO, title, "\n".join(lines), ts_ns)


def health_note(what: str, ts_ns: TsNs, level: NoteLevel = NoteLevel.WARNING) -> Note:
    """Tell of the trader's own state: a link lost, a loop that lags, a disk that fills."""
    return Note(NoteKind.HEALTH, level, "Health", what, ts_ns)


def margin_note(assumed: MarginAssumed) -> Note:
    """Tell of an order that goes without the broker's word on its margin."""
    what = f"order {assumed.order_id} goes on our own margin model, {format_cash(assumed.needed)}: {assumed.reason}"
    return health_note(what, assumed.ts_ns)


def call_note(call: CallPerson) -> Note:
    """Call a person."""
    return Note(NoteKind.CALL, NoteLevel.ALARM, f"Look at {call.about}", call.what, call.ts_ns)


def note_of(value: Happened, account: AccountId, name: Names) -> Note | None:
    """Return the note of what happened in an account's trader; None for what nobody needs to be told."""
    found: Note | None = None
    match value:
        case Approved(command=SubmitOrder(order=order)):
            found = order_note(order, name)
        case OrderFilled(fill=fill):
            found = fill_note(fill, name)
        case OrderRejected():
            found = reject_note(f"order {value.order_id}", value.reason, value.ts_ns)
        case Refused():
            found = reject_note("refused by risk", f"{value.reason}; {value.detail}", value.ts_ns)
        case TradingSwitched(on=False):
            found = halt_note(account, value.reason, value.ts_ns)
        case LinkLost():
            found = health_note(f"{value.link} is lost: {value.reason}", value.ts_ns)
        case MarginAssumed():
            found = margin_note(value)
        case CallPerson():
            found = call_note(value)
        case _:
            pass
    return found


def _what(side: Side, qty: int, instrument: InstrumentId, name: Names) -> str:
    return f"{side.name} {qty:,} {name(instrument)}"


def _whose(order: Order) -> str:
    return f"{order.purpose}, {order.origin.strategy}, {masked(order.origin.account)}"
