"""The recorder: takes a stream up from a place of its own, and keeps its ticks and the minute bars of them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from manjha.domain.bars import MINUTE
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TradingDay, TsNs
from manjha.domain.streams import Beat, Streamed
from manjha.domain.tick_days import DayRecord
from manjha.engine.bars import column
from manjha.market.rules import MarketRules
from manjha.ports.market_data import BarBatch, BarStore, Provenance
from manjha.ports.tick_log import TickLog
from manjha.ports.tick_stream import Tape, TickStream
from manjha.services.tick_fold import ClosedBar, DayFold, by_day

MOST = 4_096
"""Messages that are kept in one piece."""
WAIT_NS = SECOND_NS
BARS_EVERY_NS = 5 * MINUTE_NS
"""Bars go to the store so often; what is not there yet is made again of the ticks."""
SOURCE, FORMAT = "stream", "ticks"
_FIELDS = ("open", "high", "low", "close", "volume", "oi")


class RecorderParts(msgspec.Struct, frozen=True, kw_only=True):
    """What a recorder works with; `listed` are the instruments that are known."""

    stream: TickStream
    log: TickLog
    store: BarStore
    listed: Mapping[InstrumentId, Instrument]
    rules: MarketRules
    now_ns: Callable[[], TsNs]


class DayDone(msgspec.Struct, frozen=True):
    """What one process recorded of a day: its record, and the bars that the store took or holds otherwise."""

    record: DayRecord
    bars: int
    conflicting: int


class TickRecorder:
    """Records until it is asked to stop, or until the publisher has ended. Use it inside one event loop, once.

    Parameters
    ----------
    name
        Of its place in the stream: one recorder each.
    """

    def __init__(self, parts: RecorderParts, name: str) -> None:
        self._parts, self._name = parts, name
        self._fold: DayFold | None = None
        self._waiting: list[ClosedBar] = []
        self._stored_ns = 0
        self._bars = self._conflicting = 0
        self._is_over = False
        self._identity = ""
        self.done: list[DayDone] = []

    def stop(self) -> None:
        """Ask it to end, after what it is doing."""
        self._is_over = True

    async def run(self) -> Sequence[DayDone]:
        """Record. Nothing is acknowledged before it is durable.

        Raises
        ------
        SourceError
            The stream gives no place.
        DataError
            What was recorded before is not what was written.
        """
        parts = self._parts
        before = parts.log.latest()
        self._identity = await parts.stream.identity()
        after = 0
        if before is not None:
            if before.stream != self._identity:
                before = _on_another(before, self._identity)
            after = before.seq
            self._begin(before)
        tape = await parts.stream.tape(self._name, after)
        has_ended = False
        while not (self._is_over or has_ended):
            taken = await tape.take(MOST, WAIT_NS)
            for day, messages in by_day(taken):
                await self._keep(tape, day, messages)
            has_ended = _has_ended(taken)
        self._end_day()
        return self.done

    async def _keep(self, tape: Tape, day: TradingDay, messages: Sequence[Streamed]) -> None:
        fold = self._fold
        if fold is None or fold.record.day != day:
            seq, epoch = (fold.record.seq, fold.record.epoch) if fold is not None else (messages[0].seq - 1, 0)
            self._end_day()
            fold = self._begin(_next_day(self._identity, fold.record if fold is not None else None, (day, seq, epoch)))
        for one in messages:
            fold.take(one)
        self._commit(fold)
        await tape.ack(messages[-1].seq)

    def _begin(self, record: DayRecord) -> DayFold:
        fold = self._fold = DayFold(record, self._parts.listed, self._parts.rules)
        fold.again(self._parts.log.begin(record))
        self._bars = self._conflicting = 0
        return fold

    def _commit(self, fold: DayFold) -> None:
        self._waiting += fold.closed()
        self._parts.log.append(fold.taken())
        fold.record = self._parts.log.commit(fold.record)
        last_ns = fold.record.last.at_ns if fold.record.last is not None else 0
        if last_ns >= self._stored_ns + BARS_EVERY_NS:
            self._stored_ns = last_ns
            self._store(fold.record)

    def _end_day(self) -> None:
        fold, self._fold = self._fold, None
        if fold is not None:
            self._commit(fold)
            self._store(fold.record)
            self.done.append(DayDone(fold.record, self._bars, self._conflicting))

    def _store(self, record: DayRecord) -> None:
        """Put bars into the store that rest on what is committed."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        digest = record.hash or hashlib.sha256().hexdigest()
        provenance = Provenance(SOURCE, FORMAT, f"ticks of {record.source}", digest, self._parts.now_ns())
        report = self._parts.store.write(batch_of(waiting, self._parts.listed), provenance)
        self._bars += report.added + report.unchanged
        self._conflicting += report.conflicting


def batch_of(bars: Sequence[ClosedBar], listed: Mapping[InstrumentId, Instrument]) -> BarBatch:
    """Return bars of several instruments as the store takes them."""
    ordered = sorted(bars, key=lambda one: (one.instrument, one.bar.ts_open_ns))
    names = list(dict.fromkeys(one.instrument for one in ordered))
    places = {name: at for at, name in enumerate(names)}

    def values(field: str) -> memoryview:
        return column(np.array([getattr(one.bar, field) for one in ordered], np.int64))

    return BarBatch(
        interval=MINUTE,
        instruments=tuple(listed[name] for name in names),
        instrument=column(np.array([places[one.instrument] for one in ordered], np.int64)),
        ts_open_ns=values("ts_open_ns"),
        ts_close_ns=values("ts_close_ns"),
        **{field: values(field) for field in _FIELDS},
    )


def _next_day(stream: str, before: DayRecord | None, begins: tuple[TradingDay, int, int]) -> DayRecord:
    day, seq, epoch = begins
    if before is None:
        return DayRecord(day=day, stream=stream, seq=seq, epoch=epoch)
    return DayRecord(
        day=day, stream=stream, source=before.source, made_up=before.made_up, beat_ns=before.beat_ns,
        instruments=before.instruments, epoch=epoch, seq=seq, last=None,
    )  # fmt: skip


def _on_another(record: DayRecord, stream: str) -> DayRecord:
    """Return a record as it is gone on with from another stream: numbers begin anew there.

    What came between the two is missing, as between two publishers.
    """
    last = msgspec.structs.replace(record.last, epoch=0) if record.last is not None else None
    return msgspec.structs.replace(record, stream=stream, seq=0, epoch=0, last=last)


def _has_ended(taken: Sequence[Streamed]) -> bool:
    return bool(taken) and isinstance(taken[-1].message, Beat) and taken[-1].message.ended
