"""What an account has sent before a run begins: the windows of the rate of orders are the account's, not a run's.

Recomputed from the journal (RELIABILITY A14): whoever ends a run and begins another has no more orders for it.
"""

from collections.abc import Mapping

from manjha.domain.commands import Approved, SubmitOrder
from manjha.domain.events import SendsCarried, SessionOpened
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, TsNs, day_of
from manjha.domain.orders import OrderId
from manjha.engine.journaling import value_of
from manjha.engine.terms import RunBegun
from manjha.ports.journal import Journal
from manjha.risk.governor import ACCOUNT


def sends_before(journal: Journal, now_ns: TsNs) -> SendsCarried | None:
    """Return what left the account in the last minute and on the day of a moment; None for nothing.

    A command counts at the latest moment of any row so far, as the governor counts it. Rows of later moments are of
    a recording that is traded again, and count for nothing.
    """
    day, segments, segment_of = day_of(now_ns), _segments(journal), dict[OrderId, str]()
    sent, today = dict[str, list[TsNs]](), dict[str, int]()
    moment, orders = TsNs(0), 0
    for row in journal.rows(_from(journal, now_ns)):
        if row.entry.ts_ns > now_ns:
            continue
        moment = max(moment, row.entry.ts_ns)
        value = value_of(row.entry)
        if not isinstance(value, Approved):
            continue
        command = value.command
        if isinstance(command, SubmitOrder):
            segment_of[command.order.id] = segments.get(command.order.instrument, ACCOUNT)
            order_id = command.order.id
        else:
            order_id = command.order_id
        names = {segment_of.get(order_id, ACCOUNT), ACCOUNT}
        for name in names if day_of(moment) == day else ():
            today[name] = today.get(name, 0) + 1
        for name in names if moment >= now_ns - MINUTE_NS else ():
            sent.setdefault(name, []).append(moment)
        orders += isinstance(command, SubmitOrder) and day_of(moment) == day
    if not sent and not today:
        return None
    moments = tuple((name, tuple(found)) for name, found in sorted(sent.items()))
    return SendsCarried(day, moments, tuple(sorted(today.items())), orders, now_ns)


def _from(journal: Journal, now_ns: TsNs) -> int:
    """Return the row of the first session of the day that was traded last before a moment; 0 where none was."""
    found = day = 0
    for row in journal.of_kind(SessionOpened.__name__, newest_first=True):
        opened = value_of(row.entry)
        if not isinstance(opened, SessionOpened) or opened.ts_ns > now_ns:
            continue
        if day and opened.day != day:
            break
        found, day = row.seq, opened.day
    return found


def _segments(journal: Journal) -> Mapping[InstrumentId, str]:
    """Return where each instrument is traded that any run of the account had."""
    begun = [value_of(row.entry) for row in journal.of_kind(RunBegun.__name__)]
    return {one.id: str(one.exchange) for terms in begun if isinstance(terms, RunBegun) for one in terms.instruments}
