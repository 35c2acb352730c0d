"""What a person asks of a run that becomes an event: made of words, and answered by what the journal says of it.

The answer is read from the rows, not kept: asked again under the same key, also of a later process, it is the same.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from manjha.domain.commands import CancelOrder, ModifyOrder, Refused, SubmitOrder
from manjha.domain.controls import Answer, CancelByHand, ManualOrder, ModifyByHand, Request, SetParameters
from manjha.domain.errors import UsageError
from manjha.domain.events import ChangeAsked, OrderAsked, ParametersSet
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.journal import Row
from manjha.domain.moments import TsNs
from manjha.domain.money import PX_MAX, QTY_MAX, Px, format_px
from manjha.domain.orders import EXTERNAL, MANUAL, OrderId
from manjha.domain.ticks import Tick
from manjha.engine.journaling import OUTPUT_KINDS, value_of
from manjha.engine.state import EngineState
from manjha.ports.journal import Journal
from manjha.strategy.interface import Strategy, is_entry_strategy, is_target_strategy, overrides

Wish: TypeAlias = ManualOrder | CancelByHand | ModifyByHand | SetParameters
"""What a person asks for that becomes an event."""
Asked: TypeAlias = OrderAsked | ChangeAsked | ParametersSet
_UNTIL_NOW = TsNs(0)


def known_as(instruments: Iterable[Instrument], name: str) -> InstrumentId | None:
    """Return the id of the instrument of a run that people write as "NSE:RELIANCE", or as its id; None for none."""
    return next((one.id for one in instruments if name in (one.id, one.display)), None)


def asked_of(
    state: EngineState,
    request: Request,
    control: Wish,
    now_ns: TsNs,
    newest: Mapping[InstrumentId, Tick],
) -> Asked | str:
    """Return the event that a person's wish is, or why it cannot be one; `newest` are the last ticks that were seen."""
    if isinstance(control, SetParameters):
        return _parameters(state, request, control, now_ns)
    if isinstance(control, CancelByHand | ModifyByHand):
        record = state.book.records.get(OrderId(control.order))
        tick = None if record is None else newest.get(record.order.instrument)
        return _change(request, control, now_ns, tick)
    return _order(state, request, control, now_ns, newest)


def _order(
    state: EngineState, request: Request, control: ManualOrder, now_ns: TsNs, newest: Mapping[InstrumentId, Tick]
) -> OrderAsked | str:
    instruments = list(state.instruments.values())
    instrument = known_as(instruments, control.instrument)
    if instrument is None:
        names = ", ".join(one.display for one in instruments)
        return f"{control.instrument} is not in this run, so there is no price of it; the run has {names}"
    why = _no_order(control, state.instruments[instrument]) or _no_name(control.strategy, state)
    if why:
        return why
    tick = newest.get(instrument)
    return OrderAsked(
        request.key, request.by, instrument, control.side, control.qty, control.type, control.product, now_ns,
        control.limit, control.trigger, control.stop, control.target,
        tick.px if tick is not None else Px(0), tick.ts_ns if tick is not None else TsNs(0), control.strategy,
    )  # fmt: skip


def _change(
    request: Request, control: CancelByHand | ModifyByHand, now_ns: TsNs, tick: Tick | None
) -> ChangeAsked | str:
    # Whether it is open is for the engine to say: asked again, it is answered as the first time.
    order_id = OrderId(control.order)
    if isinstance(control, CancelByHand):
        return ChangeAsked(request.key, request.by, order_id, True, now_ns)  # noqa: FBT003 - as the event has it
    terms = (control.qty, control.limit, control.trigger)
    if not any(terms):
        return "no new term was given: a quantity, a limit or a trigger"
    if min(terms) < 0 or control.qty > QTY_MAX or max(terms[1:]) > PX_MAX:
        return f"no term may be below zero; the largest quantity is {QTY_MAX:,}, the largest price {format_px(PX_MAX)}"
    seen = (Px(0), TsNs(0)) if tick is None else (tick.px, tick.ts_ns)
    return ChangeAsked(
        request.key, request.by, order_id, is_cancel=False, ts_ns=now_ns, qty=control.qty, limit=control.limit,
        trigger=control.trigger, seen_px=seen[0], seen_ns=seen[1],
    )  # fmt: skip


def _no_name(strategy: str, state: EngineState) -> str:
    """Say why an order cannot be of a strategy: what the run's own holds is for that one alone to close."""
    if strategy == state.origin.strategy:
        return f"{strategy} trades in this run by itself: a signal from outside needs a name of its own"
    return f"no signal can be of {strategy}" if strategy in (MANUAL, EXTERNAL) else ""


def _no_order(control: ManualOrder, instrument: Instrument) -> str:
    """Say why no order can be made of what a person asks for, before a row of it is written; empty where one can."""
    prices = (control.limit, control.trigger, control.stop, control.target)
    if control.qty <= 0 or min(prices) < 0:
        return "quantity must be above zero, and no price below it"
    if control.qty > QTY_MAX or max(prices) > PX_MAX:
        return f"the largest quantity is {QTY_MAX:,}, the largest price {format_px(PX_MAX)}"
    # The gate looks at the order's own prices; an exit that the exchange refuses would leave the position unprotected.
    for name, px in (("stop", control.stop), ("target", control.target)):
        if px % instrument.tick:
            return (
                f"the {name} {format_px(px)} is not on the tick of {instrument.display}, {format_px(instrument.tick)}"
            )
    return ""


def _parameters(state: EngineState, request: Request, control: SetParameters, now_ns: TsNs) -> ParametersSet | str:
    strategy, given = state.strategy, dict(control.values)
    if control.strategy != strategy.name:
        return f"this trader runs {strategy.name}, not {control.strategy}"
    if not given:
        return "no parameter was given: -p NAME=VALUE"
    why = _untakable(strategy, given)
    if why:
        return why
    why = _unmakable(strategy, given, len(state.timeline))
    if why:
        return why
    return ParametersSet(request.key, request.by, state.origin.strategy, tuple(given.items()), now_ns)


def _unmakable(strategy: Strategy, given: Mapping[str, str], seen: int) -> str:
    """Say why a strategy cannot be had with other parameters, by its own word; empty where it can."""
    try:
        needed = type(strategy)(**{**strategy.values, **given}).history_needed()
    except UsageError as error:
        return f"{error.message}{'; ' if error.hint else ''}{error.hint}"
    except Exception as error:  # noqa: BLE001 - a user's own check, which must not end the trader
        return f"the strategy cannot be made with these: {type(error).__name__}: {error}"
    if needed <= seen:
        return ""
    return f"with these {strategy.name} needs {needed} bars, but this run has seen {seen}: begin a new run"


def _untakable(strategy: Strategy, given: Mapping[str, str]) -> str:
    """Say which parameters cannot change while a strategy runs: those that its `init` may have read."""
    if (is_target_strategy(strategy) or is_entry_strategy(strategy)) and not overrides(strategy, "init"):
        return ""
    fixed = [name for name in given if name in strategy.params and name not in strategy.changeable]
    if not fixed:
        return ""
    live = ", ".join(strategy.changeable) or "none"
    return (
        f"{', '.join(fixed)} of {strategy.name} cannot change while it runs, as its indicators are made with it; these "
        f"can: {live}. End the run and begin one with other parameters"
    )


def answered(journal: Journal, asked: Asked) -> Answer | None:
    """Return what became of a wish that was asked for under this key; None where no row says that it was.

    One of other words under the same key is refused.
    """
    for row in journal.of_kind(type(asked).__name__, newest_first=True):
        found = value_of(row.entry)
        if isinstance(found, OrderAsked | ChangeAsked | ParametersSet) and found.key == asked.key:
            if _words(found) != _words(asked):
                return Answer(asked.key, refused=f"row {row.seq} has something else under the key {asked.key}")
            return Answer(asked.key, seq=row.seq, refused=_refused(found, journal.rows(row.seq)))
    return None


def _words(asked: Asked) -> Asked:
    if isinstance(asked, OrderAsked | ChangeAsked):
        return msgspec.structs.replace(asked, by="", ts_ns=_UNTIL_NOW, seen_px=Px(0), seen_ns=_UNTIL_NOW)
    return msgspec.structs.replace(asked, by="", ts_ns=_UNTIL_NOW)


def _refused(asked: Asked, after: Iterable[Row]) -> str:
    """Return why the step of an event refused what was asked for; empty where it did not."""
    for row in after:
        if row.entry.kind not in OUTPUT_KINDS or isinstance(asked, ParametersSet):
            return ""
        value = value_of(row.entry)
        if isinstance(asked, ChangeAsked):
            if isinstance(value, Refused) and _is_of(value, asked):
                return f"{value.reason}" + (f": {value.detail}" if value.detail else "")
            continue
        if not isinstance(value, Refused) or not isinstance(value.subject, SubmitOrder):
            continue
        order = value.subject.order
        if order.origin.strategy == (asked.strategy or MANUAL) and order.decided_ns == asked.ts_ns:
            part = f"from a part of {order.qty} on: " if order.qty < asked.qty else ""
            return f"{part}{value.reason}" + (f": {value.detail}" if value.detail else "")
    return ""


def _is_of(refused: Refused, asked: ChangeAsked) -> bool:
    """Tell whether it is what a person asked for that was refused."""
    subject = refused.subject
    return isinstance(subject, CancelOrder | ModifyOrder) and subject.order_id == asked.order_id
