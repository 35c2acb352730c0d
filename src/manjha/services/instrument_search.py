"""Looks for instruments by part of their names, among hundreds of thousands, page by page."""

from bisect import bisect_right
from heapq import nsmallest
from typing import NamedTuple

import msgspec

from manjha.domain.instrument import Exchange, Instrument, InstrumentId, Kind
from manjha.domain.moments import SECOND_NS
from manjha.ports.clock import Clock
from manjha.ports.market_data import InstrumentSource

FRESH_NS = 2 * SECOND_NS
"""How long what was read is taken for the newest: an import shows after that."""


class Wanted(msgspec.Struct, frozen=True):
    """What is looked for: part of a symbol or a name, in any case; of an exchange and of a kind, or of all."""

    text: str = ""
    exchange: Exchange | None = None
    kind: Kind | None = None


class Rank(NamedTuple):
    """Where an instrument stands in the answer: whose symbol it is, whose begins with it, the others; then by id."""

    nearness: int
    id: str


class _Line(NamedTuple):
    symbol: str
    words: str
    instrument: Instrument


class InstrumentSearch:
    """Searches the instruments of a source. What it read it keeps for `FRESH_NS`."""

    def __init__(self, source: InstrumentSource, clock: Clock) -> None:
        self._source, self._clock = source, clock
        self._read_ns = -FRESH_NS
        self._ids: list[InstrumentId] = []
        self._lines: list[_Line] = []

    def page(self, wanted: Wanted, after: Rank | None, limit: int) -> tuple[list[Instrument], Rank | None]:
        """Return at most `limit` instruments that come after a place, and the place of the last; None at the end."""
        self._look()
        if not wanted.text:
            return self._plain(wanted, after, limit)
        text = wanted.text.strip().upper()
        found = (
            (rank, line.instrument)
            for line in self._lines
            if text in line.words and _is_of(line.instrument, wanted)
            for rank in (Rank(_nearness(line, text), line.instrument.id),)
            if after is None or rank > after
        )
        best = nsmallest(limit + 1, found, key=lambda one: one[0])
        last = best[limit - 1][0] if len(best) > limit else None
        return [instrument for _, instrument in best[:limit]], last

    def _plain(self, wanted: Wanted, after: Rank | None, limit: int) -> tuple[list[Instrument], Rank | None]:
        found: list[Instrument] = []
        for line in self._lines[bisect_right(self._ids, after.id) if after else 0 :]:
            if _is_of(line.instrument, wanted):
                if len(found) == limit:
                    return found, Rank(0, found[-1].id)
                found.append(line.instrument)
        return found, None

    def _look(self) -> None:
        now_ns = self._clock.now_ns()
        if 0 <= now_ns - self._read_ns < FRESH_NS:
            return
        known = sorted(self._source.all(), key=lambda one: one.id)
        self._lines = [_Line(one.symbol.upper(), f"{one.display}\n{one.name}".upper(), one) for one in known]
        self._ids = [one.id for one in known]
        self._read_ns = now_ns


def _is_of(one: Instrument, wanted: Wanted) -> bool:
    return wanted.exchange in (None, one.exchange) and wanted.kind in (None, one.kind)


def _nearness(line: _Line, text: str) -> int:
    if text in (line.symbol, line.instrument.display.upper()):
        return 0
    return 1 if line.symbol.startswith(text) else 2
