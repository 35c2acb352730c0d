"""Instruments of one exchange, or of one exchange and expiry month, with their dated versions: one Parquet file."""

import io
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path

import msgspec
import polars as pl

from manjha.adapters.files.durable import write_whole
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TradingDay, date_from_day

Version = tuple[TradingDay, Instrument]
"""An instrument as it was from a day on."""

_FIELDS = tuple(field.name for field in msgspec.structs.fields(Instrument))
_NUMBERS = ("tick", "lot", "freeze", "multiplier", "expiry", "strike")
_TYPES = dict.fromkeys(_NUMBERS, pl.Int64()) | {"has_derivatives": pl.Boolean()}
_SCHEMA = pl.Schema({"from_day": pl.Int64()} | {name: _TYPES.get(name, pl.String()) for name in _FIELDS})
# A source that does not know one of these leaves it empty, which is no news.
_MAY_BE_UNKNOWN = ("isin", "series", "name", "underlying", "freeze", "has_derivatives")
# A fuller name is the same name: these fields are kept up to date without making a version.
_NO_VERSION = ("name", "series")


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
        if self._by_symbol is None:
            now: dict[str, list[InstrumentId]] = {}
            once: dict[str, list[InstrumentId]] = {}
            for name, versions in self.versions.items():
                latest = versions[-1][1].symbol.upper()
                now.setdefault(latest, []).append(name)
                for former in {version.symbol.upper() for _, version in versions} - {latest}:
                    once.setdefault(former, []).append(name)
            self._by_symbol = {name: now.get(name, []) + once.get(name, []) for name in now.keys() | once.keys()}
        return self._by_symbol.get(symbol, [])

    def symbols(self) -> Iterable[str]:
        """Return all symbols in capitals."""
        self.by_symbol("")
        return (self._by_symbol or {}).keys()

    def put(self, instrument: Instrument, day: TradingDay) -> bool:
        """Record an instrument as seen on a day; tells whether that was news."""
        versions = self.versions.get(instrument.id, [])
        settled = settle(versions, instrument, day)
        if settled == versions:
            return False
        self.versions[instrument.id] = settled
        self._by_symbol = None
        return True


def settle(versions: list[Version], offered: Instrument, day: TradingDay) -> list[Version]:
    """Return versions with what was seen on a day taken in.

    What agrees with the version in force adds at most what was not known; what differs begins a version of its own. The
    same seen earlier moves a version's first day back. Of two accounts of one day the later import counts.
    """
    at = bisect_right(versions, day, key=lambda version: version[0]) - 1
    known = versions[max(at, 0)] if versions else None
    if known is None:
        return [(day, offered)]
    since, before = known
    full, enriched = _filled(offered, before), _filled(before, offered)
    if _alike(full, enriched):
        latest = full if day >= since else enriched
        return [*versions[: max(at, 0)], (min(day, since), latest), *versions[max(at, 0) + 1 :]]
    rest = versions[at + 1 :]
    if rest and _alike(rest[0][1], full):
        rest = rest[1:]
    kept = versions[: at + 1] if since != day else versions[:at]
    return [*kept, (day, full), *rest]


def in_force(versions: list[Version], day: TradingDay | None) -> Instrument:
    """Return the version of a day: the latest for None, the first for a day before all."""
    if day is None:
        return versions[-1][1]
    return versions[max(bisect_right(versions, day, key=lambda version: version[0]) - 1, 0)][1]


def read_shelf(path: Path) -> Shelf:
    """Read a file; none there is an empty shelf."""
    if not path.exists():
        return Shelf({})
    frame = pl.read_parquet(path)
    instruments = msgspec.convert(frame.drop("from_day").to_dicts(), list[Instrument])
    versions: dict[InstrumentId, list[Version]] = {}
    for day, instrument in zip(frame["from_day"].to_list(), instruments, strict=True):
        versions.setdefault(instrument.id, []).append((day, instrument))
    return Shelf(versions)


def write_shelf(path: Path, shelf: Shelf) -> None:
    """Write a file whole, instruments by id and versions by day."""
    pairs = [pair for name in sorted(shelf.versions) for pair in shelf.versions[name]]
    columns: dict[str, list[object]] = {"from_day": [day for day, _ in pairs]}
    for field in _FIELDS:
        values = [getattr(instrument, field) for _, instrument in pairs]
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
    if one == other:
        return True
    same = {field: getattr(one, field) for field in _NO_VERSION}
    return one == msgspec.structs.replace(other, **same)
