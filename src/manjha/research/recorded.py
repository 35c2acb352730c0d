"""The event backtest with everything written down: what happened before the engine sees it, and what it decided.

A backtest that is not recorded is driven by `Drive` and pays nothing for this.
"""

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from manjha.domain.commands import Approved, Output, SetTimer
from manjha.domain.events import Event, MarketAdvanced, OrderFilled
from manjha.domain.moments import TsNs
from manjha.engine.digest import digest
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.research.drive import Drive, Driven, Progress
from manjha.simulator.venue import Venue


class Tape(Protocol):
    """What a run is written to."""

    def begun(self, state: EngineState) -> None:
        """Be shown the state before the first event."""
        ...

    def record(self, event: Event, ts_ns: TsNs, matching: int) -> int:
        """Write an event down; return its number in the journal. `matching` is `EngineState.matching`."""
        ...

    def decided(self, outputs: Sequence[Output], ts_ns: TsNs) -> None:
        """Write down what a step decided; called after every step."""
        ...

    def ended(self, digest: str, ts_ns: TsNs) -> None:
        """Write down how the run ended."""
        ...


class RecordedDrive(Drive):
    """Drives a run as `Drive` does, and writes each event to a tape before the engine sees it."""

    def __init__(
        self, state: EngineState, venue: Venue, driven: Driven, progress: Progress | None, *, tape: Tape
    ) -> None:
        super().__init__(state, venue, driven, progress)
        self.tape = tape
        tape.begun(state)

    def run(self) -> None:
        """Drive from the first bar to the last, and write down how it ended."""
        super().run()
        close_ns = self.state.timeline.close_ns
        self.tape.ended(digest(self.state), TsNs(close_ns[len(close_ns) - 1]))

    def _apply(self, event: Event) -> None:
        ts_ns = event.fill.ts_ns if type(event) is OrderFilled else event.ts_ns  # type: ignore[union-attr]
        self.tape.record(event, ts_ns, self.state.matching)
        outputs = step(self.state, event)
        self.tape.decided(outputs, ts_ns)
        if outputs:
            self._send(outputs, ts_ns)

    def _advance(self, first: int, last: int) -> None:
        state, close_ns = self.state, self.state.timeline.close_ns
        event = MarketAdvanced(first, last)
        self.tape.record(event, TsNs(close_ns[first]), state.matching)
        outputs = step(state, event)
        now_ns = TsNs(close_ns[state.reached - 1])
        self.tape.decided(outputs, now_ns)
        if outputs:
            self._send(outputs, now_ns)

    def _send(self, outputs: Sequence[Output], now_ns: TsNs) -> None:
        for output in outputs:
            if type(output) is Approved:
                for event in self.answer[type(output.command)](output, now_ns):
                    self._apply(event)
            elif type(output) is SetTimer:
                self._plan(output.ts_ns, partial(self._timer, output.key))
