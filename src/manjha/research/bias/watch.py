"""What a strategy decides in a run, written down as it asks, each with what could be known by then."""

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any, SupportsIndex

import msgspec
import numpy as np

from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TradingDay, TsNs, format_ts
from manjha.domain.money import RUPEE
from manjha.domain.sizing import NANO
from manjha.engine.state import EngineState
from manjha.strategy.asked import (
    CancelRequest,
    ModifyRequest,
    OrderRequest,
    Request,
    TargetRequest,
    TimerRequest,
)
from manjha.strategy.interface import overrides


class Place(IntEnum):
    """When a strategy decided, seen from the bar that closed last: at its close, before the next, inside the next."""

    CLOSE = 0
    BETWEEN = 1
    INSIDE = 2


class Universe(msgspec.Struct, frozen=True):
    """The instruments in which a strategy allowed itself to open positions."""

    instruments: frozenset[InstrumentId]


Decided = Request | Universe


class Decision(msgspec.Struct, frozen=True):
    """One thing asked for. `position` is the timeline's bar that closed last, -1 before the first."""

    position: int
    place: Place
    asked: Decided


class Asked(list[Request]):
    """The context's list of requests; tells each one to the watch as well."""

    def __init__(self, note: Callable[[Request], None]) -> None:
        super().__init__()
        self._note = note

    def append(self, request: Request, /) -> None:
        """Take a request."""
        self._note(request)
        super().append(request)

    def extend(self, requests: Iterable[Request], /) -> None:
        """Take several requests."""
        for request in requests:
            self.append(request)

    def insert(self, index: SupportsIndex, request: Request, /) -> None:
        """Take a request at a place."""
        self._note(request)
        super().insert(index, request)


class Watch:
    """Writes down what one strategy asks for in one run. Attach it to the state before the first bar."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self._place = Place.CLOSE
        self._state: EngineState | None = None

    def attach(self, state: EngineState) -> None:
        """Begin to listen: the list of requests, callbacks outside `on_bar`, and the universe of each day."""
        self._state = state
        # The engine asks for this list after each callback, and for nothing else.
        state.ctx.requests = Asked(self._note)
        strategy = state.strategy
        for name in ("on_fill", "on_timer", "on_session"):
            if overrides(strategy, name):
                vars(strategy)[name] = self._placed(name, getattr(strategy, name))
        if state.picks_universe:
            self.decisions.append(Decision(-1, Place.BETWEEN, Universe(frozenset(state.ctx.universe))))
            vars(strategy)["universe"] = self._universe(strategy.universe)

    def detach(self) -> None:
        """Leave the strategy as it was."""
        if self._state is not None:
            for name in ("on_fill", "on_timer", "on_session", "universe"):
                vars(self._state.strategy).pop(name, None)

    def _note(self, request: Request) -> None:
        state = self._state
        position = state.cursor.at if state is not None else -1
        self.decisions.append(Decision(position, self._place, _without_run(request)))

    def _placed(self, name: str, call: Callable[..., None]) -> Callable[..., None]:
        def listen(*given: Any) -> None:
            inside = name == "on_fill" or (self._state is not None and self._state.matching >= 0)
            self._place = Place.INSIDE if inside else Place.BETWEEN
            try:
                call(*given)
            finally:
                self._place = Place.CLOSE

        return listen

    def _universe(self, call: Callable[..., Iterable[Instrument]]) -> Callable[..., Iterable[Instrument]]:
        def listen(day: TradingDay, listed: Iterable[Instrument]) -> Iterable[Instrument]:
            chosen = tuple(call(day, listed))
            ids = frozenset(getattr(one, "id", InstrumentId("")) for one in chosen)
            position = self._state.cursor.at if self._state is not None else -1
            self.decisions.append(Decision(position, Place.BETWEEN, Universe(ids)))
            return chosen

        return listen


def _without_run(request: Request) -> Request:
    """Return the request with order ids that do not name the run, which follows from the data."""
    if isinstance(request, CancelRequest | ModifyRequest) and request.order_id is not None:
        number = request.order_id.rsplit("-", 1)[-1]
        return msgspec.structs.replace(request, order_id=type(request.order_id)(number))
    return request


def within(decisions: Iterable[Decision], position: int, *, is_cut: bool) -> list[Decision]:
    """Return the decisions that nothing after a bar can have moved.

    A run cut short at that bar ends with its close, so what was decided between it and the next bar is in the other
    run alone; with `is_cut` it is left out.
    """
    return [
        one
        for one in decisions
        if one.position < position
        or (one.position == position and (one.place is Place.CLOSE or (one.place is Place.BETWEEN and not is_cut)))
    ]


def known_at(decision: Decision) -> int:
    """Return the last bar that a decision may depend on."""
    return decision.position + (decision.place is Place.INSIDE)


def describe(decided: Decided, names: Callable[[InstrumentId], str]) -> str:
    """Say in a few words what was asked for: "BUY 75 NSE:NIFTY MARKET"."""
    match decided:
        case OrderRequest():
            said = _order(decided, names)
        case TargetRequest(instrument=instrument, value=value, unit=unit):
            said = f"target {value / NANO:g} ({unit}) in {names(instrument)}"
        case CancelRequest(instrument=instrument, order_id=order):
            said = f"cancel order {order}" if order else f"cancel entries in {names(instrument)}"
        case ModifyRequest(order_id=order, limit=limit, trigger=trigger):
            said = f"modify order {order} (limit {limit / RUPEE:g}, trigger {trigger / RUPEE:g})"
        case TimerRequest(key=key):
            said = f"timer {key}"
        case Universe(instruments=instruments):
            said = f"universe of {', '.join(sorted(map(names, instruments))) or 'nothing'}"
        case _:
            said = "legs"
    return said


def _order(request: OrderRequest, names: Callable[[InstrumentId], str]) -> str:
    exits = request.exits
    prices = {"limit": request.limit, "trigger": request.trigger}
    if exits is not None:
        prices |= {"stop": exits.stop, "target": exits.target, "trail": exits.trail}
    terms = "".join(f", {name} {px / RUPEE:g}" for name, px in prices.items() if px)
    if exits is not None and exits.exit_ns:
        terms += f", until {moment_text(exits.exit_ns)}"
    qty = f"{request.qty} " if request.qty else ""
    return f"{request.side.name} {qty}{names(request.instrument)} {request.type}{terms}"


def moment_text(ts_ns: int) -> str:
    """Return a moment in IST, to the minute where it is one, as a bar's closing time is: "2021-03-02 10:15"."""
    text = format_ts(ts_ns)[:19].replace("T", " ")
    return text[:-3] if text.endswith(":00") else text


def signature(decided: Decided) -> str:
    """Return what sort of decision it is, so that rare ones are looked at as well as frequent ones."""
    match decided:
        case OrderRequest(instrument=instrument, side=side, type=kind, exits=exits, tag=tag):
            return f"order {instrument} {side} {kind} {exits is not None} {tag}"
        case TargetRequest(instrument=instrument, value=value, tag=tag):
            return f"target {instrument} {int(np.sign(value))} {tag}"
        case _:
            return type(decided).__name__


def moment_of(decision: Decision, closes: Any) -> TsNs:
    """Return when it was decided: the close of the bar before; the first bar's where there is none."""
    return TsNs(int(closes[max(decision.position, 0)]))
