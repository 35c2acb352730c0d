"""What a person asks of a run that becomes an event: made of words, and answered by what the journal says of it.

The answer is read from the rows, not kept: asked again under the same key, also of a later process, it is the same.
"""

from collections.abc import Iterable

import msgspec

from manjha.domain.commands import Refused, SubmitOrder
from manjha.domain.controls import Answer, ManualOrder, Request
from manjha.domain.events import OrderAsked
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.journal import Row
from manjha.domain.moments import TsNs
from manjha.domain.orders import MANUAL
from manjha.engine.journaling import OUTPUT_KINDS, value_of
from manjha.ports.journal import Journal

_UNTIL_NOW = TsNs(0)


def known_as(instruments: Iterable[Instrument], name: str) -> InstrumentId | None:
    """Return the id of the instrument of a run that people write as "NSE:RELIANCE", or as its id; None for none."""
    return next((one.id for one in instruments if name in (one.id, one.display)), None)


def order_asked(
    control: ManualOrder, request: Request, instruments: Iterable[Instrument], now_ns: TsNs
) -> OrderAsked | str:
    """Return the event that a person's order is, or why it cannot be one."""
    instruments = list(instruments)
    instrument = known_as(instruments, control.instrument)
    if instrument is None:
        names = ", ".join(one.display for one in instruments)
        return f"{control.instrument} is not in this run, so there is no price of it; the run has {names}"
    if control.qty <= 0 or min(control.limit, control.trigger, control.stop, control.target) < 0:
        return "quantity must be above zero, and no price below it"
    return OrderAsked(
        request.key, request.by, instrument, control.side, control.qty, control.type, control.product, now_ns,
        control.limit, control.trigger, control.stop, control.target,
    )  # fmt: skip


def answered(journal: Journal, asked: OrderAsked) -> Answer | None:
    """Return what became of an order that was asked for under this key; None where no row says that it was.

    An order of other words under the same key is refused.
    """
    for row in journal.of_kind(OrderAsked.__name__, newest_first=True):
        found = value_of(row.entry)
        if isinstance(found, OrderAsked) and found.key == asked.key:
            if _words(found) != _words(asked):
                return Answer(asked.key, refused=f"row {row.seq} has another order under the key {asked.key}")
            return Answer(asked.key, seq=row.seq, refused=_refused(found, journal.rows(row.seq)))
    return None


def _words(asked: OrderAsked) -> OrderAsked:
    return msgspec.structs.replace(asked, by="", ts_ns=_UNTIL_NOW)


def _refused(asked: OrderAsked, after: Iterable[Row]) -> str:
    """Return why the step of an event refused what was asked for; empty where it did not."""
    for row in after:
        if row.entry.kind not in OUTPUT_KINDS:
            return ""
        value = value_of(row.entry)
        if not isinstance(value, Refused) or not isinstance(value.subject, SubmitOrder):
            continue
        order = value.subject.order
        if order.origin.strategy == MANUAL and order.decided_ns == asked.ts_ns:
            part = f"from a part of {order.qty} on: " if order.qty < asked.qty else ""
            return f"{part}{value.reason}" + (f": {value.detail}" if value.detail else "")
    return ""
