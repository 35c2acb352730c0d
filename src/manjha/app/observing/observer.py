"""Sees what one trader does and tells it to the log, to Prometheus and to whoever traces, as the settings say."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from manjha.app.logs import Log, logging_of
from manjha.app.observing.order_lines import write_lines
from manjha.app.trading.session import Around, Session
from manjha.app.trading.trader import Link, Tape
from manjha.domain.commands import Output
from manjha.domain.errors import JournalHalted
from manjha.domain.events import Event
from manjha.domain.moments import SECOND_NS, TsNs

if TYPE_CHECKING:
    from prometheus_client import Histogram
    from structlog.typing import FilteringBoundLogger

    from manjha.app.observing.traces import Traces
    from manjha.app.observing.trader_figures import TraderFigures
    from manjha.app.settings import Settings
    from manjha.app.trading.loop import Loop

LOOK_S = 0.1
"""From one look at the loop's lag to the next."""
Seen = Callable[[Event, Iterable[object]], None]


class TimedTape:
    """Implements `Tape` over another one: how long what is written takes to be durable is measured."""

    def __init__(self, tape: Tape, figures: "TraderFigures") -> None:
        self._tape = tape
        self._spread: Histogram = figures.commit
        self._errors = figures.journal_errors
        # What is done for each event is the other's own method: it costs nothing.
        self.record = tape.record  # type: ignore[method-assign]
        self.decided = tape.decided  # type: ignore[method-assign]

    @property
    def waiting(self) -> int:
        """How many rows are not durable yet."""
        return self._tape.waiting

    def record(self, event: Event, ts_ns: TsNs, matching: int = -1) -> object:
        """Write an event down before the engine sees it."""
        return self._tape.record(event, ts_ns, matching)

    def decided(self, outputs: Sequence[Output], ts_ns: TsNs) -> None:
        """Write down what the engine made of it."""
        self._tape.decided(outputs, ts_ns)

    def commit(self) -> object:
        """Make everything durable."""
        return self._timed(self._tape.commit)

    def rest(self) -> None:
        """Make durable what waits, and do what else is due."""
        self._timed(self._tape.rest)

    def idle(self) -> None:
        """Make events and decisions durable that wait."""
        self._tape.idle()

    def _timed(self, work: Callable[[], object]) -> object:
        if not self._tape.waiting:
            return work()
        began_ns = time.monotonic_ns()
        try:
            done = work()
        except JournalHalted:
            self._errors.inc()
            raise
        self._spread.observe((time.monotonic_ns() - began_ns) / SECOND_NS)
        return done


class Observer:
    """Of one trader. Without figures and traces it only logs."""

    def __init__(self, log: Log, figures: "TraderFigures | None" = None, traces: "Traces | None" = None) -> None:
        self.log: FilteringBoundLogger = log.lines
        self.learn = log.learn
        self._figures, self._traces = figures, traces
        self._session: Session | None = None
        self._loop: Loop | None = None

    def beside(self, around: Around) -> Around:
        """Return what a trader asks of the outside, so that this one sees what happens too."""
        told = around.seen

        def seen(event: Event, outputs: Iterable[object]) -> None:
            told(event, outputs)
            self.saw(event, outputs)

        has_parts = self._figures is not None or self._traces is not None
        return around._replace(seen=seen, watched=self._watched if has_parts else None)

    def began(self, loop: "Loop") -> None:
        """Be told which loop runs."""
        self._loop, self._session = loop, loop.session
        origin = loop.session.trader.state.origin
        self.log = self.log.bind(account=str(origin.account), run=str(origin.run))
        if self._traces is not None:
            self._traces.arrived_ns = lambda: loop.health.arrived_ns
        self.log.info("trading begins", strategy=str(origin.strategy), new=loop.session.is_new)

    def saw(self, event: Event, outputs: Iterable[object]) -> None:
        """Hear of an event and of what was decided on it."""
        if self._figures is not None:
            self._figures.saw(event, outputs, time.monotonic_ns())
        if self._traces is not None:
            self._traces.saw(event, outputs)
        write_lines(self.log, event, outputs, 0 if self._session is None else self._session.tape.recorder.seq)

    def beat(self, session: Session) -> None:
        """Look at how things stand, once a second."""
        figures, loop = self._figures, self._loop
        if figures is None:
            return
        figures.look(session)
        if loop is not None:
            figures.look_at_feed(loop.health, loop.inbox.joined, len(loop.inbox), loop.ahead_ns)

    async def watch(self) -> None:
        """Measure how late the loop comes to what is due, until this is cancelled."""
        if self._figures is None:
            return
        running = asyncio.get_running_loop()
        while True:
            due = running.time() + LOOK_S
            await asyncio.sleep(LOOK_S)
            self._figures.lagged(max(running.time() - due, 0.0))

    def _watched(self, tape: Tape, link: Link) -> tuple[Tape, Link]:
        if self._figures is not None:
            tape = TimedTape(tape, self._figures)
        return (tape, link) if self._traces is None else self._traces.around(tape, link)


@contextmanager
def observing(settings: "Settings", account: str) -> Iterator[Observer]:
    """Give who observes the trader of an account, until the end of the block.

    Raises
    ------
    UsageError
        The port for Prometheus is taken.
    SettingsError
        Traces are asked for and cannot be made.
    """
    with ExitStack() as stack:
        log = stack.enter_context(logging_of(settings, f"trader-{account}", os.environ))
        figures, traces = None, None
        if settings.metrics.trader_port is not None:
            from manjha.app.observing.exposed import exposed, new_registry
            from manjha.app.observing.trader_figures import TraderFigures

            figures = TraderFigures(new_registry())
            stack.enter_context(exposed(figures.registry, settings.metrics.trader_port, "metrics.trader_port"))
        if settings.traces.url is not None:
            from manjha.app.observing.traces import tracing

            traces = stack.enter_context(tracing(settings.traces))
        yield Observer(log, figures, traces)
