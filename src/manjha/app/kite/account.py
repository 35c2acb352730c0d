"""An account at Kite put together: connections, today's names and tokens, the gateway and the ticker of a run."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import NamedTuple

from manjha.adapters.kite.candles import KiteCandles
from manjha.adapters.kite.feed import Clocks, KiteFeed, Stream
from manjha.adapters.kite.gateway import KiteGateway, OrderOf
from manjha.adapters.kite.hooks import PostbackListener
from manjha.adapters.kite.limits import Limits
from manjha.adapters.kite.listing import Listing
from manjha.adapters.kite.mapping import Listed, Names
from manjha.adapters.kite.margins import KiteMargins
from manjha.adapters.kite.observed import Watched
from manjha.adapters.kite.postback import KitePostback
from manjha.adapters.kite.rest import KiteRest, Login
from manjha.adapters.kite.transport import Transport
from manjha.app.kite.login import LoginNow, app_keys
from manjha.app.kite.times import Times, times_at
from manjha.app.secret_stores import secret_store
from manjha.app.settings import Settings
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import Exchange, Instrument, InstrumentId
from manjha.market.rules import MarketRules
from manjha.services.market_hours import is_open


class AtKite(NamedTuple):
    """Kite as one user's app reaches it. `candles` has connections of its own: what hangs there holds up no read."""

    rest: KiteRest
    login: LoginNow
    times: Times
    candles: KiteRest


class Today(NamedTuple):
    """The instruments of a run on Kite's list of today: what orders call them, and whose ticks a token brings."""

    names: Names
    watched: dict[int, Watched]


@asynccontextmanager
async def near_kite(settings: Settings) -> AsyncIterator[AtKite]:
    """Give the way to Kite until the end of the block, whether anybody is logged in or not.

    Raises `UsageError` for an address that is not https; see also `kite.times.times_at`.
    """
    times = await times_at(settings.kite.url, time.monotonic_ns)
    login = LoginNow(secret_store(settings), times.now_ns, time.monotonic_ns)
    orders, reads, candles = (Transport(settings.kite.url) for _ in range(3))
    limits = Limits(asyncio.get_running_loop().time)
    try:
        asks = Login(login.key, login.token)
        yield AtKite(KiteRest(orders, reads, asks, limits), login, times, KiteRest(orders, candles, asks, limits))
    finally:
        await orders.close()
        await reads.close()
        await candles.close()


@asynccontextmanager
async def at_kite(settings: Settings) -> AsyncIterator[AtKite]:
    """Give the way to the account whose login is kept, until the end of the block.

    Raises
    ------
    SourceError
        Nobody is logged in, or the login is over.
    UsageError
        As `near_kite`.
    """
    async with near_kite(settings) as kite:
        why = kite.login.why_not()
        if why:
            raise SourceError(why, hint="Run `manjha login`, then the same command again.")
        yield kite


async def todays_names(rest: KiteRest, instruments: Sequence[Instrument]) -> Today:
    """Find instruments on Kite's list of today: names and tokens are never kept longer.

    Raises
    ------
    UsageError
        Kite does not list one of them today, or lists it under a token that is none.
    SourceError
        The list cannot be had.
    """
    today, missing = await found_today(rest, instruments)
    if missing:
        raise UsageError(
            f"Kite does not list {', '.join(one.display for one in missing)} today",
            hint="An expired contract is gone from its list; else bring the exchange's newest list: `manjha data`.",
        )
    return today


async def found_today(rest: KiteRest, instruments: Sequence[Instrument]) -> tuple[Today, list[Instrument]]:
    """Return what Kite lists of instruments today, and those that it does not. Raises `SourceError`."""
    listings = {place: Listing(await rest.dump(f"/instruments/{place}")) for place in _places(instruments)}
    names: dict[InstrumentId, Listed] = {}
    watched: dict[int, Watched] = {}
    missing = []
    for one in instruments:
        row = listings[one.exchange].row(one)
        if not row.token.isdecimal():
            missing.append(one)
            continue
        names[one.id] = Listed(str(one.exchange), row.symbol)
        watched[int(row.token)] = Watched(one.id, one.multiplier)
    return Today(Names(names, instruments), watched), missing


def gateway_of(kite: AtKite, today: Today, order_of: OrderOf, feed: KiteFeed) -> KiteGateway:
    """Return the way that orders go; the ticker brings its hints."""
    return KiteGateway(kite.rest, today.names, order_of, feed.hints)


def candles_of(kite: AtKite, today: Today) -> KiteCandles:
    """Return where the minutes of a time without ticks are asked for."""
    return KiteCandles(kite.candles, today.watched)


def margins_of(kite: AtKite, today: Today) -> KiteMargins:
    """Return who is asked what an order needs."""
    return KiteMargins(kite.rest, today.names)


def feed_of(settings: Settings, kite: AtKite, today: Today, rules: MarketRules, places: Iterable[Exchange]) -> KiteFeed:
    """Return the ticker of a run; `places` say when data must be expected."""
    exchanges, now_ns = tuple(dict.fromkeys(places)), kite.times.now_ns
    stream = Stream(settings.kite.stream_url, kite.login.credentials, lambda: is_open(rules, exchanges, now_ns()))
    return KiteFeed(stream, today.watched, Clocks(now_ns, time.monotonic))


def postbacks(settings: Settings, account: str, hint: Callable[[str], None]) -> AbstractAsyncContextManager[object]:
    """Return what listens for postbacks of an account while it is entered; nothing where no port is set.

    Raises `SettingsError` where the app's secret, by which they are checked, is not known.
    """
    port = settings.kite.postback_port
    if port is None:
        return nullcontext()
    return PostbackListener(port, KitePostback(app_keys(secret_store(settings)).secret, account), hint)


def _places(instruments: Iterable[Instrument]) -> list[Exchange]:
    return list(dict.fromkeys(one.exchange for one in instruments))
