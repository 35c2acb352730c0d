"""History from Yahoo's chart service: the same reply that yfinance reads, without its dependencies (ADR 0007)."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

import msgspec

from manjha.domain.bars import DAY, HOUR, MINUTE, Interval, format_interval
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import Exchange, Instrument, Kind
from manjha.domain.moments import SECOND_NS, TradingDay, at, day_of, format_day
from manjha.ports.clock import Clock
from manjha.ports.downloads import Downloads, Reply
from manjha.ports.market_data import Fetched, FetchRequest, ImportHints

_LIMITS = {MINUTE: (7, 30), 300: (59, 60), 900: (59, 60), 1800: (59, 60), HOUR: (700, 730), DAY: (3650, 0)}
"""Days of one request, and days before today for which bars are kept (0: all), by interval (INDIAN_MARKETS 7.3)."""
_INDICES = {
    "NIFTY 50": "^NSEI", "NIFTY BANK": "^NSEBANK", "SENSEX": "^BSESN", "INDIA VIX": "^INDIAVIX", "NIFTY IT": "^CNXIT",
    "NIFTY FIN SERVICE": "NIFTY_FIN_SERVICE.NS", "NIFTY MIDCAP 100": "NIFTY_MIDCAP_100.NS",
}  # fmt: skip
_SUFFIXES = {Exchange.NSE: ".NS", Exchange.BSE: ".BO"}
_HEADERS = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
_INTRODUCTION_DAYS = 10
"""Days up to the one asked for whose bars make an instrument known."""

Spans = Sequence[tuple[TradingDay, TradingDay]]


class _Error(msgspec.Struct):
    description: str = ""


class _Result(msgspec.Struct):
    timestamp: list[int] | None = None


class _Chart(msgspec.Struct):
    result: list[_Result] | None = None
    error: _Error | None = None


class _Answer(msgspec.Struct):
    """The little of a reply that tells whether it has bars; the format reads all of it."""

    chart: _Chart


class YahooHistory:
    """Implements `ports.market_data.HistorySource`. Prices are adjusted for splits, and marked so."""

    def __init__(self, base: str, downloads: Downloads, clock: Clock) -> None:
        self._base = base.rstrip("/")
        self._downloads = downloads
        self._clock = clock

    @property
    def name(self) -> str:
        """Return the name that `--source` takes."""
        return "yahoo"

    @property
    def adjustment(self) -> str:
        """Return the state of adjustment of its bars."""
        return "split"

    def plan(self, request: FetchRequest, missing: Spans) -> int:
        """Return the number of requests. Raises `UsageError` for what Yahoo does not have, or has no more."""
        yahoo_symbol(request.instrument)
        return len(self._pieces(request.interval, missing))

    def fetch(self, request: FetchRequest, missing: Spans) -> Iterator[Fetched]:
        """Yield a reply a piece of the span, a note where it has no bars. Raises as `plan` does, and `SourceError`."""
        symbol = yahoo_symbol(request.instrument)
        for span in self._pieces(request.interval, missing):
            yield self._piece(symbol, request.instrument.display, request.interval, span)

    def introduce(self, name: str, day: TradingDay) -> Iterator[Fetched]:
        """Yield a few daily bars of what a name may be on Yahoo; nothing where it knows no such name."""
        place, colon, rest = name.strip().upper().partition(":")
        exchange, symbol = (place, rest) if colon else ("NSE", place)
        if exchange not in _SUFFIXES or not symbol:
            return
        called = _INDICES.get(symbol.removeprefix("#"), symbol + _SUFFIXES[Exchange(exchange)])
        last = TradingDay(min(day, day_of(self._clock.now_ns()) - 1))
        try:
            piece = self._piece(called, f"{exchange}:{symbol}", DAY, (TradingDay(last - _INTRODUCTION_DAYS), last))
        except _UnknownError:
            return
        if piece.data:
            yield piece

    def _pieces(self, interval: Interval, missing: Spans) -> list[tuple[TradingDay, TradingDay]]:
        if interval not in _LIMITS:
            raise UsageError(
                f"Yahoo has no bars of {format_interval(interval)}", hint="Use 1m, 5m, 15m, 30m, 60m or 1d."
            )
        step, kept = _LIMITS[interval]
        oldest = day_of(self._clock.now_ns()) - kept + 1
        if kept and missing and missing[0][0] < oldest:
            raise UsageError(
                f"Yahoo keeps bars of {format_interval(interval)} for {kept} days, asked from "
                f"{format_day(missing[0][0])}",
                hint=f"Use --from {format_day(TradingDay(oldest))} or later, --interval 1d, or --source kite.",
            )
        return [
            (TradingDay(day), TradingDay(min(day + step - 1, last)))
            for first, last in missing
            for day in range(first, last + 1, step)
        ]

    def _piece(self, symbol: str, display: str, interval: Interval, span: tuple[TradingDay, TradingDay]) -> Fetched:
        start, end = at(span[0], 0) // SECOND_NS, at(span[1] + 1, 0) // SECOND_NS
        query = f"period1={start}&period2={end}&interval={format_interval(interval)}&events=div%2Csplits"
        reply = self._downloads.get(f"{self._base}/v8/finance/chart/{quote(symbol)}?{query}", _HEADERS)
        file = f"{symbol}-{format_interval(interval)}-{format_day(span[0])}.json"
        if not _has_bars(reply, symbol):
            note = f"Yahoo has no bars of {format_day(span[0])} to {format_day(span[1])}; asked for again next time"
            return Fetched(file, "", b"", note=note)
        return Fetched(file, "", reply.body, ImportHints(instrument=display, interval=interval))


def yahoo_symbol(instrument: Instrument) -> str:
    """Return Yahoo's name of a share or index. Raises `UsageError` for what it does not list."""
    if instrument.kind is Kind.INDEX and instrument.symbol in _INDICES:
        return _INDICES[instrument.symbol]
    suffix = _SUFFIXES.get(instrument.exchange)
    if suffix is None or not instrument.is_tradable:
        raise UsageError(f"Yahoo does not list {instrument.display}", hint="Use --source nse or kite.")
    return instrument.symbol + suffix


class _UnknownError(SourceError):
    """Yahoo knows no such symbol."""


def _has_bars(reply: Reply, symbol: str) -> bool:
    """Tell whether a reply has bars. Raises `SourceError` with Yahoo's own words where it is a refusal."""
    try:
        chart = msgspec.json.decode(reply.body, type=_Answer).chart
    except (msgspec.MsgspecError, UnicodeDecodeError):
        chart = _Chart(error=_Error("no chart in the reply"))
    words = chart.error.description if chart.error else ""
    if reply.status == 200 and not words:
        return bool(chart.result and chart.result[0].timestamp)
    if "exist for startDate" in words:  # Before the first day of trading, or a span of days without any.
        return False
    if reply.status == 404:
        raise _UnknownError(f"Yahoo has no {symbol}: {words}", hint="Check the name, or use another --source.")
    raise SourceError(
        f"Yahoo refuses {symbol} with status {reply.status}: {words}",
        hint="Wait some minutes and run the same command again; or use --source nse.",
    )
