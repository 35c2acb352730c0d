"""JSON replies as tables: a list of rows or columns under our tokens."""

from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl

from manjha.adapters.formats.sketch import Sketch
from manjha.adapters.formats.tabular import FILE_BYTES_MAX, Table
from manjha.domain.errors import DataError

NOTHING = "Nothing to import: check the dates asked for."


def parse(data: bytes, file: str) -> Any:
    """Parse JSON. Raises `DataError`."""
    if len(data) > FILE_BYTES_MAX:
        raise DataError(f"{file}: {len(data)} bytes, at most {FILE_BYTES_MAX} are taken", hint="Split the file.")
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise DataError(f"{file}: no valid JSON: {error}", hint="The file may be cut; download it again.") from None


def at(value: Any, *path: str | int) -> Any:
    """Return what lies at a path of keys and places, None where it ends early."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def table_of_rows(rows: Any, names: Sequence[str], file: str) -> Table:
    """Return a list of lists as a table; rows may be shorter than the names. Raises `DataError`."""
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise DataError(f"{file}: expected rows of {', '.join(names)}, found none")
    if not rows:
        raise DataError(f"{file}: no rows, an empty list", hint=NOTHING)
    width = max((len(row) for row in rows), default=0)
    used = names[:width]
    return table_of_columns({name: [_at(row, place) for row in rows] for place, name in enumerate(used)}, file)


def table_of_columns(columns: dict[str, Any], file: str) -> Table:
    """Return lists of equal length as a table of text and numbers. Raises `DataError`."""
    lengths = {len(values) for values in columns.values() if isinstance(values, list)}
    if len(lengths) != 1 or not all(isinstance(values, list) for values in columns.values()):
        raise DataError(f"{file}: expected lists of equal length, found lengths {sorted(lengths)}")
    if lengths == {0}:
        raise DataError(f"{file}: no rows, an empty list", hint=NOTHING)
    frame = pl.DataFrame({name: _column(name, values) for name, values in columns.items()})
    return Table(Sketch(tuple(columns)), frame)


def _at(row: list[Any], place: int) -> Any:
    return row[place] if place < len(row) else None


def _column(name: str, values: list[Any]) -> pl.Series:
    if any(isinstance(value, str) for value in values):
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
    numbers = [value if type(value) in (int, float) else None for value in values]
    return pl.Series(name, [None if value is None else float(value) for value in numbers], dtype=pl.Float64)
