"""The instrument book: every instrument that was ever seen, as of each day, and the names it goes by."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import polars as pl

from manjha.adapters.files.durable import exclusive, write_whole
from manjha.adapters.files.instrument_shelf import (
    Shelf,
    damaged,
    in_force,
    read_shelf,
    shelf_name,
    shelf_name_of,
    write_shelf,
)
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Exchange, Instrument, InstrumentId, Kind, cash_id
from manjha.domain.moments import TradingDay

SEARCH_ORDER = (Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO, Exchange.MCX, Exchange.CDS, Exchange.BCD)
"""Where a bare symbol is looked for, in this order."""

_ISSUER = 9
# The first nine characters of an ISIN name issuer and kind of security; the rest changes with the face value.
_CLOSE_NAMES = 3


class InstrumentBook:
    """Implements the `InstrumentSource` port under one folder.

    An instrument keeps the id that it was first known by with an ISIN. Joined to it are: its id by symbol (from sources
    that give no ISIN), and ids by a further ISIN of the same issuer and symbol (a split changes the ISIN).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shelves: dict[str, tuple[int, Shelf]] = {}
        self._joins: tuple[int, dict[InstrumentId, InstrumentId]] = (-1, {})

    def get(self, instrument: InstrumentId, day: TradingDay | None = None) -> Instrument:
        """Return an instrument as of a day; see the port."""
        found = self.known(instrument, day)
        if found is None:
            raise self._unknown(instrument)
        return found

    def known(self, instrument: InstrumentId, day: TradingDay | None) -> Instrument | None:
        """Return an instrument by its id as of a day, or None."""
        canonical = self.joins().get(instrument, instrument)
        if ":" not in canonical or "/" in canonical:
            return None
        versions = self._shelf(shelf_name_of(canonical)).versions.get(canonical)
        return in_force(versions, day) if versions else None

    def find(self, name: str, day: TradingDay | None = None) -> Instrument:
        """Resolve what people type, in capitals or not; a bare symbol is looked for on NSE first. See the port."""
        typed = " ".join(name.split())
        exact = self.known(InstrumentId(typed), day)
        if exact is not None:
            return exact
        wanted = typed.upper()
        exchange, colon, symbol = wanted.partition(":")
        if not colon:
            exchange, symbol = "", wanted
        for place in SEARCH_ORDER:
            if exchange in ("", place):
                found = self.known(InstrumentId(f"{place}:{symbol}"), day) or self._by_symbol(place, symbol, day)
                if found is not None:
                    return found
        raise self._unknown(name)

    def put(self, instruments: Sequence[Instrument], day: TradingDay) -> int:
        """Record instruments as seen on a day; see the port."""
        with exclusive(self._folder / "lock"):
            joins = dict(self.joins())
            shelves: dict[str, Shelf] = {}
            changed: set[str] = set()
            try:
                news = self._take(instruments, day, joins, shelves, changed)
                for name in sorted(changed):
                    path = self._folder / f"{name}.parquet"
                    write_shelf(path, shelves[name])
                    self._shelves[name] = (_stamp(path), shelves[name])
            except BaseException:
                # What is in memory may be ahead of the files.
                self._shelves.clear()
                raise
            if joins != self.joins():
                write_whole(self._joins_path, msgspec.json.encode(joins, order="sorted"))
        return news

    def _take(
        self,
        instruments: Sequence[Instrument],
        day: TradingDay,
        joins: dict[InstrumentId, InstrumentId],
        shelves: dict[str, Shelf],
        changed: set[str],
    ) -> int:
        news = 0
        for offered in instruments:
            name = shelf_name(offered)
            if name not in shelves:
                shelves[name] = self._shelf(name)
            known = len(joins)
            instrument = _joined(offered, shelves[name], joins) if offered.expiry is None else offered
            is_news = shelves[name].put(instrument, day)
            news += is_news
            if is_news or len(joins) != known:
                changed.add(name)
        return news

    def all(self) -> list[Instrument]:
        """Return every instrument in its latest form; see the port."""
        found: list[Instrument] = []
        for path in sorted(self._folder.glob("*.parquet")):
            found.extend(versions[-1].instrument for versions in self._shelf(path.stem).versions.values())
        return found

    def joins(self) -> Mapping[InstrumentId, InstrumentId]:
        """Return ids that were joined to others; see the port."""
        stamp = _stamp(self._joins_path)
        if self._joins[0] != stamp:
            try:
                joined = msgspec.json.decode(self._joins_path.read_bytes(), type=dict[str, str]) if stamp else {}
            except msgspec.DecodeError as error:
                raise damaged(self._joins_path, error) from error
            self._joins = (stamp, {InstrumentId(old): InstrumentId(new) for old, new in joined.items()})
        return self._joins[1]

    @property
    def _joins_path(self) -> Path:
        return self._folder / "joins.json"

    def _by_symbol(self, exchange: Exchange, symbol: str, day: TradingDay | None) -> Instrument | None:
        shelf = self._shelf(str(exchange))
        ids = shelf.by_symbol(symbol) or self._contracts(exchange, symbol)
        found = [self.get(name, day) for name in ids]
        # Who goes by the symbol that day comes first, then shares before an index of the same name.
        found.sort(key=lambda one: (one.symbol.upper() != symbol, one.kind is Kind.INDEX))
        return found[0] if found else None

    def _contracts(self, exchange: Exchange, symbol: str) -> list[InstrumentId]:
        """Look for a contract in all months at once, without making objects of a million contracts."""
        paths = sorted(self._folder.glob(f"{exchange}-*.parquet"))
        if not paths:
            return []
        same = pl.col("symbol").str.to_uppercase() == symbol
        try:
            ids = pl.scan_parquet(paths).filter(same).select(pl.col("id").unique().sort(descending=True)).collect()
        except pl.exceptions.PolarsError as error:
            raise damaged(self._folder, error) from error
        return [InstrumentId(name) for name in ids["id"].to_list()]

    def _shelf(self, name: str) -> Shelf:
        path = self._folder / f"{name}.parquet"
        stamp = _stamp(path)
        cached = self._shelves.get(name)
        if cached is None or cached[0] != stamp:
            cached = self._shelves[name] = (stamp, read_shelf(path))
        return cached[1]

    def _unknown(self, name: str) -> UsageError:
        exchange, _, symbol = name.upper().rpartition(":")
        known = {
            symbol_there: f"{place}:{symbol_there}"
            for place in reversed(SEARCH_ORDER)
            if exchange in ("", place)
            for symbol_there in self._shelf(str(place)).symbols()
        }
        close = [known[one] for one in difflib.get_close_matches(symbol, known, _CLOSE_NAMES)]
        hint = f"Did you mean {' or '.join(close)}?" if close else ""
        if not known:
            hint = "No instruments are known yet: `manjha data import PATH` takes them from what it reads."
        elif not close:
            hint = "`manjha data list` shows what is stored; `manjha data import PATH` adds to it."
        return UsageError(f"unknown instrument {name!r}", hint=hint)


def _joined(offered: Instrument, shelf: Shelf, joins: dict[InstrumentId, InstrumentId]) -> Instrument:
    """Return a cash instrument under the id that it is known by, and take down what was found to be the same."""
    if offered.kind is Kind.INDEX:
        return offered
    by_symbol = cash_id(offered.exchange, offered.symbol)
    canonical = joins.get(offered.id) or _same(offered, shelf)
    if canonical is not None and canonical != offered.id:
        joins[offered.id] = canonical
        offered = msgspec.structs.replace(offered, id=canonical)
    if offered.isin and offered.id != by_symbol and by_symbol in shelf.versions:
        for former in shelf.versions.pop(by_symbol):
            renamed = msgspec.structs.replace(former.instrument, id=offered.id, isin=offered.isin)
            shelf.put(renamed, former.first)
            shelf.put(renamed, former.last)
        joins[by_symbol] = offered.id
        for old, new in joins.items():
            if new == by_symbol:
                joins[old] = offered.id
    return offered


def _same(offered: Instrument, shelf: Shelf) -> InstrumentId | None:
    """Return the id of an instrument known to be the offered one, if any other is."""
    if offered.id in shelf.versions:
        return None
    for name in shelf.by_symbol(offered.symbol.upper()):
        known = shelf.versions[name][-1].instrument
        if known.kind is Kind.INDEX or not known.isin:
            continue
        if not offered.isin or known.isin[:_ISSUER] == offered.isin[:_ISSUER]:
            return name
    return None


def _stamp(path: Path) -> int:
    """Return what changes when a file is replaced; 0 where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0
    return hash((status.st_mtime_ns, status.st_ino, status.st_size)) | 1
