"""Which events and decisions of a trader become a line of the log, and what stands in it. Never a tick or a bar."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from structlog.typing import FilteringBoundLogger

from manjha.domain.broker import Outcome, OutcomeUnknown, Sent
from manjha.domain.commands import (
    Approved,
    CallPerson,
    CancelOrder,
    MarginAssumed,
    ModifyOrder,
    Refused,
    SubmitOrder,
    Tripped,
)
from manjha.domain.events import (
    AccountTaken,
    BrokerRead,
    ChangeAnswered,
    DifferenceAccepted,
    Event,
    InstrumentFrozen,
    KillSwitched,
    LinkLost,
    MarketAdvanced,
    OrderAsked,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    ParametersSet,
    SendVetoed,
    SessionClosed,
    SessionOpened,
    SubmitAnswered,
    TimerFired,
    TradingSwitched,
)
from manjha.domain.kill import level_name
from manjha.domain.moments import format_day
from manjha.domain.money import format_cash, format_px
from manjha.domain.orders import Order


class Line(NamedTuple):
    """One line: how loud, what happened, and the names and values that go with it."""

    level: str
    event: str
    values: Mapping[str, object]


def write_lines(log: FilteringBoundLogger, event: Event, outputs: Iterable[object], seq: int) -> None:
    """Log an event and what was decided on it; `seq` is the number of the journal's newest row, 0 where not known."""
    if not isinstance(event, MarketAdvanced | TimerFired):
        for line in lines_of(event):
            getattr(log, line.level)(line.event, seq=seq, **line.values)
    for output in outputs:
        found = line_of(output)
        if found is not None:
            getattr(log, found.level)(found.event, seq=seq, **found.values)


def lines_of(event: Event) -> Iterator[Line]:  # noqa: C901, PLR0912 - one case a kind of event
    """Yield the lines of an event; none for what happens all the time."""
    match event:
        case SubmitAnswered(order_id=order_id, outcome=outcome):
            yield _answered("order answered", str(order_id), outcome)
        case ChangeAnswered(order_id=order_id, outcome=outcome, is_cancel=is_cancel):
            yield _answered("cancel answered" if is_cancel else "change answered", str(order_id), outcome)
        case SendVetoed(order_id=order_id, reason=reason):
            yield Line("warning", "send vetoed", {"order": order_id, "reason": reason})
        case OrderRejected(order_id=order_id, reason=reason):
            yield Line("warning", "order rejected", {"order": order_id, "reason": reason})
        case OrderCancelled(order_id=order_id, reason=reason):
            yield Line("info", "order cancelled", {"order": order_id, "reason": reason})
        case OrderFilled(fill=fill):
            yield Line(
                "info", "fill",
                {"order": fill.order_id, "instrument": fill.instrument, "side": fill.side.name, "qty": int(fill.qty),
                 "price": format_px(fill.px)},
            )  # fmt: skip
        case BrokerRead():
            yield from _read(event)
        case LinkLost(link=link, reason=reason):
            yield Line("warning", "link lost", {"link": link, "reason": reason})
        case KillSwitched(level=level, scope=scope, reason=reason, who=who):
            values = {"switch": level_name(level), "scope": scope.display, "reason": reason, "by": who}
            yield Line("warning", "kill switch", values)
        case TradingSwitched(on=on, reason=reason):
            yield Line("info" if on else "warning", "trading on" if on else "trading halted", {"reason": reason})
        case InstrumentFrozen(instrument=instrument, on=on, reason=reason):
            yield Line("warning", "frozen" if on else "thawed", {"instrument": instrument, "reason": reason})
        case DifferenceAccepted(instrument=instrument, by=by):
            yield Line("warning", "difference accepted", {"instrument": instrument, "by": by})
        case AccountTaken(epoch=epoch, build=build):
            yield Line("info", "account taken", {"epoch": epoch, "build": build})
        case OrderAsked(by=by, instrument=instrument, side=side, qty=qty, key=key):
            asked = {"by": by, "instrument": instrument, "side": side.name, "qty": int(qty), "key": key}
            yield Line("info", "order asked for by hand", asked)
        case ParametersSet(by=by, key=key, values=set_to):
            yield Line("info", "parameters set", {"by": by, "key": key, "to": " ".join(f"{n}={v}" for n, v in set_to)})
        case SessionOpened(day=day):
            yield Line("info", "session opened", {"day": format_day(day)})
        case SessionClosed(day=day):
            yield Line("info", "session closed", {"day": format_day(day)})
        case _:
            return


def line_of(output: object) -> Line | None:  # noqa: PLR0911 - one case a kind of output
    """Return the line of what was decided; None for what nobody looks for."""
    match output:
        case Approved(command=SubmitOrder(order=order, tag=tag)):
            return Line("info", "order decided", {"tag": tag, **_terms(order)})
        case Approved(command=ModifyOrder() as asked):
            terms = {"qty": int(asked.qty), "limit": format_px(asked.limit), "trigger": format_px(asked.trigger)}
            return Line("info", "change decided", {"order": asked.order_id, **terms})
        case Approved(command=CancelOrder(order_id=order_id)):
            return Line("info", "cancel decided", {"order": order_id})
        case Refused(subject=subject, reason=reason, detail=detail):
            return Line("warning", "refused", {"reason": reason.name, "detail": detail, **_subject(subject)})
        case Tripped(control=control, level=level, scope=scope, detail=detail):
            values = {"control": control, "switch": level_name(level), "scope": scope.display, "detail": detail}
            return Line("warning", "control tripped", values)
        case MarginAssumed(order_id=order_id, needed=needed, reason=reason):
            return Line("warning", "margin assumed", {"order": order_id, "needed": format_cash(needed), "why": reason})
        case CallPerson(about=about, what=what):
            return Line("error", "look at it", {"about": about, "what": what})
        case _:
            return None


def _answered(event: str, order: str, outcome: Outcome) -> Line:
    if isinstance(outcome, Sent):
        return Line("info", event, {"order": order, "outcome": "sent", "broker_id": outcome.broker_id})
    level = "error" if isinstance(outcome, OutcomeUnknown) else "warning"
    return Line(level, event, {"order": order, "outcome": type(outcome).__name__, "reason": outcome.reason})


def _read(event: BrokerRead) -> Iterator[Line]:
    for trade in event.trades:
        values = {"instrument": trade.instrument, "side": trade.side.name, "qty": int(trade.qty)}
        yield Line("info", "fill", {"broker_id": trade.broker_id, **values, "price": format_px(trade.px)})
    if event.missing:
        yield Line("error", "orders are missing at the broker", {"missing": event.missing})


def _terms(order: Order) -> dict[str, object]:
    return {
        "order": order.id, "strategy": order.origin.strategy, "instrument": order.instrument, "side": order.side.name,
        "qty": int(order.qty), "type": str(order.type), "product": str(order.product), "limit": format_px(order.limit),
        "trigger": format_px(order.trigger), "purpose": str(order.purpose),
    }  # fmt: skip


def _subject(subject: object) -> dict[str, object]:
    match subject:
        case SubmitOrder(order=order, tag=tag):
            return {"tag": tag, **_terms(order)}
        case ModifyOrder(order_id=order_id) | CancelOrder(order_id=order_id):
            return {"order": order_id}
        case _:
            return {}
