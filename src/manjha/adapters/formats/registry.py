"""All formats, in the order in which they are tried, and the one way in for bytes."""

import codecs
import difflib

import msgspec

from manjha.adapters.formats import (
    action_table,
    bse,
    generic,
    kite,
    mcx,
    nse_cash,
    nse_fno,
    nse_history,
    nse_indices,
    ticks,
    yahoo,
)
from manjha.adapters.formats.reading import TableFormat
from manjha.adapters.formats.sessions import SessionClock, regular_session
from manjha.adapters.formats.sketch import HEAD_BYTES, Sketch, is_parquet, sketch_of
from manjha.adapters.formats.tabular import read_table
from manjha.domain.errors import DataError, UsageError
from manjha.ports.market_data import Imported, ImportFormat, ImportHints

_TABLES: tuple[TableFormat, ...] = (
    *action_table.FORMATS,
    *nse_cash.FORMATS,
    *nse_fno.FORMATS,
    *nse_indices.FORMATS,
    *bse.FORMATS,
    *mcx.FORMATS,
    *kite.FORMATS,
    *yahoo.FORMATS,
    *nse_history.FORMATS,
    *generic.FORMATS,
    *ticks.FORMATS,
)
_JSON = (*kite.JSON, *yahoo.JSON)


class Parquet(msgspec.Struct, frozen=True):
    """Any table format inside Parquet: the columns stand at the end of the file, so it is read to tell which."""

    tables: tuple[TableFormat, ...]
    name: str = "parquet"

    def matches(self, head: bytes) -> bool:
        """Tell by the first four bytes."""
        return is_parquet(head)

    def read(self, data: bytes, file: str, hints: ImportHints) -> Imported:
        """Read it as the first table format that knows its columns. Raises `DataError`."""
        table = read_table(data, file)
        for one in self.tables:
            if one.recognise(table.sketch):
                return one.read_table(table, file, hints)
        raise _unknown(file, table.sketch)


def all_formats(clock: SessionClock = regular_session) -> tuple[ImportFormat, ...]:
    """Return every format in detection order, with sessions from `clock`."""
    tables = tuple(msgspec.structs.replace(one, clock=clock) for one in _TABLES)
    replies = tuple(msgspec.structs.replace(one, clock=clock) for one in _JSON)
    return (*tables, *replies, Parquet(tables))


FORMATS: tuple[ImportFormat, ...] = all_formats()


def detect(head: bytes, formats: tuple[ImportFormat, ...] = FORMATS, *, file: str = "the file") -> ImportFormat:
    """Return the format of a file's first bytes (decompressed). Raises `DataError` if there is none."""
    found = next((one for one in formats if one.matches(head[:HEAD_BYTES])), None)
    if found is None:
        if head.startswith(_ARCHIVES):
            raise DataError(
                f"{file}: an archive that cannot be opened: damaged or encrypted", hint="Download it again."
            )
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            raise DataError(f"{file}: a web page, no data", hint="Download the file again, in a browser if need be.")
        raise _unknown(file, sketch_of(head[:HEAD_BYTES]))
    return found


_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b")


def by_name(name: str, formats: tuple[ImportFormat, ...] = FORMATS) -> ImportFormat:
    """Return the format that `--format` names. Raises `UsageError` listing all."""
    found = next((one for one in formats if one.name == name), None)
    if found is None:
        names = [one.name for one in formats]
        close = difflib.get_close_matches(name, names, 3)
        hint = f"Did you mean {' or '.join(close)}? " if close else ""
        raise UsageError(f"unknown format {name!r}", hint=f"{hint}One of: {', '.join(names)}.")
    return found


def import_bytes(
    data: bytes, file: str, hints: ImportHints | None = None, *, clock: SessionClock = regular_session
) -> Imported:
    """Read a decompressed file of any format. Raises `DataError` or `UsageError`, nothing else."""
    hints = _checked(hints or ImportHints())
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = data.decode("utf-16", errors="replace").encode()
    formats = FORMATS if clock is regular_session else all_formats(clock)
    chosen = by_name(hints.format, formats) if hints.format else detect(data[:HEAD_BYTES], formats, file=file)
    return chosen.read(data, file, hints)


_WORDS = {"unit": ("rupees", "paise"), "stamps": ("open", "close"), "zone": ("IST", "UTC")}


def _checked(hints: ImportHints) -> ImportHints:
    """Raise `UsageError` for a word that is none: it must not count as left out."""
    hints = msgspec.structs.replace(hints, zone=hints.zone.upper())
    for name, words in _WORDS.items():
        given = getattr(hints, name)
        if given and given not in words:
            raise UsageError(f"--{name} {given!r} is not known", hint=f"Give --{name} {' or '.join(words)}.")
    return hints


def _unknown(file: str, sketch: Sketch) -> DataError:
    seen = f"columns {', '.join(sketch.columns)[:300]}" if sketch.columns else "no table and no JSON of a known kind"
    lacking = generic.missing(sketch)
    if 0 < len(lacking) <= _FEW:
        close = [near for name in lacking for near in difflib.get_close_matches(name, sketch.columns, 1)]
        likely = f" (is it {' and '.join(close)}?)" if close else ""
        return DataError(
            f"{file}: the format is not known; a table of bars without {', '.join(lacking)}; it has {seen}",
            hint=f"Call the missing column {' and '.join(lacking)}{likely}; docs/formats.md lists what else is read.",
        )
    return DataError(
        f"{file}: the format is not known; it has {seen}",
        hint="docs/formats.md lists what is read; a table needs a time, open, high, low, close. --format forces one.",
    )


_FEW = 2
# Columns that a table may lack and still be taken for one of bars.
