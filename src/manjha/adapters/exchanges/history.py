"""History from the exchanges: one file a trading day, with all instruments in it (INDIAN_MARKETS section 7.1)."""

import io
import zipfile
from collections.abc import Callable, Iterator, Sequence

from manjha.domain.bars import DAY, format_interval
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import Exchange, Instrument
from manjha.domain.moments import TradingDay, date_from_day, parse_day
from manjha.ports.downloads import Downloads
from manjha.ports.market_data import Fetched, FetchRequest

UDIFF_FROM = parse_day("2024-07-08")
"""Since then the common format; the old files ended on 2024-07-05."""
SIZE_MAX = 500_000_000
"""Bytes that a daily file may unpack to."""
_HEADERS = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Manjha", "Accept": "*/*"}

Spans = Sequence[tuple[TradingDay, TradingDay]]
Path = Callable[[Instrument, TradingDay], str]


class DailyFiles:
    """Implements `ports.market_data.HistorySource`: a file a day, each asked for once however many instruments want it.

    A day whose file does not exist (not published yet, or the exchange was closed) gives nothing.
    """

    def __init__(
        self, name: str, base: str, path: Path, downloads: Downloads, is_trading_day: Callable[[TradingDay], bool]
    ) -> None:
        self._name = name
        self._base = base.rstrip("/")
        self._path = path
        self._downloads = downloads
        self._is_trading_day = is_trading_day
        self._had: set[str] = set()

    @property
    def name(self) -> str:
        """Return the name that `--source` takes."""
        return self._name

    def plan(self, request: FetchRequest, missing: Spans) -> int:
        """Return how many files are wanted."""
        return len(self._wanted(request, missing))

    def fetch(self, request: FetchRequest, missing: Spans) -> Iterator[Fetched]:
        """Yield each day's file. Raises `UsageError` for bars finer than a day and `SourceError` for a failure."""
        for path in self._wanted(request, missing):
            if path in self._had:
                continue
            reply = self._downloads.get(f"{self._base}/{path}", _HEADERS)
            self._had.add(path)
            if reply.status == 200:
                yield Fetched(path.rsplit("/", 1)[-1], "", _unpacked(reply.body, path))

    def _wanted(self, request: FetchRequest, missing: Spans) -> list[str]:
        if request.interval != DAY:
            raise UsageError(
                f"{self._name} publishes daily bars, not {format_interval(request.interval)}",
                hint="Use --interval 1d, or another --source.",
            )
        days = [TradingDay(day) for first, last in missing for day in range(first, last + 1)]
        return [self._path(request.instrument, day) for day in days if self._is_trading_day(day)]


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
    except (zipfile.BadZipFile, IndexError) as error:
        raise SourceError(f"{path} is a damaged archive", hint="Run the same command again later.") from error


def nse_path(instrument: Instrument, day: TradingDay) -> str:
    """Return where NSE keeps the file of a day that an instrument is in."""
    date = date_from_day(day)
    derivative = instrument.exchange is Exchange.NFO
    if day >= UDIFF_FROM:
        kind, folder = ("FO", "fo") if derivative else ("CM", "cm")
        return f"content/{folder}/BhavCopy_NSE_{kind}_0_0_0_{date:%Y%m%d}_F_0000.csv.zip"
    month = f"{date:%b}".upper()
    folder, prefix = ("DERIVATIVES", "fo") if derivative else ("EQUITIES", "cm")
    return f"content/historical/{folder}/{date:%Y}/{month}/{prefix}{date:%d}{month}{date:%Y}bhav.csv.zip"


def bse_path(instrument: Instrument, day: TradingDay) -> str:
    """Return where BSE keeps the file of a day that an instrument is in."""
    date = date_from_day(day)
    if instrument.exchange is Exchange.BFO:
        return f"download/Bhavcopy/Derivative/BhavCopy_BSE_FO_0_0_0_{date:%Y%m%d}_F_0000.CSV"
    if day >= UDIFF_FROM:
        return f"download/BhavCopy/Equity/BhavCopy_BSE_CM_0_0_0_{date:%Y%m%d}_F_0000.CSV"
    return f"download/BhavCopy/Equity/EQ{date:%d%m%y}_CSV.ZIP"
