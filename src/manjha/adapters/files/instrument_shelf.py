"""Instruments of one exchange, or of one exchange and expiry month, with their dated versions: one Parquet file."""

import io
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from manjha.adapters.files.durable import write_whole
from manjha.domain.errors import DataError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TradingDay, date_from_day


class Version(NamedTuple):
    """An instrument as it was seen from a day to a day; it holds until the next version begins."""

    first: TradingDay
    last: TradingDay
    instrument: Instrument


_FIELDS = tuple(field.name for field in msgspec.structs.fields(Instrument))
_NUMBERS = ("tick", "lot", "freeze", "multiplier", "expiry", "strike")
_TYPES = dict.fromkeys(_NUMBERS, pl.Int64()) | {"has_derivatives": pl.Boolean()}
_SCHEMA = pl.Schema(
    {"from_day": pl.Int64(), "to_day": pl.Int64()} | {name: _TYPES.get(name, pl.String()) for name in _FIELDS}
)
# A source that does not know one of these leaves it empty, which is no news.
_MAY_BE_UNKNOWN = ("isin", "series", "name", "underlying", "freeze", "has_derivatives")


def shelf_name(instrument: Instrument) -> str:
    """Return the name of the file that an instrument's versions lie in."""
    if instrument.expiry is None:
        return str(instrument.exchange)
    return f"{instrument.exchange}-{date_from_day(instrument.expiry):%Y-%m}"


def shelf_name_of(instrument: InstrumentId) -> str:
    """Return the same by the id alone."""
    exchange, *rest = instrument.split(":")
    return exchange if len(rest) == 1 else f"{exchange}-{rest[1][:7]}"


class Shelf:
    """The versions of each instrument in one file, in memory."""

    def __init__(self, versions: dict[InstrumentId, list[Version]]) -> None:
        self.versions = versions
        self._by_symbol: dict[str, list[InstrumentId]] | None = None

    def by_symbol(self, symbol: str) -> list[InstrumentId]:
        """Return who goes or went by a symbol in capitals; who goes by it now comes first."""
        ids = [name for name in self._symbols().get(symbol, ()) if name in self.versions]
        return sorted(ids, key=lambda name: self.versions[name][-1].instrument.symbol.upper() != symbol)

    def symbols(self) -> Iterable[str]:
        """Return all symbols in capitals."""
        return self._symbols().keys()

    def _symbols(self) -> dict[str, list[InstrumentId]]:
        if self._by_symbol is None:
            self._by_symbol = {}
            for versions in self.versions.values():
                for version in versions:
                    self._name(version.instrument, self._by_symbol)
        return self._by_symbol

    def _name(self, instrument: Instrument, symbols: dict[str, list[InstrumentId]]) -> None:
        ids = symbols.setdefault(instrument.symbol.upper(), [])
        if instrument.id not in ids:
            ids.append(instrument.id)

    def put(self, instrument: Instrument, day: TradingDay) -> bool:
        """Record an instrument as seen on a day; tells whether that was news."""
        versions = self.versions.get(instrument.id, [])
        settled = settle(versions, instrument, day)
        if settled == versions:
            return False
        self.versions[instrument.id] = settled
        if self._by_symbol is not None:
            self._name(instrument, self._by_symbol)
        return True


def settle(versions: list[Version], offered: Instrument, day: TradingDay) -> list[Version]:
    """Return versions with what was seen on a day taken in, in whatever order the days come.

    What agrees with the version in force adds at most what was not known; what differs begins a version of its own, or
    splits one that was seen before and after. Of two accounts of one day the later import counts.
    """
    at = bisect_right(versions, day, key=lambda version: version.first) - 1
    before, after = versions[: max(at, 0)], versions[at + 1 :]
    if at >= 0:
        known = versions[at]
        full, enriched = _filled(offered, known.instrument), _filled(known.instrument, offered)
        if _alike(full, enriched):
            latest = full if day >= known.last else enriched
            return [*before, Version(known.first, max(known.last, day), latest), *after]
        if day <= known.last:
            return [*before, *_split(known, day, full), *after]
        before, offered = [*before, known], full
    if after and _alike(_filled(offered, after[0].instrument), after[0].instrument):
        return [*before, after[0]._replace(first=day), *after[1:]]
    return [*before, Version(day, day, offered), *after]


def in_force(versions: list[Version], day: TradingDay | None) -> Instrument:
    """Return the version of a day: the latest for None, the first for a day before all."""
    if day is None:
        return versions[-1].instrument
    return versions[max(bisect_right(versions, day, key=lambda version: version.first) - 1, 0)].instrument


def read_shelf(path: Path) -> Shelf:
    """Read a file; none there is an empty shelf. Raises `DataError` for one that something else has changed."""
    if not path.exists():
        return Shelf({})
    try:
        frame = pl.read_parquet(path)
        instruments = msgspec.convert(frame.drop("from_day", "to_day").to_dicts(), list[Instrument])
    except (pl.exceptions.PolarsError, msgspec.ValidationError) as error:
        raise damaged(path, error) from error
    versions: dict[InstrumentId, list[Version]] = {}
    for first, last, instrument in zip(frame["from_day"], frame["to_day"], instruments, strict=True):
        versions.setdefault(instrument.id, []).append(Version(first, last, instrument))
    return Shelf(versions)


def damaged(path: Path, error: Exception) -> DataError:
    """Return the error that names a file of instruments which cannot be read."""
    first = str(error).strip().split("\n")[0]
    return DataError(
        f"the instruments in {path} cannot be read: {first}",
        hint="Restore it from a copy, or move it away and import again the files that named its instruments.",
    )


def write_shelf(path: Path, shelf: Shelf) -> None:
    """Write a file whole, instruments by id and versions by day."""
    versions = [version for name in sorted(shelf.versions) for version in shelf.versions[name]]
    columns: dict[str, list[object]] = {
        "from_day": [version.first for version in versions],
        "to_day": [version.last for version in versions],
    }
    for field in _FIELDS:
        values = [getattr(version.instrument, field) for version in versions]
        columns[field] = [None if v is None else str(v) for v in values] if _SCHEMA[field] == pl.String else values
    sink = io.BytesIO()
    pl.DataFrame(columns, schema=_SCHEMA).write_parquet(sink, compression="zstd", compression_level=3)
    write_whole(path, sink.getvalue())


def _filled(instrument: Instrument, other: Instrument) -> Instrument:
    missing = {
        field: getattr(other, field)
        for field in _MAY_BE_UNKNOWN
        if not getattr(instrument, field) and getattr(other, field)
    }
    return msgspec.structs.replace(instrument, **missing) if missing else instrument


def _alike(one: Instrument, other: Instrument) -> bool:
    # A fuller name is the same name: it is kept up to date without making a version.
    return one == other or msgspec.structs.replace(other, name=one.name) == one


def _split(known: Version, day: TradingDay, other: Instrument) -> list[Version]:
    """Put a day with another account inside a version; the days around it keep theirs."""
    parts = [Version(day, day, other)]
    if known.first < day:
        parts.insert(0, known._replace(last=TradingDay(day - 1)))
    if day < known.last:
        parts.append(known._replace(first=TradingDay(day + 1)))
    return parts
