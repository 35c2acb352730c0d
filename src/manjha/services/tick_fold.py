"""A day of a stream as a recorder keeps it: every tick that can be believed, its minute bars, and what is missing.

A fold over the messages in their order: what is read back from a day's file and its record, and what comes after, give
the same as if nothing had happened in between.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from manjha.domain.bars import MINUTE, Bar
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import SECOND_NS, TradingDay, TsNs, day_of
from manjha.domain.streams import MISSED_BEATS, Beat, Began, Streamed, TickSeen
from manjha.domain.tick_days import DayRecord, Missing, RecordedTick
from manjha.domain.ticks import Tick
from manjha.engine.closing import hours_of, tick_hours
from manjha.engine.tick_bars import NEVER, TickBars, Windows
from manjha.engine.tick_gate import TickGate
from manjha.market.rules import MarketRules

GRACE_BEATS = 5
"""How long after its end a bar waits for ticks that are on their way, in beats."""


class ClosedBar(NamedTuple):
    """A bar that has closed, and of which instrument."""

    instrument: InstrumentId
    bar: Bar


class DayFold:
    """One day that is being recorded.

    Attributes
    ----------
    record
        What is known of the day so far; where it is kept, the storage fills in rows, size and hash.
    ticks
        Ticks that are to be written, since `taken` was called.
    """

    def __init__(self, record: DayRecord, listed: Mapping[InstrumentId, Instrument], rules: MarketRules) -> None:
        self.record = record
        self.ticks: list[RecordedTick] = []
        self._closed: list[ClosedBar] = []
        self._kept_out: Counter[str] = Counter(record.kept_out)
        self._listed, self._rules = listed, rules
        self._windows: dict[InstrumentId, Windows] = {}
        self._gate = TickGate(self._hours)
        self._makers: dict[InstrumentId, TickBars] = {}
        self._groups: list[TickBars] = []
        self._beat_ns = record.beat_ns or SECOND_NS
        self._know(record.instruments)

    def again(self, kept: Iterable[RecordedTick]) -> None:
        """Take in what was recorded before; its bars close anew, those that are stored are the same again."""
        self.record = msgspec.structs.replace(self.record, torn=0)
        for one in kept:
            self._gate.admit(one.tick)
            self._fold(one.tick)
        if self.record.last is not None:
            self._reach(self.record.last)

    def take(self, streamed: Streamed) -> None:
        """Take a message in, the next one after those before; one that was taken in already changes nothing."""
        if streamed.seq <= self.record.seq:
            return
        if streamed.seq > self.record.seq + 1 and self.record.seq:
            self._torn("the stream no longer had what was said", streamed.message)
        message = streamed.message
        epoch = streamed.seq if isinstance(message, Began) else message.epoch
        self.record = msgspec.structs.replace(self.record, seq=streamed.seq)
        if epoch < self.record.epoch:
            return
        if epoch > self.record.epoch:
            self.record = msgspec.structs.replace(self.record, epoch=epoch)
        if isinstance(message, Began):
            self._begin(message)
        elif isinstance(message, Beat):
            self._beat(message)
        else:
            self._see(streamed.seq, message)

    def closed(self) -> list[ClosedBar]:
        """Return the whole bars that have closed since this was asked last; torn ones are counted and left out.

        A bar waits until a beat vouches for all of its time.
        """
        last_ns = self.record.last.at_ns if self.record.last is not None else 0
        due = [one for one in self._closed if one.bar.ts_close_ns <= last_ns]
        self._closed = [one for one in self._closed if one.bar.ts_close_ns > last_ns]
        whole = [one for one in due if not self._is_torn(one.bar)]
        self.record = msgspec.structs.replace(self.record, torn=self.record.torn + len(due) - len(whole))
        return whole

    def taken(self) -> list[RecordedTick]:
        """Return the ticks that are to be written, once."""
        ticks, self.ticks = self.ticks, []
        self.record = msgspec.structs.replace(self.record, kept_out=dict(self._kept_out))
        return ticks

    # ---- inside

    def _begin(self, began: Began) -> None:
        self._beat_ns = began.beat_ns
        known = tuple(dict.fromkeys((*self.record.instruments, *began.instruments)))
        self.record = msgspec.structs.replace(
            self.record, source=began.source, made_up=began.made_up, beat_ns=began.beat_ns, instruments=known
        )
        self._know(known)

    def _know(self, names: Sequence[InstrumentId]) -> None:
        """Make bars of some instruments by the hours of the day; of new ones from now on."""
        new = [self._listed[name] for name in names if name in self._listed and name not in self._windows]
        if not new:
            return
        hours = hours_of(self._rules, new)(self.record.day)
        made = TickBars((one.id, MINUTE) for one in new)
        made.open_day(hours)
        self._groups.append(made)
        self._makers |= {one.id: made for one in new}
        self._windows |= {one.id: hours.get(one.id, ()) for one in new}

    def _hours(self, name: InstrumentId, day: TradingDay) -> Windows:
        return tick_hours(self._rules, [self._listed[name]])(name, day) if name in self._listed else ()

    def _see(self, seq: int, seen: TickSeen) -> None:
        admitted = self._gate.admit(seen.tick, seen.arrived_ns)
        if not isinstance(admitted, Tick):
            self._kept_out[f"{seen.instrument}: {admitted}"] += 1
            return
        self.ticks.append(RecordedTick(seq, admitted))
        self._fold(admitted)

    def _fold(self, tick: Tick) -> None:
        self._close(tick.ts_ns)
        if tick.instrument in self._makers:
            self._makers[tick.instrument].add(tick.instrument, tick.ts_ns, tick.px, tick.volume)

    def _close(self, ts_ns: int) -> None:
        for group in self._groups:
            while group.next_ns <= ts_ns and group.next_ns != NEVER:
                self._closed += [ClosedBar(key[0], bar) for key, bar in group.close(group.next_ns)]

    def _beat(self, beat: Beat) -> None:
        last = self.record.last
        why = self._why_missing(last, beat)
        if why:
            self._miss(last.at_ns if last is not None else self._first_open(beat.at_ns), beat.at_ns, why)
        self.record = msgspec.structs.replace(self.record, last=beat)
        self._reach(beat)

    def _reach(self, beat: Beat) -> None:
        """Close what has ended a while before a beat; ticks of that time count as of later from here on."""
        until_ns = beat.at_ns - (0 if beat.ended else GRACE_BEATS * self._beat_ns)
        if any(group.next_ns <= until_ns for group in self._groups):
            self._gate.reach(TsNs(until_ns))
            self._close(until_ns)

    def _why_missing(self, last: Beat | None, beat: Beat) -> str:
        """Say why not everything between two beats has come; empty where it has."""
        if last is None:
            return "before the recording began"
        late = beat.number != last.number + 1 or beat.at_ns - last.at_ns > MISSED_BEATS * self._beat_ns
        reasons = (
            (last.epoch != beat.epoch, "between two publishers"),
            (last.interruptions != beat.interruptions, "the publisher's link was lost"),
            (not (last.is_connected and beat.is_connected), "the publisher was not connected"),
            (last.joined != beat.joined, "the publisher joined ticks"),
            (late, "the publisher was silent"),
        )
        return next((why for is_so, why in reasons if is_so), "")

    def _torn(self, why: str, message: Began | TickSeen | Beat) -> None:
        last = self.record.last
        until_ns = message.arrived_ns if isinstance(message, TickSeen) else message.at_ns
        self._miss(last.at_ns if last is not None else self._first_open(until_ns), until_ns, why)

    def _miss(self, from_ns: int, until_ns: int, why: str) -> None:
        if until_ns > from_ns:
            found = Missing(TsNs(from_ns), TsNs(until_ns), why)
            self.record = msgspec.structs.replace(self.record, missing=(*self.record.missing, found))

    def _first_open(self, ts_ns: int) -> int:
        """Return the first open of the day, or a moment where that comes before."""
        return min([windows[0][0] for windows in self._windows.values() if windows], default=ts_ns)

    def _is_torn(self, bar: Bar) -> bool:
        return any(one.from_ns < bar.ts_close_ns and bar.ts_open_ns < one.until_ns for one in self.record.missing)


def day_of_message(streamed: Streamed) -> TradingDay:
    """Return the day that a message belongs to, by the publisher's clock."""
    message = streamed.message
    return day_of(message.arrived_ns if isinstance(message, TickSeen) else message.at_ns)


def by_day(messages: Iterable[Streamed]) -> Iterator[tuple[TradingDay, list[Streamed]]]:
    """Yield messages in their order, those of one day together."""
    run: list[Streamed] = []
    for one in messages:
        if run and day_of_message(one) != day_of_message(run[-1]):
            yield day_of_message(run[-1]), run
            run = []
        run.append(one)
    if run:
        yield day_of_message(run[-1]), run
