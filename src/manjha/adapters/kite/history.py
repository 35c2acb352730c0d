"""Historical candles of Kite Connect, for those who have a subscription and today's access token."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import msgspec

from manjha.adapters.kite.listing import Listing
from manjha.adapters.kite.rest import UNREADABLE
from manjha.domain.bars import DAY, format_interval
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import Exchange, Instrument
from manjha.domain.moments import TradingDay, day_of, format_day
from manjha.ports.clock import Clock
from manjha.ports.downloads import Downloads, Reply
from manjha.ports.market_data import Fetched, FetchRequest, ImportHints

PER_MINUTE, BURST = 180, 1
"""3 requests a second for candles (KITE_CONNECT_V3 section 4); a burst would be a breach of it."""
_INTERVALS = {
    60: ("minute", 60), 180: ("3minute", 100), 300: ("5minute", 100), 600: ("10minute", 100),
    900: ("15minute", 200), 1800: ("30minute", 200), 3600: ("60minute", 400), int(DAY): ("day", 2000),
}  # fmt: skip
"""Kite's name and the longest span of one request in days (INDIAN_MARKETS section 7.2)."""
_EXCHANGES = (Exchange.NSE, Exchange.BSE, Exchange.NFO, Exchange.BFO)
"""On the others Kite counts volume in lots, and a candle does not say how many units a lot has."""

Spans = Sequence[tuple[TradingDay, TradingDay]]


class _Candles(msgspec.Struct):
    candles: list[msgspec.Raw]


class _Answer(msgspec.Struct):
    data: _Candles


class _Refusal(msgspec.Struct):
    message: str = ""
    error_type: str = ""


class KiteHistory:
    """Implements `ports.market_data.HistorySource`. Prices are adjusted for splits and bonuses, and marked so.

    `key` and `token` go into one header and nowhere else; an address without TLS gets them on this machine only.
    """

    def __init__(self, base: str, credentials: tuple[str, str], downloads: Downloads, clock: Clock) -> None:
        key, token = credentials
        if not key or not token:
            raise UsageError(
                "Kite needs an api key and today's access token",
                hint="Run `manjha login`, or set MANJHA_KITE_API_KEY and MANJHA_KITE_ACCESS_TOKEN in the environment.",
            )
        place = urlsplit(base)
        if place.scheme != "https" and place.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise UsageError(f"Kite's address {base!r} is not https", hint="Correct kite_url in `[fetch]`.")
        self._base = base.rstrip("/")
        self._secrets = credentials
        self._headers = {"X-Kite-Version": "3", "Authorization": f"token {key}:{token}"}
        self._downloads = downloads
        self._clock = clock
        self._listings: dict[Exchange, Listing] = {}

    @property
    def name(self) -> str:
        """Return the name that `--source` takes."""
        return "kite"

    @property
    def adjustment(self) -> str:
        """Return the state of adjustment of its bars."""
        return "split"

    def plan(self, request: FetchRequest, missing: Spans) -> int:
        """Return the number of requests, with the list of instruments. Raises `UsageError` for what Kite has not."""
        pieces = len(_pieces(request, missing))
        return pieces + (pieces > 0 and request.instrument.exchange not in self._listings)

    def fetch(self, request: FetchRequest, missing: Spans) -> Iterator[Fetched]:
        """Yield today's list of instruments where it is needed first, then candles piece by piece.

        Raises `UsageError` for an interval or instrument that Kite does not have, else `SourceError`.
        """
        pieces = _pieces(request, missing)
        if not pieces:
            return
        yield from self._listed(request.instrument.exchange)
        token = self._token(request.instrument)
        name, _ = _INTERVALS[request.interval]
        hints = ImportHints(instrument=_typed(request.instrument), interval=request.interval)
        for first, last in pieces:
            # Never continuous=1: it puts other contracts' candles under the name of a live one.
            query = f"from={format_day(first)}+00:00:00&to={format_day(last)}+23:59:59&continuous=0&oi=1"
            body = self._get(f"instruments/historical/{token}/{name}?{query}")
            file = f"{request.instrument.symbol}-{name}-{format_day(first)}.json"
            if _is_empty(body):
                note = f"Kite has no candles of {format_day(first)} to {format_day(last)}; asked for again next time"
                yield Fetched(file, "", b"", note=note)
            else:
                yield Fetched(file, "", body, hints)

    def introduce(self, name: str, day: TradingDay) -> Iterator[Fetched]:
        """Yield today's list of instruments of the exchange in a name, NSE's where there is none."""
        del day
        place = name.upper().partition(":")[0] if ":" in name else "NSE"
        if place in _EXCHANGES:
            yield from self._listed(Exchange(place))

    def _listed(self, exchange: Exchange) -> Iterator[Fetched]:
        if exchange not in self._listings:
            dump = self._get(f"instruments/{exchange}")
            self._listings[exchange] = Listing(dump)
            today = day_of(self._clock.now_ns())
            file = f"instruments-{exchange}-{format_day(today)}.csv"
            yield Fetched(file, "kite-instruments", dump, ImportHints(day=today))

    def _token(self, instrument: Instrument) -> str:
        found = self._listings[instrument.exchange].token(instrument)
        if not found:
            raise UsageError(
                f"Kite does not list {_typed(instrument)} today",
                hint="It serves no expired contract: `--source nse` or bse has their daily bars.",
            )
        return found

    def _get(self, path: str) -> bytes:
        reply = self._downloads.get(f"{self._base}/{path}", self._headers)
        if reply.status != 200:
            raise self._refused(path.split("?", 1)[0], reply)
        return reply.body

    def _refused(self, path: str, reply: Reply) -> SourceError:
        """Say what Kite says, by its type of error (KITE_CONNECT_V3 section 3.5), without key and token."""
        try:
            refusal = msgspec.json.decode(reply.body, type=_Refusal)
        except UNREADABLE:
            refusal = _Refusal()
        words = refusal.message
        for secret in self._secrets:
            words = words.replace(secret, "…")
        what = ": ".join(part for part in (f"status {reply.status}", refusal.error_type, words) if part)
        hint = _HINTS.get(refusal.error_type, "What came before is stored; run the same command again later.")
        return SourceError(f"Kite refuses /{path}: {what}", hint=hint)


_HINTS = {
    "TokenException": "An access token lasts until about 6 in the morning: run `manjha login`, or set "
    "MANJHA_KITE_ACCESS_TOKEN to the new one.",
    "PermissionException": "The app's plan must include historical data, and its static IP be this machine's.",
    "InputException": "Check MANJHA_KITE_API_KEY, the instrument and the span.",
}


def _typed(instrument: Instrument) -> str:
    return instrument.id if instrument.is_derivative else instrument.display


def _is_empty(body: bytes) -> bool:
    """Tell whether a reply is whole and has no candle; what is wrong with another is said by its reader."""
    try:
        return not msgspec.json.decode(body, type=_Answer).data.candles
    except UNREADABLE:
        return False


def _pieces(request: FetchRequest, missing: Spans) -> list[tuple[TradingDay, TradingDay]]:
    if request.instrument.exchange not in _EXCHANGES:
        raise UsageError(
            f"Kite counts the volume of {request.instrument.display} in lots of a size that it does not tell",
            hint="Import the exchange's own file: `manjha data import PATH`.",
        )
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
