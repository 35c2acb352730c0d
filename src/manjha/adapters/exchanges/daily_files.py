"""History from an exchange: one file a trading day, with all instruments of a segment in it."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from manjha.domain.bars import DAY, format_interval
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import Exchange, Instrument, Kind
from manjha.domain.moments import TradingDay, day_of, format_day
from manjha.ports.clock import Clock
from manjha.ports.downloads import Downloads, Reply
from manjha.ports.market_data import Fetched, FetchRequest, ImportHints

SIZE_MAX = 512 * 1024 * 1024
"""Bytes that a daily file may unpack to."""
PAGES_MAX = 3
"""Web pages in a row, where files were asked for, after which the exchange is taken to turn us away."""
DAYS_BACK = 10
"""How far before a day its last published file is looked for: longer than any run of closed days."""
HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "*/*",
    "Accept-Language": "en-IN,en;q=0.9",
}
"""The exchanges answer browsers only (INDIAN_MARKETS section 7.1)."""

CASH, DERIVATIVES, INDICES = "cash", "derivatives", "indices"
Spans = Sequence[tuple[TradingDay, TradingDay]]


class Archive(msgspec.Struct, frozen=True):
    """Where an exchange keeps its files: by segment, a function from the day to paths, the best one first.

    `home` is the page that gives a visitor cookies, empty where none are needed. `exchanges` says which segment an
    exchange's instruments are in; indices are asked for where there is a segment of them.
    """

    name: str
    base: str
    home: str
    exchanges: Mapping[Exchange, str]
    paths: Mapping[str, Callable[[TradingDay], tuple[str, ...]]]


class DailyFiles:
    """Implements `ports.market_data.HistorySource`: each file is asked for once, however many instruments want it.

    A trading day without a file gives a piece without data and a note.
    """

    def __init__(
        self, archive: Archive, downloads: Downloads, is_trading_day: Callable[[TradingDay], bool], clock: Clock
    ) -> None:
        self._archive = archive
        self._downloads = downloads
        self._is_trading_day = is_trading_day
        self._clock = clock
        self._had: set[tuple[str, TradingDay]] = set()
        self._visited = not archive.home
        self._pages = 0

    @property
    def name(self) -> str:
        """Return the name that `--source` takes."""
        return self._archive.name

    @property
    def adjustment(self) -> str:
        """Return the state of adjustment of its bars."""
        return "raw"

    def plan(self, request: FetchRequest, missing: Spans) -> int:
        """Return how many days' files are wanted. Raises `UsageError` for what the exchange does not publish."""
        segment = self._segment(request)
        return sum((segment, day) not in self._had for day in self._days(missing))

    def fetch(self, request: FetchRequest, missing: Spans) -> Iterator[Fetched]:
        """Yield each day's file. Raises `UsageError` for what the exchange does not publish, else `SourceError`."""
        segment = self._segment(request)
        for day in self._days(missing):
            if (segment, day) not in self._had:
                yield self._piece(segment, day)

    def introduce(self, name: str, day: TradingDay) -> Iterator[Fetched]:
        """Yield the last file published up to a day, of each segment in which there may be an instrument of a name."""
        exchange, colon, _ = name.upper().partition(":")
        named = {exchange} if colon else {"NSE", "BSE"}
        segments = [segment for place, segment in self._archive.exchanges.items() if place in named]
        if CASH in segments and INDICES in self._archive.paths:
            # A share's symbol has no blank: "NIFTY 50" is looked for among indices first.
            segments.insert(0 if " " in name.strip() else len(segments), INDICES)
        last = min(day, day_of(self._clock.now_ns()))
        for segment in segments:
            for before in self._days([(TradingDay(last - DAYS_BACK), TradingDay(last))])[::-1]:
                if (segment, before) in self._had:
                    break
                piece = self._piece(segment, before)
                if piece.data:
                    yield piece
                    break

    def _segment(self, request: FetchRequest) -> str:
        if request.interval != DAY:
            raise UsageError(
                f"{self.name} publishes daily bars, not {format_interval(request.interval)}",
                hint="Use --interval 1d, or --source kite or yahoo.",
            )
        instrument = request.instrument
        segment = self._archive.exchanges.get(instrument.exchange, "")
        if segment and instrument.kind is Kind.INDEX:
            segment = INDICES
        if segment not in self._archive.paths:
            raise UsageError(
                f"{self.name} has no files with {instrument.display} in them", hint=_others(instrument, self.name)
            )
        return segment

    def _days(self, spans: Spans) -> list[TradingDay]:
        days = (TradingDay(day) for first, last in spans for day in range(first, last + 1))
        return [day for day in days if self._is_trading_day(day)]

    def _piece(self, segment: str, day: TradingDay) -> Fetched:
        paths = self._archive.paths[segment](day)
        found: Fetched | None = None
        for path in paths:
            body = self._body(path)
            if body is not None:
                found = Fetched(_name(path), "", _unpacked(body, path), ImportHints(day=day))
                break
        self._had.add((segment, day))
        return found or Fetched(_name(paths[0]), "", b"", note=self._absent(day))

    def _body(self, path: str) -> bytes | None:
        """Return a file, None where there is none (404). Raises `SourceError` where the exchange turns us away."""
        address = f"{self._archive.base}/{path}"
        reply = self._downloads.get(address, HEADERS)
        if not self._visited and (reply.status in (401, 403) or _is_page(reply)):
            self._visited = True
            self._downloads.get(self._archive.home, HEADERS)
            reply = self._downloads.get(address, HEADERS)
        if _is_page(reply):
            self._pages += 1
            if self._pages < PAGES_MAX:
                return None
            raise SourceError(f"{address}: a web page instead of a file, {PAGES_MAX} times", hint=_REFUSED)
        if reply.status == 404:
            return None
        if reply.status != 200 or not reply.body:
            what = f"status {reply.status}" if reply.status != 200 else "an empty file"
            raise SourceError(f"{address}: {what}", hint=_REFUSED)
        self._pages = 0
        return reply.body

    def _absent(self, day: TradingDay) -> str:
        if day >= day_of(self._clock.now_ns()):
            return "not published yet: the file of a day comes in the evening, after 18:00 to 19:00"
        return f"{self.name} has no file of {format_day(day)}, a trading day by the calendar; asked for again next time"


_REFUSED = (
    "The exchange turns us away: wait some minutes, or download the file in a browser and `manjha data import` it."
)


def _others(instrument: Instrument, name: str) -> str:
    if instrument.exchange in (Exchange.NSE, Exchange.NFO) and name != "nse":
        return "Use --source nse."
    if instrument.exchange in (Exchange.BSE, Exchange.BFO) and name != "bse" and instrument.kind is not Kind.INDEX:
        return "Use --source bse."
    return "Use --source kite or yahoo, or import a file: `manjha data import PATH`."


def _is_page(reply: Reply) -> bool:
    return reply.status == 200 and reply.body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _unpacked(body: bytes, path: str) -> bytes:
    """Return what a zip holds, else the body. Raises `SourceError` for a damaged or oversized archive."""
    if not body.startswith(b"PK"):
        return body
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            member = archive.infolist()[0]
            if member.file_size > SIZE_MAX:
                raise SourceError(f"{path} unpacks to {member.file_size:,} bytes, which no daily file has")
            return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, IndexError, EOFError, NotImplementedError, RuntimeError) as error:
        raise SourceError(f"{path} is a damaged archive", hint="Run the same command again later.") from error
