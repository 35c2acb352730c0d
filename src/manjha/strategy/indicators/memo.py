"""Indicators that were computed already: a sweep asks for the same average of the same column again and again.

While a strategy states its columns a memo is in place (`remembering`). Results of indicators over columns that it owns
are read-only then, whether they are kept or not, so that a strategy finds the same in a single run and in a sweep.
Whatever else an indicator is given, arrays of the user's own making, is computed each time.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

Results = tuple[NDArray[np.float64], ...]


class Memo:
    """Results by what they were made of, at most `limit` bytes; those asked for least recently go first.

    `owns` tells whether an array is a column that never changes while the memo lives.
    """

    def __init__(self, owns: Callable[[NDArray[Any]], bool], limit: int = 0) -> None:
        self.limit = limit
        self._owns = owns
        self._kept: OrderedDict[Hashable, Results] = OrderedDict()
        self._size = 0

    def key(self, name: str, values: Hashable, columns: Sequence[Any]) -> Hashable | None:
        """Return what a result follows from; None where a column is not owned."""
        places = []
        for column in columns:
            if not isinstance(column, np.ndarray) or column.flags.writeable:
                return None
            owner: Any = column if column.base is None else column.base
            if not isinstance(owner, np.ndarray) or owner.flags.writeable or not self._owns(owner):
                return None
            # Where the owner lies and what of it is seen: the owner outlives the memo, so no other array lies there.
            places.append((column.ctypes.data, column.shape, column.strides, column.dtype.str))
        return name, values, tuple(places)

    def find(self, key: Hashable) -> Results | None:
        """Return a result that is kept."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: Hashable, results: Results) -> Results:
        """Make a result read-only, keep it as long as there is room, and return it."""
        for each in results:
            each.setflags(write=False)
        # Views: numpy lets who holds the array itself make it writable again, but not who holds a view of it.
        results = tuple(each.view() for each in results)
        size = sum(each.nbytes for each in results)
        if size <= self.limit:
            self._kept[key] = results
            self._size += size
            while self._size > self.limit:
                _, gone = self._kept.popitem(last=False)
                self._size -= sum(each.nbytes for each in gone)
        return results

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._size = 0


_MEMO: ContextVar[Memo | None] = ContextVar("memo", default=None)


def memo_in_place() -> Memo | None:
    """Return the memo of the strategy that states its columns now."""
    return _MEMO.get()


class remembering:  # noqa: N801 - used as a function: a generator takes four times as long to begin and end
    """Put a memo in place for a while."""

    __slots__ = ("_memo", "_token")

    def __init__(self, memo: Memo) -> None:
        self._memo = memo

    def __enter__(self) -> None:
        self._token = _MEMO.set(self._memo)

    def __exit__(self, *_error: object) -> None:
        _MEMO.reset(self._token)
