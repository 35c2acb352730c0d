"""Where a run stands, and how a line is read: backwards from the cursor, never past it.

`PythonCursor` and `PythonReader` are the definition. `_reader.c` is the same, compiled when the package is built where
a C compiler is found, because these are the inner loop of a backtest; `Cursor` and `Reader` are whichever is there.
"""

from collections.abc import Callable, Iterator, Sized
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:

    class Cursor:
        """Where a run stands on its timeline; see `PythonCursor`."""

        __slots__ = ("at",)

        at: int

        def __init__(self, at: int = -1) -> None: ...

        def walk(self, first: int, last: int, asked: Sized) -> Iterator[None]:
            """Move over the positions [first, last) until something is asked for."""

    class Reader:
        """Reads a float64 column from the row that closed last."""

        __slots__ = ()

        refuse: Callable[[int], NoReturn]

        def __init__(
            self,
            data: NDArray[np.float64],
            cursor: Cursor,
            rows: NDArray[np.int64] | None = None,
            basis: NDArray[np.float64] | None = None,
        ) -> None: ...

        def __getitem__(self, ago: int) -> float: ...

        def last(self) -> int:
            """Return the row that closed last."""


class PythonCursor:
    """Where a run stands on its timeline, one for all that look at it.

    `at` is the position that has closed last, -1 before the first.
    """

    __slots__ = ("at",)

    def __init__(self, at: int = -1) -> None:
        self.at = at

    def walk(self, first: int, last: int, asked: Sized) -> Iterator[None]:
        """Move over the positions [first, last), one an iteration; ends before the next one once `asked` has anything.

        `asked` is a list. The cursor stays where the walk ended.
        """
        if not isinstance(asked, list):
            raise TypeError(
                f"walk expects a list that is filled when something is asked for, was {type(asked).__name__}"
            )
        return self._walk(first, last, asked)

    def _walk(self, first: int, last: int, asked: Sized) -> Iterator[None]:
        for at in range(first, last):
            if asked:
                return
            self.at = at
            yield


class PythonReader:
    """Reads a float64 column from the row that closed last.

    Parameters
    ----------
    data
        Shape (rows,), contiguous.
    cursor
        Tells the timeline position that closed last.
    rows
        Shape (timeline,), int64: the row that closed last at each position, -1 before the first; None where row is
        position.
    basis
        Shape (rows,): what a value is multiplied by when this row is the last one; None for one.

    `reader[ago]` with `ago` < 0 is the value `-ago - 1` rows before the last one, NaN before the first; `ago` >= 0
    calls `refuse(ago)`, which a subclass defines and which raises.
    """

    __slots__ = ("_basis", "_cursor", "_data", "_rows")

    refuse: Callable[[int], NoReturn]

    def __init__(
        self,
        data: NDArray[np.float64],
        cursor: PythonCursor,
        rows: NDArray[np.int64] | None = None,
        basis: NDArray[np.float64] | None = None,
    ) -> None:
        self._data = data.data
        self._cursor = cursor
        self._rows = None if rows is None else rows.data
        self._basis = None if basis is None else basis.data

    def last(self) -> int:
        """Return the row that closed last, -1 before the first."""
        position = self._cursor.at
        return position if self._rows is None or position < 0 else self._rows[position]

    def __getitem__(self, ago: int) -> float:
        if ago >= 0:
            self.refuse(ago)
        last = self.last()
        at = last + 1 + ago
        if at < 0:
            return float("nan")
        value: float = self._data[at]
        return value if self._basis is None else value * self._basis[last]


if not TYPE_CHECKING:
    try:
        from manjha.strategy._reader import Cursor, Reader
    except ImportError:
        Cursor, Reader = PythonCursor, PythonReader

COMPILED = Reader.__module__ != __name__
"""Whether lines are read by the compiled reader."""
