"""Tables from text and Parquet, with polars. Text stays text until a column is asked for as numbers."""

import io
import os
from typing import Any

import msgspec

from manjha.adapters.formats.sketch import HEAD_BYTES, Sketch, is_parquet, sketch_of, tokens
from manjha.domain.errors import DataError

# Kite dumps that went through pandas carry the zone "+05:30", which polars refuses to read unless told otherwise.
os.environ.setdefault("POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "1")

import polars as pl  # after the setting above, which polars reads once

FILE_BYTES_MAX = 2 * 1024**3
"""Largest table taken: a year of one-second ticks of one share is below 200 MB."""
LINE_MAX = 200
"""Characters of a bad row that are kept for the report."""


class Table(msgspec.Struct, frozen=True):
    """A file's rows by token, in file order, and what its head says. `row` is a 1-based column of row numbers."""

    sketch: Sketch
    frame: Any

    @property
    def rows(self) -> int:
        """How many rows of data there are."""
        return int(self.frame.height)

    def has(self, *names: str) -> bool:
        """Tell whether all these columns are there."""
        return self.sketch.has(*names)

    def any_of(self, *names: str) -> str:
        """Return the first of these columns that is there, "" if none is."""
        return next((name for name in names if name in self.sketch.columns), "")

    def text(self, name: str) -> pl.Series:
        """Return a column as text without blanks around it; missing is ""."""
        column: pl.Series = self.frame[name]
        if column.dtype != pl.String:
            column = column.cast(pl.String)
        return column.fill_null("").str.strip_chars(" \t\r\ufeff")

    def number(self, name: str) -> pl.Series:
        """Return a column as float64; what is no finite number is null. Thousands separators are taken out."""
        column: pl.Series = self.frame[name]
        if column.dtype == pl.String:
            column = _without_thousands(column.str.strip_chars(" \t\r"))
        numbers = column.cast(pl.Float64, strict=False)
        return numbers.set(~numbers.is_finite(), None).alias(name)

    def require(self, *names: str) -> None:
        """Raise `DataError` naming the columns that are not there."""
        missing = [name for name in names if name not in self.sketch.columns]
        if missing:
            raise DataError(
                f"columns missing: {', '.join(missing)}; found {', '.join(self.sketch.columns) or 'none'}",
                hint="Names are compared in lower case without blanks and signs.",
            )

    def line(self, row: int) -> str:
        """Return a row as it stood, cells joined by commas, cut to a line. Rows count from 1."""
        cells = self.frame.row(row - 1)
        return ",".join("" if cell is None else str(cell).strip() for cell in cells)[:LINE_MAX]


_THOUSANDS = r"^-?\d{1,3}(,\d{2,3})*,\d{3}(\.\d+)?$"


def _without_thousands(column: pl.Series) -> pl.Series:
    """Take separators out of "1,23,456.78"; a decimal comma ("1234,55") stays and is no number."""
    if not column.str.contains(",", literal=True).any():
        return column
    plain = (
        pl.when(column.str.contains(_THOUSANDS)).then(column.str.replace_all(",", "", literal=True)).otherwise(column)
    )
    return pl.select(plain).to_series()


def read_table(data: bytes, file: str) -> Table:
    """Read delimited text or Parquet whole.

    Raises
    ------
    DataError
        It cannot be read, is too large, or has no rows.
    """
    if len(data) > FILE_BYTES_MAX:
        raise DataError(f"{file}: {len(data)} bytes, at most {FILE_BYTES_MAX} are taken", hint="Split the file.")
    table = _read_parquet(data, file) if is_parquet(data) else _read_text(data, file)
    if not table.rows:
        raise DataError(f"{file}: no rows, only a header", hint="Nothing to import: check the download.")
    return table


def _read_text(data: bytes, file: str) -> Table:
    sketch = sketch_of(data[:HEAD_BYTES])
    if not sketch.columns:
        raise DataError(f"{file}: expected a table of text, found none", hint="Give a CSV or Parquet file.")
    schema = dict.fromkeys(sketch.columns, pl.String)
    # polars takes an empty first line for a row without columns.
    parts = data.split(b"\n", sketch.header_lines)
    body = parts[-1].lstrip(b"\r\n") if len(parts) > sketch.header_lines else b""

    def read() -> pl.DataFrame:
        return pl.read_csv(
            io.BytesIO(body),
            has_header=False,
            schema=schema,
            separator=sketch.delimiter,
            truncate_ragged_lines=True,
            encoding="utf8-lossy",
            raise_if_empty=False,
            missing_columns="insert",
        )

    frame = _guarded(read, file)
    return Table(sketch, frame.filter(~pl.all_horizontal(pl.all().is_null())))


def _read_parquet(data: bytes, file: str) -> Table:
    frame = _guarded(lambda: pl.read_parquet(io.BytesIO(data)), file)
    columns = tokens(frame.columns)
    frame = frame.rename(dict(zip(frame.columns, columns, strict=True)))
    first = frame.row(0) if frame.height else ()
    texts = {name: "" if cell is None else str(cell) for name, cell in zip(columns, first, strict=False)}
    return Table(Sketch(columns, texts), frame)


def _guarded(read: Any, file: str) -> pl.DataFrame:
    """Read, and turn what polars raises on damaged bytes (a panic is no `Exception`) into a `DataError`."""
    try:
        frame: pl.DataFrame = read()
    except (pl.exceptions.PolarsError, OSError, ValueError, OverflowError) as error:
        first = str(error).strip().split("\n")[0]
        raise DataError(f"{file}: cannot be read as a table: {first}", hint="Check the file; it may be cut.") from None
    except pl.exceptions.PanicException as error:
        raise DataError(f"{file}: damaged: {error}", hint="Download the file again.") from None
    return frame
