"""Fetches the bars of a time without ticks: it hears that a feed was lost, asks for candles, and lets trading go on.

Nothing here waits for anybody: requests run beside the loop, which gives what they brought in its own turns.
"""

import asyncio
from collections.abc import Callable

import msgspec

from manjha.domain.commands import CallPerson
from manjha.domain.errors import SourceError
from manjha.domain.events import TimerFired
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TsNs, format_ts
from manjha.engine.late_bars import Lack, LateBars
from manjha.engine.pump import Pump
from manjha.engine.requests import RATE_TIMER
from manjha.engine.tick_bars import NEVER
from manjha.ports.candles import CandleSource
from manjha.ports.feed import FeedHealth

QUIET_NS = 5 * SECOND_NS // 2
"""How long a link without a sign of life is believed: a bar that closes later may lack ticks."""
AGAIN_NS = 2 * SECOND_NS
"""How soon is asked again for a candle that was not there yet, or may not be whole."""
FIRST_NS, LONGEST_NS = 5 * SECOND_NS, 60 * SECOND_NS
"""How soon is asked again after an error: doubled each time, and at most."""


class NoBackfill:
    """Nobody fetches anything: a feed that loses nothing, or candles that nobody has."""

    fetched = missing = 0
    next_ns = NEVER

    def open(self, stir: Callable[[], None]) -> None:
        """Begin nothing."""

    def notice(self, health: Callable[[], FeedHealth], now_ns: TsNs) -> None:
        """Notice nothing."""

    def turn(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """End nothing."""


NO_BACKFILL = NoBackfill()


class _Asking:
    """What is asked of one instrument: when next, and how often it has failed."""

    def __init__(self, due_ns: int) -> None:
        self.due_ns = due_ns
        self.failures = 0
        self.task: asyncio.Task[None] | None = None


class _Answer(msgspec.Struct, frozen=True):
    instrument: InstrumentId
    lack: Lack
    asked_ns: TsNs
    found: object


class Backfill:
    """Fetches for one run, in its loop.

    Parameters
    ----------
    call
        Calls a person: once a gap for an error, and once for bars that could not be had.
    """

    def __init__(self, late: LateBars, pump: Pump, candles: CandleSource, call: Callable[[CallPerson], None]) -> None:
        self._late = late
        self._pump = pump
        self._candles = candles
        self._call = call
        self._stir: Callable[[], None] = _nobody
        self._asking: dict[InstrumentId, _Asking] = {}
        self._answers: list[_Answer] = []
        self._interruptions, self._arrived_ns = 0, TsNs(0)
        self._has_called = False
        self._missing_told = 0

    @property
    def fetched(self) -> int:
        """How many bars have candles in them."""
        return self._late.fetched

    @property
    def missing(self) -> int:
        """How many bars were lost and could not be had."""
        return self._late.missing

    @property
    def next_ns(self) -> int:
        """When there is something to do, as far as is known; `NEVER` for nothing."""
        lacks = self._late.lacks()
        dues = [one.due_ns for name, one in self._asking.items() if one.task is None and name in lacks]
        return min((self._late.next_ns, *dues))

    def open(self, stir: Callable[[], None]) -> None:
        """Begin, in a running event loop; `stir` is called whenever an answer has come."""
        self._stir = stir

    def notice(self, health: Callable[[], FeedHealth], now_ns: TsNs) -> None:
        """See how the feed is doing. Call it before any tick is taken that came after it was lost."""
        seen = health()
        is_quiet = seen.silent_ns > QUIET_NS
        if seen.interruptions != self._interruptions or (is_quiet and not self._late.is_open):
            self._interruptions = seen.interruptions
            self._begin(self._arrived_ns or now_ns)
        if self._late.is_open and seen.is_connected and not is_quiet:
            self._late.joined(now_ns)
            self._plan_to_ask(now_ns)
        self._arrived_ns = seen.arrived_ns

    def turn(self) -> None:
        """Take what has come, give what is due, and ask for what is wanted. Time has come to where the pump is."""
        now_ns, late = self._pump.now_ns, self._late
        answers, self._answers = self._answers, []
        for answer in answers:
            self._take(answer)
        if late.is_due(now_ns):
            if self._pump.state.controls is not None:
                # As for whoever was held up: the rate of orders hears first how late it is.
                self._pump.apply(TimerFired(RATE_TIMER, now_ns))
            late.go_on(now_ns, self._pump.apply)
        self._tell_missing(now_ns)
        for name, lack in late.lacks().items():
            asking = self._asking.setdefault(name, _Asking(now_ns))
            if asking.task is None and now_ns >= asking.due_ns:
                asking.task = asyncio.create_task(self._ask(name, lack, now_ns))

    async def close(self) -> None:
        """End, whatever was asked for."""
        tasks = [one.task for one in self._asking.values() if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- inside

    def _begin(self, since_ns: TsNs) -> None:
        self._late.lost(since_ns)
        self._has_called = False

    def _plan_to_ask(self, now_ns: TsNs) -> None:
        """Ask at once where a lost minute has closed already, else when all have. What was asked before is given up."""
        for one in self._asking.values():
            if one.task is not None:
                one.task.cancel()
        settle_ns, self._asking = self._late.patience.settle, {}
        for name, lack in self._late.lacks().items():
            has_closed = lack.from_ns + MINUTE_NS + settle_ns <= now_ns
            self._asking[name] = _Asking(now_ns if has_closed else lack.until_ns + settle_ns)

    async def _ask(self, name: InstrumentId, lack: Lack, asked_ns: TsNs) -> None:
        found: object
        try:
            found = await self._candles.minutes(name, lack.from_ns, lack.until_ns)
        except Exception as error:  # noqa: BLE001 - passed on, and raised in the loop unless it is expected
            found = error
        self._answers.append(_Answer(name, lack, asked_ns, found))
        self._stir()

    def _take(self, answer: _Answer) -> None:
        name, found = answer.instrument, answer.found
        lack, asking = self._late.lacks().get(name), self._asking.get(name)
        if asking is not None:
            asking.task = None
        if isinstance(found, Exception) and not isinstance(found, SourceError):
            raise found
        if lack is None or asking is None:
            return
        if isinstance(found, SourceError):
            asking.failures += 1
            pause_ns = min(FIRST_NS * 2 ** min(asking.failures - 1, 16), LONGEST_NS)
            asking.due_ns = answer.asked_ns + pause_ns
            self._tell_error(found, lack)
            return
        asking.failures = 0
        asking.due_ns = max(answer.asked_ns + AGAIN_NS, lack.until_ns + self._late.patience.settle)
        if answer.lack.from_ns <= lack.from_ns:
            self._late.take(name, found, answer.asked_ns)  # type: ignore[arg-type]  # what `minutes` returns

    def _tell_error(self, error: SourceError, lack: Lack) -> None:
        if self._has_called:
            return
        self._has_called = True
        what = (
            f"no candles of the time without ticks since {format_ts(lack.from_ns)[11:16]}: {error.message}. They are "
            "asked for again; trading goes on"
        )
        self._call(CallPerson("missing bars", what, self._pump.now_ns))

    def _tell_missing(self, now_ns: TsNs) -> None:
        new = self._late.missing - self._missing_told
        if new:
            self._missing_told += new
            what = f"{new} bars of a time without ticks could not be had; indicators go on without them"
            self._call(CallPerson("missing bars", what, now_ns))


def _nobody() -> None:
    """Stir nobody: no loop runs yet."""
