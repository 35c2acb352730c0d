"""Historical candles of Kite Connect, for those who have a subscription and today's access token."""

import csv
import io
from collections.abc import Iterator, Sequence

from manjha.domain.bars import DAY, format_interval
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import TradingDay, format_day
from manjha.ports.downloads import Downloads
from manjha.ports.market_data import Fetched, FetchRequest, ImportHints

_INTERVALS = {
    60: ("minute", 60), 180: ("3minute", 100), 300: ("5minute", 100), 600: ("10minute", 100),
    900: ("15minute", 200), 1800: ("30minute", 200), 3600: ("60minute", 400), int(DAY): ("day", 2000),
}  # fmt: skip
"""Kite's name and the longest span of one request in days (INDIAN_MARKETS section 7.2)."""

Spans = Sequence[tuple[TradingDay, TradingDay]]


class KiteHistory:
    """Implements `ports.market_data.HistorySource`. Prices are adjusted for splits and bonuses, and marked so.

    `key` and `token` go into one header and nowhere else.
    """

    def __init__(self, base: str, key: str, token: str, downloads: Downloads) -> None:
        if not key or not token:
            raise UsageError(
                "Kite needs an api key and today's access token",
                hint="Set MANJHA_KITE_API_KEY and MANJHA_KITE_ACCESS_TOKEN.",
            )
        self._base = base.rstrip("/")
        self._headers = {"X-Kite-Version": "3", "Authorization": f"token {key}:{token}"}
        self._downloads = downloads
        self._tokens: dict[str, dict[str, str]] = {}

    @property
    def name(self) -> str:
        """Return the name that `--source` takes."""
        return "kite"

    def plan(self, request: FetchRequest, missing: Spans) -> int:
        """Return the number of requests for candles."""
        return len(_pieces(request, missing))

    def fetch(self, request: FetchRequest, missing: Spans) -> Iterator[Fetched]:
        """Yield a reply a piece. Raises `UsageError` for an interval or instrument Kite has not, else `SourceError`."""
        pieces = _pieces(request, missing)
        token = self._token(request.instrument) if pieces else ""
        name, _ = _INTERVALS[request.interval]
        for first, last in pieces:
            query = f"from={format_day(first)}+00:00:00&to={format_day(last)}+23:59:59&oi=1"
            url = f"{self._base}/instruments/historical/{token}/{name}?{query}"
            reply = self._downloads.get(url, self._headers)
            if reply.status != 200:
                raise SourceError("Kite has no candles there", hint="Check the instrument and the span.")
            hints = ImportHints(instrument=_typed(request.instrument), interval=request.interval)
            yield Fetched(f"{request.instrument.symbol}-{name}-{format_day(first)}.json", "", reply.body, hints)

    def _token(self, instrument: Instrument) -> str:
        """Return today's token of an instrument; tokens are never kept, Kite uses them again after expiry."""
        exchange = str(instrument.exchange)
        if exchange not in self._tokens:
            reply = self._downloads.get(f"{self._base}/instruments/{exchange}", self._headers)
            rows = csv.DictReader(io.StringIO(reply.body.decode("utf-8", "replace")))
            self._tokens[exchange] = {row["tradingsymbol"]: row["instrument_token"] for row in rows}
        found = self._tokens[exchange].get(instrument.symbol)
        if found is None:
            raise UsageError(f"Kite does not list {instrument.display} today", hint="Expired contracts are not served.")
        return found


def _typed(instrument: Instrument) -> str:
    return instrument.id if instrument.is_derivative else instrument.display


def _pieces(request: FetchRequest, missing: Spans) -> list[tuple[TradingDay, TradingDay]]:
    if request.interval not in _INTERVALS:
        raise UsageError(
            f"Kite has no candles of {format_interval(request.interval)}",
            hint="Use 1m, 3m, 5m, 10m, 15m, 30m, 60m or 1d.",
        )
    _, step = _INTERVALS[request.interval]
    return [
        (TradingDay(day), TradingDay(min(day + step - 1, last)))
        for first, last in missing
        for day in range(first, last + 1, step)
    ]
