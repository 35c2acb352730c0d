"""A timeline that grows: the series, lines and indicators of `views`, extended by one bar at a time.

A strategy cannot tell it from a timeline over whole columns, except that there is nothing behind the last closed bar.
Every column lies in an array with room to spare; when that is used up, larger arrays take its place and each line is
pointed at them, so that nothing the strategy holds goes stale.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from manjha.domain.actions import CorporateAction
from manjha.domain.bars import Bar, BarColumns
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import format_ts
from manjha.domain.money import RUPEE
from manjha.strategy.basis import Basis
from manjha.strategy.continued import Column, Continued, continued, is_registered
from manjha.strategy.views import Computed, Floats, Ints, Line, Series, Timeline, as_given, check_input, in_tuple

ROOM = 1_024
"""Rows for which there is room at first, beyond the history: more than a day of minutes twice over."""
_INTS = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
Key: TypeAlias = tuple[InstrumentId, int]
"""Which series: an instrument and the length of its bars in seconds."""


class _Unseen:
    """Stands for the columns of a series while a strategy's `init` runs; only what they are of can be asked."""

    def __init__(self, columns: BarColumns, refuse: Callable[[], NoReturn]) -> None:
        self.instrument, self.interval = columns.instrument, columns.interval
        self._refuse = refuse

    def __getattr__(self, name: str) -> NoReturn:
        self._refuse()

    def __len__(self) -> int:  # noqa: PLE0303 - raises
        self._refuse()


class GrowingSeries(Series):
    """One instrument's bars of one interval so far; `count` is their number.

    `columns` are the bars so far, a new value after each bar, made when it is asked for: of thousands of instruments
    nobody asks for most. `rows`, `basis` and `volume_basis` have room to spare.
    """

    __slots__ = (
        "_asked_by",
        "_basis",
        "_continued",
        "_fields",
        "_ints",
        "_lines",
        "_seen",
        "_shown",
        "count",
        "timeline",
    )

    def __init__(
        self, timeline: "GrowingTimeline", history: BarColumns, rows: Ints | None, actions: Sequence[CorporateAction]
    ) -> None:
        self.timeline = timeline
        self.count = len(history)
        self._basis = Basis(history, actions)
        basis = (_roomy(self._basis.price), _roomy(self._basis.volume)) if self._basis.counts else (None, None)
        super().__init__(history, timeline.cursor, rows, *basis)
        self._asked_by = timeline.asked_by
        self._ints = {name: _roomy(np.asarray(getattr(history, name))) for name in _INTS}
        self._fields: dict[str, Column] = {}
        self._lines: list[tuple[Line, Column, bool]] = []
        self._continued: list[Continued] = []
        self._seen: BarColumns | _Unseen = _Unseen(history, self._refuse)
        self._shown = self.count

    def show(self) -> None:
        """Make the bars so far visible: `init` has run."""
        self._shown = -1
        self.close_e4 = self._ints["close"].data

    @property
    def columns(self) -> BarColumns:
        """The bars so far."""
        if self._shown != self.count:
            self._seen, self._shown = self._bars(), self.count
        return self._seen  # type: ignore[return-value]  # until `show`, something that refuses

    @columns.setter
    def columns(self, columns: BarColumns) -> None:
        self._seen = columns

    def _bars(self) -> BarColumns:
        instrument, interval = self._seen.instrument, self._seen.interval
        if not self.count:
            return BarColumns(instrument, interval, *[memoryview(b"").cast("q")] * len(_INTS))
        views = {name: self._ints[name].data[: self.count].cast("B").cast("q") for name in _INTS}
        return BarColumns(instrument, interval, **views)

    def seen_ns(self, row: int) -> int:
        """Return when a bar closed."""
        return int(self._ints["ts_close_ns"][row])

    def floats(self, field: str) -> Floats:
        """Refuse: there are no whole columns. Raises `UsageError`."""
        del field
        self._refuse()

    def field_line(self, field: str, *, price: bool) -> Line:
        """Return the line of a column, which goes on with the bars."""
        return self._line_over(self._field(field), price=price)

    def input(self, name: str) -> NDArray[Any]:
        """Return the part so far of a column as indicators take it, read-only."""
        check_input(name)
        made = self._day() if name == "day" else self._part(name)
        made.setflags(write=False)
        return made

    def computed(
        self, function: Callable[..., Any], inputs: Sequence[str], params: Mapping[str, Any], *, price: bool
    ) -> Computed:
        """Return an indicator as lines that go on; see `Context.indicator`.

        One of `strategy.indicators` goes on from its state, bit for bit as over whole columns. Another function is
        asked anew over the bars so far at each bar, and the last value counts.
        """
        if not self.count and not is_registered(function):
            raise UsageError(
                f"{self._asked_by}: {getattr(function, '__name__', 'a function')} is asked for before there is any bar "
                f"of {self._seen.instrument}",
                hint="Give the run history, or use an indicator of manjha.strategy.indicators.",
            )
        columns = [self.input(name) for name in inputs]
        out = function(*columns, **params)
        room = len(self._ints["close"]) - self.count
        held = [Column(_roomy(np.asarray(each, dtype=np.float64), room)) for each in in_tuple(out)]
        made = continued(function, tuple(inputs), dict(params), columns, (held, self.count))
        self._continued.append(made)
        lines = [self._line_over(each, price=price) for each in held]
        return Computed(as_given(out, lines), self.timeline.ready_at(self, made))

    def append(self, bar: Bar) -> None:
        """Take one bar that has closed. Raises `DataError` for one that begins before the last one ended."""
        at = self.count
        if at and bar.ts_open_ns < self._ints["ts_close_ns"][at - 1]:
            raise DataError(
                f"{self._seen.instrument}: expected a bar after {format_ts(int(self._ints['ts_close_ns'][at - 1]))}, "
                f"was one from {format_ts(bar.ts_open_ns)}"
            )
        if at == len(self._ints["close"]):
            self._make_room()
        for name in _INTS:
            self._ints[name][at] = getattr(bar, name)
        if self.basis is not None and self.volume_basis is not None:
            last_close = int(self._ints["close"][at - 1]) if at else None
            self.basis[at], self.volume_basis[at] = self._basis.after(bar.ts_open_ns, last_close)
        self.count = at + 1
        for field, column in self._fields.items():
            column.data[at] = self._float(field, at)
        for one in self._continued:
            one.go_on(self, at)

    def value(self, name: str, at: int) -> float:
        """Return one row of a column as indicators take it."""
        if self.basis is not None and name not in ("ts", "day"):
            return self._float(name, at)
        return float(self._day()[at] if name == "day" else self._ints[_COLUMN.get(name, name)][at])

    def so_far(self, count: int) -> Series:
        """Return the series as it stands, over whole columns that end here; `count` is the timeline's length."""
        parts = (None if each is None else each[: self.count] for each in (self.basis, self.volume_basis))
        return Series(self.columns, self.cursor, None if self.rows is None else self.rows[:count], *parts)

    def place(self, rows: Ints | None) -> None:
        """Take a larger map of rows."""
        self.rows = rows
        self.rows_view = None if rows is None else rows.data
        self._point()

    def _part(self, name: str) -> NDArray[Any]:
        if name in ("volume", "oi") or (self.basis is not None and name != "ts"):
            return self._field(name).data[: self.count]
        return self._ints[_COLUMN.get(name, name)][: self.count]

    def _day(self) -> Ints:
        return Series.input(self._plain(), "day")

    def _plain(self) -> Series:
        views = {name: self._ints[name][: self.count].data for name in _INTS}
        return Series(BarColumns(self._seen.instrument, self._seen.interval, **views), self.cursor, None)

    def _field(self, field: str) -> Column:
        if field not in self._fields:
            made = np.empty(len(self._ints["close"]))
            whole = self._plain()
            if self.basis is not None and self.volume_basis is not None:
                whole.basis, whole.volume_basis = self.basis[: self.count], self.volume_basis[: self.count]
            whole.write(field, made[: self.count])
            self._fields[field] = Column(made)
        return self._fields[field]

    def _float(self, field: str, at: int) -> float:
        """Return one row as `Series.write` writes it."""
        value = int(self._ints[field][at])
        if field in ("volume", "oi"):
            return float(value) if self.volume_basis is None else float(value * self.volume_basis[at])
        return value / RUPEE if self.basis is None else float(value / RUPEE / self.basis[at])

    def _line_over(self, column: Column, *, price: bool) -> Line:
        line = Line(column.data, self.cursor, self.rows, self.basis if price else None)
        self._lines.append((line, column, price))
        return line

    def _make_room(self) -> None:
        self._ints = {name: _roomy(array, len(array)) for name, array in self._ints.items()}
        self.close_e4 = self._ints["close"].data
        if self.basis is not None and self.volume_basis is not None:
            self.basis = _roomy(self.basis, len(self.basis))
            self.volume_basis = _roomy(self.volume_basis, len(self.volume_basis))
        for column in (*self._fields.values(), *[each for one in self._continued for each in one.out]):
            column.data = _roomy(column.data, len(column.data))
        self._point()

    def _point(self) -> None:
        """Point every line at the arrays of now."""
        for line, column, price in self._lines:
            line.__init__(column.data, self.cursor, self.rows, self.basis if price else None)  # type: ignore[misc]

    def _refuse(self) -> NoReturn:
        raise UsageError(
            f"{self._asked_by} reads whole columns of {self._seen.instrument}, but here the bars end with the last one "
            "that has closed",
            hint="Compute with ctx.indicator(function, ...), read lines in on_bar, or state targets(history).",
        )


class GrowingTimeline(Timeline):
    """The moments at which bars have closed so far, and every series placed on them.

    Parameters
    ----------
    main, further
        The history of each series, which may be empty: what indicators see before the first bar of the run.
    actions
        Corporate actions known, past and coming: those of an instrument decide the basis of its lines.
    asked_by
        The strategy's name, for messages.

    Attributes
    ----------
    warmup
        First position at which every indicator has a value, as far as is known; beyond the last one while any has none.
    """

    __slots__ = ("_close", "_growing", "_main", "_open", "_unready", "asked_by", "count", "warmup")

    def __init__(
        self,
        main: Sequence[BarColumns],
        further: Sequence[BarColumns] = (),
        actions: Sequence[CorporateAction] = (),
        asked_by: str = "the strategy",
    ) -> None:
        super().__init__(main, further)
        self.asked_by = asked_by
        self.count, self.warmup = len(self.close_ns), 0
        self._close, self._open = _roomy(np.asarray(self.close_ns)), _roomy(np.asarray(self.open_ns))
        self._main = {(columns.instrument, columns.interval) for columns in main}
        self._unready: list[Continued] = []
        self._growing: dict[Key, GrowingSeries] = {}
        for key, placed in self.series.items():
            rows = placed.rows
            if rows is None and (len(main) > 1 or key not in self._main):
                rows = np.arange(self.count)
            roomy = None if rows is None else _roomy(rows)
            self._growing[key] = GrowingSeries(self, placed.columns, roomy, actions)
        self.series = dict(self._growing)
        self._show()

    def begin(self) -> None:
        """Stand at the end of the history: `init` has run, bars may come."""
        for series in self._growing.values():
            series.show()
        self.cursor.at = self.count - 1

    def append(self, ts_ns: int, closed: Iterable[tuple[Key, Bar]]) -> bool:
        """Take the bars that closed at a moment, in any order, each series at most once.

        Returns whether the timeline has a new position: whether a bar of the main interval was among them. Others are
        visible from the next position on. The cursor does not move. Raises `DataError` for a bar that closes at another
        moment, or not after the last one.
        """
        opened = None
        for key, bar in closed:
            if bar.ts_close_ns != ts_ns:
                raise DataError(f"expected bars that close at {format_ts(ts_ns)}, was {format_ts(bar.ts_close_ns)}")
            self._growing[key].append(bar)
            if key in self._main:
                opened = bar.ts_open_ns if opened is None else min(opened, bar.ts_open_ns)
        if opened is None:
            return False
        self._place(ts_ns, opened)
        return True

    def so_far(self) -> Timeline:
        """Return the timeline as it stands, over whole columns that end here."""
        made = Timeline.__new__(Timeline)
        made.cursor, made.close_ns, made.open_ns = self.cursor, self.close_ns, self.open_ns
        made.series = {key: series.so_far(self.count) for key, series in self._growing.items()}
        return made

    def ready_at(self, series: GrowingSeries, made: Continued) -> int:
        """Return the first position at which an indicator has all its values; the coming one while it has not."""
        row = made.ready_row
        if row >= 0:
            at = row if series.rows is None else int(np.searchsorted(series.rows[: self.count], row))
            if at < self.count:
                self.warmup = max(self.warmup, at)
                return at
        self._unready.append(made)
        self.warmup = self.count
        return self.count

    def _place(self, ts_ns: int, opened_ns: int) -> None:
        at = self.count
        if at and ts_ns <= self._close[at - 1]:
            raise DataError(f"bars closed at {format_ts(ts_ns)}, after others at {format_ts(int(self._close[at - 1]))}")
        if at == len(self._close):
            self._close, self._open = _roomy(self._close, at), _roomy(self._open, at)
            for series in self._growing.values():
                if series.rows is not None:
                    series.place(_roomy(series.rows, at))
        self._close[at], self._open[at] = ts_ns, opened_ns
        for series in self._growing.values():
            if series.rows is not None:
                series.rows[at] = series.count - 1
        self.count = at + 1
        self._show()
        if self._unready:
            self._unready = [one for one in self._unready if one.ready_row < 0]
            if self._unready:
                self.warmup = self.count

    def _show(self) -> None:
        self.close_ns, self.open_ns = self._close.data[: self.count], self._open.data[: self.count]


_COLUMN = {"ts": "ts_close_ns"}


def _roomy(values: NDArray[Any], more: int | None = None) -> NDArray[Any]:
    """Return a copy with room for so many rows more, or for some at first."""
    made = np.zeros(len(values) + (ROOM if more is None else more), values.dtype)
    made[: len(values)] = values
    return made
