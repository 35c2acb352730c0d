"""Runs the pre-open checklist: at the start of a trader, and each day before it opens."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from manjha.app.bootstrap import system_clock
from manjha.domain.commands import CallPerson
from manjha.domain.events import Event
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs, format_day
from manjha.domain.ticks import Tick
from manjha.engine.pump import Surroundings
from manjha.engine.state import EngineState
from manjha.ports.journal import Journal
from manjha.risk.gate import DayRules
from manjha.services.checklist import Facts, Line, Verdict, checklist, refusals, switching


class PreOpen:
    """Looks at everything that a day needs, tells it, and keeps what was found for whoever asks.

    `further` gives lines that only this kind of trading has, as of the login at a broker.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str], None],
        tell: Callable[[CallPerson], None],
        *,
        needs_limits: bool = False,
        further: Callable[[TradingDay], Sequence[Line]] = lambda _day: (),
    ) -> None:
        self._folder, self._say, self._tell, self._needs_limits = folder, say, tell, needs_limits
        self._further = further
        self._began = system_clock().now_ns() - time.monotonic_ns()
        self.lines: tuple[Line, ...] = ()

    def look(self, state: EngineState, journal: Journal, epoch: int, day: TradingDay, now_ns: TsNs) -> list[Event]:
        """Go through the list for a day; return what is to be applied before it opens. A person is told of refusals."""
        jump = system_clock().now_ns() - time.monotonic_ns() - self._began
        facts = Facts(epoch, shutil.disk_usage(self._folder).free, jump, self._needs_limits)
        before, self.lines = self.lines, (*checklist(state, journal, facts, day), *self._further(day))
        self._say(f"pre-open check for {format_day(day)}: {self.summary}")
        for line in self.lines:
            if not before or line.verdict is not Verdict.OK:
                self._say(f"  {line.text}")
        why = refusals(self.lines)
        if why:
            self._tell(CallPerson("pre-open check", f"nothing is opened on {format_day(day)}: {why}", now_ns))
        return switching(journal, self.lines, now_ns, is_on=state.gate.trading_on)

    @property
    def summary(self) -> str:
        """How many lines are how, in words."""
        counts = {verdict: sum(one.verdict is verdict for one in self.lines) for verdict in Verdict}
        return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count) or "not made yet"


class CheckedDays:
    """Surroundings of the engine in which each day is looked at before it opens."""

    def __init__(self, around: Surroundings, look: Callable[[TradingDay, TsNs], Iterable[Event]]) -> None:
        self._around, self._look = around, look

    def before_open(self, day: TradingDay, ts_ns: TsNs) -> Iterator[Event]:
        """Yield what takes effect before a day opens, and what the checklist makes of it."""
        yield from self._around.before_open(day, ts_ns)
        yield from self._look(day, ts_ns)

    def opened(self, today: Mapping[InstrumentId, DayRules]) -> Iterable[int]:
        """Take over the day's sessions; return further moments at which `at` is to be asked."""
        return self._around.opened(today)

    def at(self, ts_ns: TsNs) -> Iterator[Event]:
        """Yield what happens at such a moment."""
        return self._around.at(ts_ns)

    def on_tick(self, tick: Tick) -> Iterable[Event]:
        """Give what a tick trades."""
        return self._around.on_tick(tick)

    def close_day(self, day: TradingDay, ts_ns: TsNs) -> Iterator[Event]:
        """Yield what ends with a day."""
        return self._around.close_day(day, ts_ns)
