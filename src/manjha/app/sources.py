"""Puts the sources of history together: address, credentials, client, pace, clock."""

from functools import partial

from manjha.adapters.exchanges.bse import bse_archive
from manjha.adapters.exchanges.daily_files import Archive, DailyFiles
from manjha.adapters.exchanges.nse import nse_archive
from manjha.adapters.kite.history import BURST, PER_MINUTE, KiteHistory
from manjha.adapters.system.downloads import HttpDownloads
from manjha.adapters.yahoo.history import YahooHistory
from manjha.app.bootstrap import market_rules
from manjha.app.kite.login import API_KEY, revealed, saved_login
from manjha.app.secret_stores import secret_store
from manjha.app.setting_sections import FetchSettings
from manjha.app.settings import Settings
from manjha.market.calendar import is_trading_day
from manjha.ports.clock import Clock
from manjha.services.rate_limit import TokenBucket


def nse(settings: Settings, clock: Clock) -> DailyFiles:
    """Return NSE's daily files."""
    return _daily(settings, clock, nse_archive(settings.fetch.nse_url, settings.fetch.nse_home_url))


def bse(settings: Settings, clock: Clock) -> DailyFiles:
    """Return BSE's daily files."""
    return _daily(settings, clock, bse_archive(settings.fetch.bse_url))


def yahoo(settings: Settings, clock: Clock) -> YahooHistory:
    """Return Yahoo's charts."""
    return YahooHistory(settings.fetch.yahoo_url, _downloads(settings, clock), clock)


def kite(settings: Settings, clock: Clock) -> KiteHistory:
    """Return Kite's candles, with today's login; settings cannot exceed Kite's own pace."""
    store = secret_store(settings)
    login = saved_login(store)
    credentials = revealed(store.get(API_KEY)), "" if login is None else login.access_token.reveal()
    bucket = TokenBucket(clock, min(settings.fetch.per_minute, PER_MINUTE), BURST)
    return KiteHistory(candles_url(settings), credentials, HttpDownloads(clock, bucket.take), clock)


def candles_url(settings: Settings) -> str:
    """Return where Kite's candles are asked for: at an address of their own where one is set, else where Kite is."""
    own = settings.fetch.kite_url
    return settings.kite.url if own == FetchSettings().kite_url else own


def _daily(settings: Settings, clock: Clock, archive: Archive) -> DailyFiles:
    trading = partial(is_trading_day, market_rules(settings))
    return DailyFiles(archive, _downloads(settings, clock), trading, clock)


def _downloads(settings: Settings, clock: Clock) -> HttpDownloads:
    bucket = TokenBucket(clock, settings.fetch.per_minute, settings.fetch.burst)
    return HttpDownloads(clock, bucket.take)
