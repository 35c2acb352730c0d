"""What of a feed is believed: late ticks are put in order, impossible ones are kept out and counted.

A fold over the ticks in the order of arrival: the same ticks give the same verdicts, whenever they are asked for.
"""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TradingDay, TsNs, day_of
from manjha.domain.ticks import Tick
from manjha.engine.tick_bars import Windows

AHEAD_NS = 2 * SECOND_NS
"""How far a stamp may be ahead of our clock: more than clocks differ, less than a bar."""
SPIKE = 10
"""A price this many times the last good one, or as small a part of it, is a slip of the unit and no move."""
FREEZE_AFTER = 3
"""How many faults in a row freeze an instrument: one is a glitch, three are a feed or a market gone wrong."""


class TickFault(StrEnum):
    """Why a tick is kept out. The value is for people."""

    PRICE = "the price is zero or negative"
    VOLUME = "the traded quantity is negative"
    BAND = "the price is outside the day's band"
    SPIKE = "the price is ten times, or a tenth of, the last good one"
    FUTURE = "the stamp is more than two seconds ahead of the clock"
    OUT_OF_SESSION = "the market is closed for this instrument at that moment"


Hours = Callable[[InstrumentId, TradingDay], Windows]
"""When ticks of an instrument count on a day, closing auction included; empty on a day without trading or where the
instrument is not part of the run."""


class TickGate:
    """Screens the ticks of a feed, one by one in the order of arrival.

    Attributes
    ----------
    bands
        Lowest and highest price of the day by instrument, in 1e-4 rupee, where known. Set by the owner each day.
    latest_ns
        Event time: the latest stamp that was let through, or that the owner has reached. Never moves back.
    late
        How many ticks were stamped before it; they count as of now.
    kept_out
        How many ticks were kept out, by instrument and reason.
    frozen
        Instruments with `FREEZE_AFTER` faults in a row. Their good ticks still pass; nobody should trade on them before
        a person has looked, which `thaw` tells.
    """

    def __init__(self, hours: Hours) -> None:
        self.bands: dict[InstrumentId, tuple[int, int]] = {}
        self.latest_ns = TsNs(0)
        self.late = 0
        self.kept_out: Counter[tuple[InstrumentId, TickFault]] = Counter()
        self.frozen: set[InstrumentId] = set()
        self._hours = hours
        self._today: dict[InstrumentId, Windows] = {}
        self._day = TradingDay(0)
        self._last_good: dict[InstrumentId, int] = {}
        self._faults: dict[InstrumentId, int] = {}

    def admit(self, tick: Tick, now_ns: TsNs | None = None) -> Tick | TickFault:
        """Return the tick with the stamp that it counts at, or why it is kept out.

        `now_ns` is our clock when it arrived; None for a recorded tick, whose stamp cannot lie ahead.
        """
        ts_ns = tick.ts_ns
        fault: TickFault | None = None
        if now_ns is not None and ts_ns > now_ns + AHEAD_NS:
            fault = TickFault.FUTURE
        elif ts_ns < self.latest_ns:
            self.late += 1
            ts_ns = self.latest_ns
            tick = Tick(tick.instrument, ts_ns, tick.px, tick.volume)
        fault = fault or self._out_of_hours(tick) or self._wrong(tick)
        instrument = tick.instrument
        if fault is None:
            self.latest_ns = ts_ns
            self._last_good[instrument] = tick.px
            self._faults[instrument] = 0
            return tick
        self.kept_out[instrument, fault] += 1
        # Feeds go on before the open and after the close: that says nothing of the price.
        if fault is not TickFault.OUT_OF_SESSION:
            self._faults[instrument] = self._faults.get(instrument, 0) + 1
            if self._faults[instrument] >= FREEZE_AFTER:
                self.frozen.add(instrument)
        return fault

    def reach(self, ts_ns: TsNs) -> None:
        """Let event time pass a moment, as when bars were closed by the clock: what is stamped before it is late."""
        self.latest_ns = max(self.latest_ns, ts_ns)

    def thaw(self, instrument: InstrumentId) -> None:
        """Trust an instrument again: a person has looked. Its next price is good, whatever the last one was."""
        self.frozen.discard(instrument)
        self._last_good.pop(instrument, None)
        self._faults[instrument] = 0

    def _out_of_hours(self, tick: Tick) -> TickFault | None:
        day = day_of(tick.ts_ns)
        if day != self._day:
            self._day = day
            self._today.clear()
        windows = self._today.get(tick.instrument)
        if windows is None:
            windows = self._today[tick.instrument] = self._hours(tick.instrument, day)
        for opened, close in windows:
            if opened <= tick.ts_ns < close:
                return None
        return TickFault.OUT_OF_SESSION

    def _wrong(self, tick: Tick) -> TickFault | None:
        px = tick.px
        if px <= 0:
            return TickFault.PRICE
        if tick.volume < 0:
            return TickFault.VOLUME
        band = self.bands.get(tick.instrument)
        if band is not None and not band[0] <= px <= band[1]:
            return TickFault.BAND
        last = self._last_good.get(tick.instrument)
        if last is not None and (px >= SPIKE * last or px * SPIKE <= last):
            return TickFault.SPIKE
        return None
