"""Bars and ticks as frames of a segment, and back: rows of int64, in the order in which the engine saw them.

A series is named once by a number, and rows carry the number. A writer counts from 0, also one that goes on with a run
that another had begun. The bytes are little-endian.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from manjha.domain.bars import Bar, BarColumns, Interval
from manjha.domain.errors import JournalHalted
from manjha.domain.instrument import InstrumentId
from manjha.domain.segments import Frame
from manjha.domain.ticks import Tick, TickColumns

SERIES, BARS, TICKS, FETCHED = 1, 2, 3, 4
"""Kinds of frames: a series is named, rows of bars, of ticks, and of bars that have candles of a broker in them."""
ROWS_MAX = 4_096
"""Rows of a frame at most, so that damage is named closely."""
_BAR_FIELDS = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
_TICK_FIELDS = ("ts_ns", "px", "volume")
_WIDTHS = {BARS: 1 + len(_BAR_FIELDS), TICKS: 1 + len(_TICK_FIELDS), FETCHED: 1 + len(_BAR_FIELDS)}
_OF_TICKS = Interval(0)
_ENCODER = msgspec.msgpack.Encoder(order="deterministic")
Key = tuple[InstrumentId, Interval]


class _Named(msgspec.Struct, frozen=True):
    number: int
    instrument: InstrumentId
    interval: Interval


_NAMED = msgspec.msgpack.Decoder(_Named)


class Seen(NamedTuple):
    """Market data read back: bars by instrument and interval, ticks by instrument, in the order they were named.

    `fetched` is how many of the bars have candles of a broker in them.
    """

    bars: Mapping[Key, BarColumns]
    ticks: Mapping[InstrumentId, TickColumns]
    fetched: int = 0


class MarketFrames:
    """Makes the frames of one run; remembers which series have been named."""

    def __init__(self) -> None:
        self._numbers: dict[Key, int] = {}

    def bars(self, columns: Sequence[BarColumns], kind: int = BARS) -> list[Frame]:
        """Return the frames of bars of one or more series: by closing time, and at one moment in the order given.

        `kind` is `BARS` or `FETCHED`.
        """
        made, tables = [], []
        for one in columns:
            made += self._named((one.instrument, one.interval))
            tables.append(_table(self._numbers[one.instrument, one.interval], one))
        table = np.concatenate(tables) if tables else np.empty((0, _WIDTHS[BARS]), np.int64)
        closes = 1 + _BAR_FIELDS.index("ts_close_ns")
        return made + _frames(kind, table[np.argsort(table[:, closes], kind="stable")])

    def closed(self, closed: Sequence[tuple[tuple[InstrumentId, int], Bar]], kind: int = BARS) -> list[Frame]:
        """Return the frames of single bars of several series, else as `bars`: without columns of one row each."""
        made, at = [], {}
        for (name, interval), _ in closed:
            key = name, Interval(interval)
            made += self._named(key)
            at[key] = self._numbers[key]
        rows = [
            (at[name, Interval(interval)], bar.ts_open_ns, bar.ts_close_ns, bar.open, bar.high, bar.low, bar.close,
             bar.volume, bar.oi)
            for (name, interval), bar in closed
        ]  # fmt: skip
        rows.sort(key=_closes)
        return made + _rows(kind, rows)

    def ticks(self, ticks: Sequence[Tick]) -> list[Frame]:
        """Return the frames of ticks of one or more instruments, in the order in which they came."""
        made, at = [], {}
        for name in dict.fromkeys([tick.instrument for tick in ticks]):
            made += self._named((name, _OF_TICKS))
            at[name] = self._numbers[name, _OF_TICKS]
        return made + _rows(TICKS, [(at[tick.instrument], tick.ts_ns, tick.px, tick.volume) for tick in ticks])

    def _named(self, key: Key) -> list[Frame]:
        if key in self._numbers:
            return []
        self._numbers[key] = len(self._numbers)
        return [Frame(SERIES, _ENCODER.encode(_Named(self._numbers[key], *key)))]


def seen_in(frames: Iterable[Frame]) -> Seen:
    """Return the bars and ticks of a run's frames. Raises `JournalHalted` for what this version does not know."""
    places: dict[Key, int] = {}
    named: list[int] = []
    bar_rows, fetched = list[NDArray[np.int64]](), 0
    rows: dict[int, list[NDArray[np.int64]]] = {BARS: bar_rows, TICKS: [], FETCHED: bar_rows}
    for frame in frames:
        if frame.kind == SERIES:
            number, key = _name_of(frame)
            if number == 0:
                named = []
            if number != len(named):
                raise JournalHalted(f"the market data name series {number} where {len(named)} comes next")
            named.append(places.setdefault(key, len(places)))
        elif frame.kind in rows and len(frame.payload) % (8 * _WIDTHS[frame.kind]) == 0:
            table = np.frombuffer(frame.payload, "<i8").reshape(-1, _WIDTHS[frame.kind]).astype(np.int64)
            if len(table) and not 0 <= table[:, 0].min() <= table[:, 0].max() < len(named):
                raise JournalHalted("the market data have rows of a series that is not named")
            table[:, 0] = np.array(named, np.int64)[table[:, 0]]
            rows[frame.kind].append(table)
            fetched += len(table) if frame.kind == FETCHED else 0
        else:
            raise JournalHalted(
                f"the market data have a frame of kind {frame.kind} and {len(frame.payload)} bytes, which this version "
                "does not know",
                hint="They were written by another version of Manjha: use that one, or a newer one.",
            )
    bars, ticks = (_by_series(rows[kind], _WIDTHS[kind], len(places)) for kind in (BARS, TICKS))
    return Seen(
        {key: BarColumns(*key, *bars[at]) for key, at in places.items() if key[1] != _OF_TICKS},
        {key[0]: TickColumns(key[0], *ticks[at]) for key, at in places.items() if key[1] == _OF_TICKS},
        fetched,
    )


def _name_of(frame: Frame) -> tuple[int, Key]:
    try:
        named = _NAMED.decode(frame.payload)
    except msgspec.DecodeError as error:
        raise JournalHalted(f"the market data name a series in a way that cannot be read: {error}") from None
    return named.number, (named.instrument, named.interval)


def _table(number: int, columns: BarColumns) -> NDArray[np.int64]:
    held: list[Any] = [np.asarray(getattr(columns, name)) for name in _BAR_FIELDS]
    return np.column_stack([np.full(len(columns), number, np.int64), *held])


def _closes(row: tuple[int, ...]) -> int:
    return row[1 + _BAR_FIELDS.index("ts_close_ns")]


def _rows(kind: int, rows: Sequence[tuple[int, ...]]) -> list[Frame]:
    return _frames(kind, np.array(rows, np.int64).reshape(-1, _WIDTHS[kind]))


def _frames(kind: int, table: NDArray[np.int64]) -> list[Frame]:
    parts = (table[at : at + ROWS_MAX] for at in range(0, len(table), ROWS_MAX))
    return [Frame(kind, np.ascontiguousarray(part, "<i8").tobytes()) for part in parts]


def _by_series(rows: Sequence[NDArray[np.int64]], width: int, count: int) -> list[list[memoryview]]:
    """Return the columns of each series, their rows in the order they were written."""
    table = np.concatenate(rows) if rows else np.empty((0, width), np.int64)
    return [
        [np.ascontiguousarray(mine[:, at], np.int64).data for at in range(1, width)]
        for mine in (table[table[:, 0] == number] for number in range(count))
    ]
