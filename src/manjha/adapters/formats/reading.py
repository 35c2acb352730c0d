"""What a reader of one format is given, and how its answer is put together."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import polars as pl

from manjha.adapters.formats.quarantine import Findings
from manjha.adapters.formats.sessions import SessionClock, regular_session
from manjha.adapters.formats.sketch import HEAD_BYTES, Sketch, is_parquet, sketch_of
from manjha.adapters.formats.tabular import Table, read_table
from manjha.domain.actions import CorporateAction
from manjha.domain.errors import DataError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import TradingDay
from manjha.ports.market_data import BarBatch, Imported, ImportHints


class Reading(msgspec.Struct, frozen=True):
    """One file on its way in: its table, what the user said, who knows the hours, what is found wrong."""

    format: str
    file: str
    table: Table
    hints: ImportHints
    clock: SessionClock
    findings: Findings

    def imported(
        self,
        batches: Sequence[BarBatch],
        instruments: Sequence[Instrument],
        *,
        adjustment: str = "raw",
        actions: Sequence[CorporateAction] = (),
        day: TradingDay | None = None,
    ) -> Imported:
        """Put the answer together."""
        quarantined = self.findings.result()
        return Imported(
            format=self.format,
            adjustment=adjustment,
            batches=tuple(batches),
            instruments=tuple(instruments),
            actions=tuple(actions),
            quarantined=quarantined,
            rows=self.table.rows,
            notes=tuple(self.findings.notes),
            bad_rows=self.findings.count,
            day=day,
        )


class TableFormat(msgspec.Struct, frozen=True):
    """A format of columns: text or the same columns in Parquet."""

    name: str
    recognise: Callable[[Sketch], bool]
    read_rows: Callable[[Reading], Imported]
    clock: SessionClock = regular_session

    def matches(self, head: bytes) -> bool:
        """Tell by the header and the first row. Parquet has its columns at the end: `registry.Parquet` looks there."""
        return not is_parquet(head) and self.recognise(sketch_of(head[:HEAD_BYTES]))

    def read(self, data: bytes, file: str, hints: ImportHints) -> Imported:
        """Read a whole file. Raises `DataError`."""
        return self.read_table(read_table(data, file), file, hints)

    def read_table(self, table: Table, file: str, hints: ImportHints) -> Imported:
        """Read rows that are already a table. Raises `DataError`."""
        reading = Reading(self.name, file, table, hints, self.clock, Findings(table, file))
        with honest_errors(file, self.name):
            return self.read_rows(reading)


@contextmanager
def honest_errors(file: str, name: str) -> Iterator[None]:
    """Turn what polars raises on cells that nobody foresaw into a `DataError`; nothing is half done here."""
    try:
        yield
    except pl.exceptions.ColumnNotFoundError as error:
        column = str(error).split("\n")[0].removesuffix(" not found").strip('"')
        raise DataError(
            f"{file}: no {name}: the column {column} is missing",
            hint="Leave --format out, or compare the header with docs/formats.md.",
        ) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OverflowError) as error:
        first = str(error).split("\n")[0]
        raise DataError(f"{file}: cannot be read as {name}: {first}", hint="Check the file; it may be cut.") from error


def numbered(table: Table, columns: dict[str, pl.Series]) -> pl.DataFrame:
    """Return columns as a frame with `row` from 1."""
    return pl.DataFrame(columns).with_columns(row=pl.int_range(1, table.rows + 1, dtype=pl.Int64))


def values(table: Table, names: dict[str, str]) -> dict[str, pl.Series]:
    """Return number columns by our names; a name mapped to "" or to an absent column gives zeros."""
    zeros = pl.zeros(table.rows, dtype=pl.Float64, eager=True)
    return {ours: table.number(theirs) if theirs and table.has(theirs) else zeros for ours, theirs in names.items()}
