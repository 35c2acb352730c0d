"""Traces of orders by OpenTelemetry: from the tick that they rest on to the broker's answer being booked.

Made only where `traces.url` is set; otherwise nothing of it is loaded and nothing is put around journal and exchange.
One trace an order:

    order           from the arrival of the newest tick to the answer being booked
    ├── tick        until the event that the decision rests on is taken up
    ├── decide      the engine's step: strategy, sizing, and the gate (an event of the span)
    ├── journal     the commit that makes the decision durable
    ├── send        from there until the command is handed to the exchange's connection
    ├── acknowledge until its answer is taken up
    └── book        the answer written down and in the state
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from manjha.app.trading.outbox import Outgoing
from manjha.app.trading.trader import Link, Tape
from manjha.domain.broker import Outcome, Sent
from manjha.domain.commands import Approved, AskMargin, CallPerson, Output, ReadBroker, Refused, SubmitOrder
from manjha.domain.errors import SettingsError
from manjha.domain.events import Event, SendVetoed, SubmitAnswered
from manjha.domain.moments import MINUTE_NS, TsNs
from manjha.domain.orders import Order, OrderId

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

    from manjha.app.setting_sections import TraceSettings

OPEN_MAX = 1_000
"""Orders whose answer is waited for."""
TICK_AGE_MAX_NS = MINUTE_NS
"""A tick that came longer ago is not what a decision rests on: a timer is."""


class _Open(msgspec.Struct):
    """A trace that has not ended, and when its last part did."""

    root: "Span"
    at_ns: int


class TracedTape:
    """Implements `Tape` over another one: notes when an event is taken up, and how long a commit takes."""

    def __init__(self, tape: Tape, traces: "Traces") -> None:
        self._tape, self._traces = tape, traces
        self.rest, self.idle = tape.rest, tape.idle
        self.decided: Callable[[Sequence[Output], TsNs], None] = tape.decided

    @property
    def waiting(self) -> int:
        """How many rows are not durable yet."""
        return self._tape.waiting

    def record(self, event: Event, ts_ns: TsNs, matching: int = -1) -> object:
        """Write an event down before the engine sees it."""
        self._traces.takes_up()
        return self._tape.record(event, ts_ns, matching)

    def commit(self) -> object:
        """Make everything durable."""
        began_ns = self._traces.now_ns()
        done = self._tape.commit()
        self._traces.committed(began_ns)
        return done


class TracedLink:
    """Implements `Link` over another one: notes when an order is handed over."""

    def __init__(self, link: Link, traces: "Traces") -> None:
        self._link, self._traces = link, traces

    def send(self, outgoing: Outgoing, now_ns: TsNs) -> Iterable[Event]:
        """Send a command."""
        asked = outgoing.command.command
        if isinstance(asked, SubmitOrder):
            self._traces.leaves(asked.order.id)
        return self._link.send(outgoing, now_ns)

    def read(self, asked: ReadBroker, now_ns: TsNs) -> Iterable[Event]:
        """Read the broker."""
        return self._link.read(asked, now_ns)

    def ask_margin(self, asked: AskMargin, now_ns: TsNs) -> Iterable[Event]:
        """Ask the broker what an order needs."""
        return self._link.ask_margin(asked, now_ns)

    def call(self, person: CallPerson) -> None:
        """Call a person."""
        self._link.call(person)


class Traces:
    """Makes the spans of one trader's orders. `now_ns` is the machine's time of day: spans of processes are compared.

    `arrived_ns` tells when the newest tick came; whoever makes the feed sets it.
    """

    def __init__(self, tracer: "Tracer", now_ns: Callable[[], int] = time.time_ns) -> None:
        self._tracer, self.now_ns = tracer, now_ns
        self.arrived_ns: Callable[[], int] = lambda: 0
        self._open: dict[OrderId, _Open] = {}
        self._fresh: list[OrderId] = []
        self._taken_ns = 0

    def around(self, tape: Tape, link: Link) -> tuple[Tape, Link]:
        """Return the journal and the way to the exchange, looked at."""
        return TracedTape(tape, self), TracedLink(link, self)

    def takes_up(self) -> None:
        """Be told that an event is taken up now."""
        self._taken_ns = self.now_ns()

    def saw(self, event: Event, outputs: Iterable[object]) -> None:
        """Hear of an event and of what was decided on it, when both are in the state."""
        if isinstance(event, SubmitAnswered):
            self._answered(event.order_id, event.outcome)
        elif isinstance(event, SendVetoed):
            self._ends(event.order_id, "vetoed")
        asked = [one.command for one in outputs if isinstance(one, Approved) and isinstance(one.command, SubmitOrder)]
        if asked:
            refused, now_ns = sum(isinstance(one, Refused) for one in outputs), self.now_ns()
            gate = {"approved": len(asked), "refused": refused}
            for one in asked:
                self._begins(one, type(event).__name__, gate, now_ns)

    def committed(self, began_ns: int) -> None:
        """Hear that what was decided is durable now."""
        now_ns = self.now_ns()
        for order_id in self._fresh:
            self._part(order_id, "journal", began_ns, now_ns)
        self._fresh.clear()

    def leaves(self, order_id: OrderId) -> None:
        """Hear that an order is handed over now."""
        if order_id in self._open:
            self._part(order_id, "send", self._open[order_id].at_ns, self.now_ns())

    def close(self) -> None:
        """End every trace: what has no answer has none."""
        for order_id in list(self._open):
            self._ends(order_id, "no answer")

    def _begins(self, asked: SubmitOrder, event: str, gate: dict[str, int], now_ns: int) -> None:
        if len(self._open) >= OPEN_MAX:
            self._ends(next(iter(self._open)), "no answer")
        order, taken_ns, arrived_ns = asked.order, self._taken_ns or now_ns, self.arrived_ns()
        has_tick = taken_ns - TICK_AGE_MAX_NS < arrived_ns <= taken_ns
        root = self._tracer.start_span(
            "order", start_time=arrived_ns if has_tick else taken_ns, attributes=_told(order, asked.tag, event)
        )
        self._open[order.id] = _Open(root, taken_ns)
        if has_tick:
            self._part(order.id, "tick", arrived_ns, taken_ns)
        self._part(order.id, "decide", taken_ns, now_ns, gate)
        self._fresh.append(order.id)

    def _answered(self, order_id: OrderId, outcome: Outcome) -> None:
        found = self._open.get(order_id)
        if found is not None:
            taken_ns = max(self._taken_ns, found.at_ns)
            self._part(order_id, "acknowledge", found.at_ns, taken_ns)
            self._part(order_id, "book", taken_ns, self.now_ns())
            self._ends(order_id, type(outcome).__name__, ok=isinstance(outcome, Sent))

    def _part(
        self, order_id: OrderId, name: str, began_ns: int, ended_ns: int, gate: dict[str, int] | None = None
    ) -> None:
        from opentelemetry.trace import set_span_in_context

        found = self._open[order_id]
        span = self._tracer.start_span(name, context=set_span_in_context(found.root), start_time=began_ns)
        if gate is not None:
            span.add_event("gate", gate, ended_ns)
        span.end(ended_ns)
        found.at_ns = ended_ns

    def _ends(self, order_id: OrderId, outcome: str, *, ok: bool = False) -> None:
        from opentelemetry.trace import Status, StatusCode

        found = self._open.pop(order_id, None)
        if found is None:
            return
        self._fresh = [one for one in self._fresh if one != order_id]
        found.root.set_attribute("outcome", outcome)
        found.root.set_status(Status(StatusCode.OK if ok else StatusCode.ERROR))
        found.root.end(self.now_ns())


def _told(order: Order, tag: str, event: str) -> dict[str, Any]:
    """Return what a trace tells of an order: neither whose it is nor for how much."""
    return {
        "tag": tag, "strategy": str(order.origin.strategy), "instrument": str(order.instrument),
        "side": order.side.name, "type": str(order.type), "purpose": str(order.purpose), "event": event,
    }  # fmt: skip


@contextmanager
def tracing(chosen: "TraceSettings") -> Iterator[Traces]:
    """Give who makes traces and sends them by OTLP over HTTP, until the end of the block; then what is left is sent.

    Raises
    ------
    SettingsError
        OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingsError(
            "traces.url is set, but OpenTelemetry is not installed",
            hint="Install it: pip install 'manjha[otel]'; or leave the setting out.",
        ) from None
    provider = _provider(chosen)
    exporter = OTLPSpanExporter(endpoint=f"{(chosen.url or '').rstrip('/')}/v1/traces", timeout=2)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    traces = Traces(provider.get_tracer("manjha"))
    try:
        yield traces
    finally:
        traces.close()
        provider.shutdown()


def _provider(chosen: "TraceSettings") -> "TracerProvider":
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    sampler = ParentBased(TraceIdRatioBased(min(chosen.sampled, 1_000) / 1_000))
    return TracerProvider(sampler, Resource.create({"service.name": "manjha-trader"}), shutdown_on_exit=False)
