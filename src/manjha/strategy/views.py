"""What a strategy sees of the market: a shared timeline with a cursor, and lines that end at the cursor.

There is one cursor a run. Lines are views over whole columns that refuse to look past it, so nothing is made for a bar.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from manjha.domain.bars import BarColumns
from manjha.domain.errors import UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.domain.money import RUPEE
from manjha.strategy.reader import Cursor, Reader

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_PIECE = 4_096


class Line(Reader):
    """A series of floats that ends now: `line[-1]` is the value at the last closed bar, `line[-2]` the one before.

    NaN where the series had not begun. Looking ahead (`line[0]`, `line[1]`) is an error. Its rows may be other than the
    timeline's (another interval, an instrument that does not trade every bar). Over a split or bonus a price line shows
    history in today's shares, as known today: its values are continued in the basis of the first bar, so that the past
    never changes, and are multiplied by how many of the first bar's shares one share of the last bar is.
    """

    __slots__ = ("_basis_of", "_rows_of", "_values")

    def __init__(self, data: Floats, cursor: Cursor, rows: Ints | None = None, basis: Floats | None = None) -> None:
        self._values = np.ascontiguousarray(data)
        self._rows_of = rows
        self._basis_of = None if basis is None else np.ascontiguousarray(basis)
        super().__init__(self._values, cursor, rows, self._basis_of)

    @property
    def now(self) -> float:
        """The value at the last closed bar."""
        return self[-1]

    def tail(self, count: int) -> Floats:
        """Return a copy of the last `count` values, oldest first, fewer at the beginning."""
        last = self.last()
        values = self._values[max(0, last + 1 - count) : last + 1].copy()
        return values if self._basis_of is None or last < 0 else values * self._basis_of[last]

    def whole(self) -> tuple[Floats, Ints | None]:
        """Return the column behind the line, coming bars included, and its `rows`: for checks, never for strategies."""
        return self._values, self._rows_of

    def parts(self) -> tuple[Floats, Ints | None, Floats | None]:
        """Return the column, its `rows` and its basis, for the compiled backtest, which reads them as the line does."""
        return self._values, self._rows_of, self._basis_of

    @staticmethod
    def refuse(ago: int) -> NoReturn:
        """Say why there is no value at or after the cursor. Raises `UsageError`."""
        raise UsageError(
            f"line[{ago}] would look at a bar that has not closed",
            hint="line[-1] is the last closed bar, line[-2] the one before it.",
        )


class Computed(NamedTuple):
    """What `Series.computed` gives: a line or a tuple of them, and the first timeline position with all values."""

    made: Any
    ready: int


class Series:
    """One instrument's bars of one interval on the run's timeline.

    Attributes
    ----------
    columns
        The bars, raw prices.
    rows
        Shape (timeline,): the row closed last at each position, -1 before the first; None where row is position.
    basis
        Shape (bars,): what a price is divided by to be in the first bar's basis; None where no action falls inside.
    volume_basis
        Shape (bars,): what a volume is multiplied by for the same.
    """

    __slots__ = ("_floats", "basis", "close_e4", "columns", "cursor", "rows", "rows_view", "volume_basis")

    def __init__(
        self,
        columns: BarColumns,
        cursor: Cursor,
        rows: Ints | None,
        basis: Floats | None = None,
        volume_basis: Floats | None = None,
    ) -> None:
        self.columns = columns
        self.cursor = cursor
        self.rows = rows
        self.rows_view = None if rows is None else rows.data
        self.basis = basis
        self.volume_basis = volume_basis
        self.close_e4 = columns.close
        self._floats: dict[str, Floats] = {}

    def row(self) -> int:
        """Return the row closed last, -1 before the first."""
        position = self.cursor.at
        if self.rows_view is None or position < 0:
            return position
        return self.rows_view[position]

    def seen_ns(self, row: int) -> int:
        """Return when a bar closed."""
        return int(self.columns.ts_close_ns[row])

    def floats(self, field: str) -> Floats:
        """Return a whole column as float64: prices in rupees, continued over splits; volume in units."""
        if field not in self._floats:
            made = np.empty(len(self.columns))
            self.write(field, made)
            made.setflags(write=False)
            self._floats[field] = made
        return self._floats[field]

    def write(self, field: str, into: Floats, rows: Ints | slice = slice(None)) -> None:
        """Write what `floats` has at some rows, or at all, into an array, for who keeps it elsewhere."""
        column = np.asarray(getattr(self.columns, field))[rows]
        if field in ("volume", "oi"):
            into[:] = column
            if self.volume_basis is not None:
                into *= self.volume_basis[rows]
        else:
            np.divide(column, RUPEE, out=into)
            if self.basis is not None:
                into /= self.basis[rows]

    def owns(self, data: NDArray[Any]) -> bool:
        """Tell whether an array is one that `floats` has given."""
        return any(data is held for held in self._floats.values())

    def line(self, data: Floats, *, price: bool) -> Line:
        """Return a line over one value a bar. `price` says that the values are in rupees a share."""
        return Line(data, self.cursor, self.rows, self.basis if price else None)

    def field_line(self, field: str, *, price: bool) -> Line:
        """Return the line of a column."""
        return self.line(self.floats(field), price=price)

    def computed(
        self, function: Callable[..., Any], inputs: Sequence[str], params: Mapping[str, Any], *, price: bool
    ) -> Computed:
        """Return an indicator over whole columns as lines; see `Context.indicator`."""
        out = function(*[self.input(name) for name in inputs], **params)
        values = [np.asarray(each) for each in in_tuple(out)]
        lines = [self.line(np.asarray(each, dtype=np.float64), price=price) for each in values]
        return Computed(as_given(out, lines), max((self._first_ready(each) for each in values), default=0))

    def input(self, name: str) -> NDArray[Any]:
        """Return a column as indicators take it: int64 prices, float64 where an action changes their basis."""
        if name == "ts":
            return np.asarray(self.columns.ts_close_ns)
        if name == "day":
            return (np.asarray(self.columns.ts_open_ns) + IST_OFFSET_NS) // DAY_NS
        check_input(name)
        if self.basis is None and name not in ("volume", "oi"):
            return np.asarray(getattr(self.columns, name))
        return self.floats(name)

    def _first_ready(self, values: NDArray[Any]) -> int:
        """Return the first timeline position at which the line has a number."""
        row = first_number(values)
        return row if self.rows is None else int(np.searchsorted(self.rows, row))


def check_input(name: str) -> None:
    """Raise `UsageError` for what is no column that an indicator takes."""
    if name not in ("open", "high", "low", "close", "volume", "oi", "ts", "day"):
        raise UsageError(f"{name!r} is no column", hint="It is one of open, high, low, close, volume, oi, ts, day.")


def in_tuple(out: Any) -> tuple[NDArray[Any], ...]:
    """Return what an indicator gave, one array or several, as a tuple."""
    return out if isinstance(out, tuple) else (out,)


def as_given(out: Any, lines: Sequence[Line]) -> Any:
    """Return the lines of an indicator in the shape of what it gave: one, a tuple, or its named tuple."""
    if not isinstance(out, tuple):
        return lines[0]
    make: Callable[..., Any] = type(out)
    return make(*lines) if hasattr(out, "_fields") else tuple(lines)


def first_number(values: NDArray[Any]) -> int:
    """Return the first row that is not NaN; their number where there is none."""
    # A piece at a time, as most lines begin early and a column may be long.
    for start in range(0, len(values), _PIECE):
        known = np.flatnonzero(~np.isnan(values[start : start + _PIECE]))
        if len(known):
            return start + int(known[0])
    return len(values)


class Timeline:
    """The moments at which bars close in a run, and every series placed on them.

    `close_ns` and `open_ns` are int64 memoryviews of equal length: when position `k` closes, and when the earliest of
    its bars opened.
    """

    __slots__ = ("close_ns", "cursor", "open_ns", "series")

    def __init__(self, main: Sequence[BarColumns], further: Sequence[BarColumns] = ()) -> None:
        self.cursor = Cursor()
        closes = [np.asarray(columns.ts_close_ns) for columns in main]
        same = all(len(c) == len(closes[0]) and np.array_equal(c, closes[0]) for c in closes[1:])
        merged = closes[0] if same else np.unique(np.concatenate(closes))
        self.close_ns = np.ascontiguousarray(merged).data
        self.open_ns = _opens(merged, main, closes, same=same).data
        self.series: dict[tuple[InstrumentId, int], Series] = {}
        for columns, close in zip(main, closes, strict=True):
            rows = None if same else _rows(close, merged)
            self.series[columns.instrument, columns.interval] = Series(columns, self.cursor, rows)
        for columns in further:
            rows = _rows(np.asarray(columns.ts_close_ns), merged)
            self.series[columns.instrument, columns.interval] = Series(columns, self.cursor, rows)

    def __len__(self) -> int:
        return len(self.close_ns)

    def rebase(self, key: tuple[InstrumentId, int], price: Floats, volume: Floats) -> None:
        """Tell a series of the corporate actions inside it (see `Series.basis`)."""
        old = self.series[key]
        self.series[key] = Series(old.columns, self.cursor, old.rows, price, volume)


def _rows(close: Ints, merged: Ints) -> Ints:
    return np.searchsorted(close, merged, side="right").astype(np.int64) - 1


def _opens(merged: Ints, main: Sequence[BarColumns], closes: Sequence[Ints], *, same: bool) -> Ints:
    opens = np.asarray(main[0].ts_open_ns) if same else np.full(len(merged), np.iinfo(np.int64).max)
    if same:
        return np.ascontiguousarray(opens)
    for columns, close in zip(main, closes, strict=True):
        at = np.searchsorted(merged, close)
        opens[at] = np.minimum(opens[at], np.asarray(columns.ts_open_ns))
    return opens
