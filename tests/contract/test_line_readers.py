"""One suite for both cursors and readers of lines: those in Python, which define them, and the compiled ones."""

from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from manjha.strategy.reader import COMPILED, Cursor, PythonCursor, PythonReader, Reader

READERS = [
    pytest.param(PythonReader, id="python"),
    pytest.param(Reader, id="compiled", marks=pytest.mark.skipif(not COMPILED, reason="no C compiler built it")),
]
CURSORS = [
    pytest.param(PythonCursor, id="python"),
    pytest.param(Cursor, id="compiled", marks=pytest.mark.skipif(not COMPILED, reason="no C compiler built it")),
]
VALUES = np.array([1.5, np.nan, -2.5, 4.0, 8.0])
ROWS = np.array([-1, 0, 0, 2, 4])
BASIS = np.array([1.0, 1.0, 0.5, 0.5, 0.25])


class LookAheadError(Exception):
    pass


def made(
    kind: type, data: NDArray[np.float64], at: "int | PythonCursor | Cursor", rows: object = None, basis: object = None
) -> PythonReader:
    cursor = (PythonCursor if kind is PythonReader else Cursor)(at) if isinstance(at, int) else at

    def refuse(ago: int) -> NoReturn:
        raise LookAheadError(ago)

    reader: PythonReader = type("Made", (kind,), {"refuse": staticmethod(refuse)})(data, cursor, rows, basis)
    return reader


@pytest.mark.parametrize("kind", READERS)
def test_reads_backwards_from_the_cursor(kind: type) -> None:
    cursor = PythonCursor(3) if kind is PythonReader else Cursor(3)
    line = made(kind, VALUES, cursor)
    assert (line[-1], line[-2], line[-4], line.last()) == (4.0, -2.5, 1.5, 3)
    cursor.at = 4
    assert (line[-1], line.last()) == (8.0, 4)


@pytest.mark.parametrize("kind", READERS)
def test_can_be_made_again_over_larger_arrays(kind: type) -> None:
    cursor = PythonCursor(3) if kind is PythonReader else Cursor(3)
    line = made(kind, VALUES, cursor, ROWS, BASIS)
    held = line.__getitem__
    more = np.append(VALUES, 16.0)
    line.__init__(more, cursor, np.append(ROWS, 5), np.append(BASIS, 2.0))  # type: ignore[misc]  # as a timeline grows
    cursor.at = 5
    assert (line[-1], line[-2], held(-1), line.last()) == (32.0, 16.0, 32.0, 5)
    line.__init__(more, cursor)  # type: ignore[misc]
    assert (line[-1], line[-2]) == (16.0, 8.0)


@pytest.mark.parametrize("kind", READERS)
def test_is_nan_before_the_first_row_and_where_the_data_is(kind: type) -> None:
    assert np.isnan(made(kind, VALUES, 3)[-5])
    assert np.isnan(made(kind, VALUES, -1)[-1])
    assert np.isnan(made(kind, VALUES, 1)[-1])
    assert np.isnan(made(kind, VALUES, 3)[-(2**62)])
    assert np.isnan(made(kind, VALUES, 3)[-(10**30)])
    assert np.isnan(made(kind, VALUES, 0, ROWS)[-1])


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("ago", [0, 1, 7, 10**30])
def test_refuses_to_look_ahead(kind: type, ago: int) -> None:
    with pytest.raises(LookAheadError, match=str(ago)):
        made(kind, VALUES, 2)[ago]


@pytest.mark.parametrize("kind", READERS)
def test_numpy_counts_too(kind: type) -> None:
    assert made(kind, VALUES, 3)[np.int64(-2)] == -2.5  # type: ignore[index]


@pytest.mark.parametrize("kind", CURSORS)
def test_a_walk_ends_by_a_list(kind: type) -> None:
    with pytest.raises(TypeError):
        kind().walk(0, 3, ())


@pytest.mark.parametrize("kind", READERS)
def test_rows_place_the_line_on_the_timeline(kind: type) -> None:
    read = [made(kind, VALUES, at, ROWS)[-1] for at in (1, 2, 3, 4)]
    assert read == [1.5, 1.5, -2.5, 8.0]
    assert made(kind, VALUES, 4, ROWS)[-2] == 4.0


@pytest.mark.parametrize("kind", READERS)
def test_history_is_in_the_basis_of_the_last_row(kind: type) -> None:
    assert made(kind, VALUES, 4, None, BASIS)[-3] == -2.5 * 0.25
    assert made(kind, VALUES, 3, ROWS, BASIS)[-3] == 1.5 * 0.5


@pytest.mark.skipif(not COMPILED, reason="no C compiler built it")
@given(
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=40),
    st.data(),
)
def test_both_read_the_same(values: list[float], data: st.DataObject) -> None:
    held = np.array(values)
    rows = np.array(sorted(data.draw(st.lists(st.integers(-1, len(values) - 1), min_size=1, max_size=60))))
    basis = np.array(data.draw(st.lists(st.sampled_from([1.0, 0.5, 0.1]), min_size=len(held), max_size=len(held))))
    at = data.draw(st.integers(-1, len(rows) - 1))
    ago = data.draw(st.integers(-50, -1))
    expected, read = (made(kind, held, at, rows, basis)[ago] for kind in (PythonReader, Reader))
    assert read == expected or (np.isnan(read) and np.isnan(expected))


@pytest.mark.skipif(not COMPILED, reason="no C compiler built it")
@pytest.mark.parametrize(
    ("data", "rows"),
    [(VALUES.astype(np.float32), None), (VALUES[::2], None), (VALUES.reshape(1, -1), None), (VALUES, ROWS * 1.0)],
)
def test_the_compiled_one_takes_nothing_else(data: NDArray[np.float64], rows: object) -> None:
    with pytest.raises((TypeError, BufferError, ValueError)):
        made(Reader, data, 0, rows)


@pytest.mark.skipif(not COMPILED, reason="no C compiler built it")
def test_the_compiled_one_never_reads_outside_its_data() -> None:
    with pytest.raises(IndexError):
        made(Reader, VALUES, len(VALUES))[-1]
    with pytest.raises(IndexError):
        made(Reader, VALUES, 9, ROWS)[-1]
    with pytest.raises(IndexError):
        made(Reader, VALUES, 3, np.array([0, 0, 0, 99]))[-1]
    bare = type("Bare", (Reader,), {"__init__": lambda self: None})()
    with pytest.raises(RuntimeError, match="without data"):
        bare[-1]


@pytest.mark.parametrize("kind", CURSORS)
def test_a_walk_moves_the_cursor_until_something_is_asked(kind: type) -> None:
    cursor = kind()
    asked: list[str] = []
    seen: list[int] = []
    assert cursor.at == -1
    for _ in cursor.walk(2, 9, asked):
        seen.append(cursor.at)
        if cursor.at == 5:
            asked.append("an order")
    assert (seen, cursor.at) == ([2, 3, 4, 5], 5)
    assert (list(cursor.walk(6, 9, asked)), cursor.at) == ([], 5)
    asked.clear()
    assert (len(list(cursor.walk(6, 9, asked))), cursor.at) == (3, 8)
    assert (list(cursor.walk(9, 9, asked)), list(cursor.walk(9, 4, asked)), cursor.at) == ([], [], 8)


@pytest.mark.parametrize("kind", CURSORS)
def test_a_walk_survives_its_cursor(kind: type) -> None:
    walk = kind(0).walk(1, 3, [])
    assert list(walk) == [None, None]
    assert list(walk) == []


@pytest.mark.skipif(not COMPILED, reason="no C compiler built it")
def test_the_compiled_cursor_takes_nothing_else() -> None:
    cursor = Cursor(3)
    wrong: list[Any] = [(1, 2), (1, 2, ()), ("1", 2, []), (1, 2**70, [])]
    for bad in wrong:
        with pytest.raises((TypeError, OverflowError)):
            cursor.walk(*bad)
    with pytest.raises(TypeError):
        cursor.at = "1"  # type: ignore[assignment]
    with pytest.raises(TypeError):
        made(Reader, VALUES, [3])  # type: ignore[arg-type]
