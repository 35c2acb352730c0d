"""Puts the sources of history together: address, credentials, client, clock."""

import os
from functools import partial

from manjha.adapters.exchanges.history import DailyFiles, bse_path, nse_path
from manjha.adapters.kite.history import KiteHistory
from manjha.adapters.system.downloads import HttpDownloads
from manjha.adapters.yahoo.history import YahooHistory
from manjha.app.bootstrap import market_rules
from manjha.app.settings import Settings
from manjha.market.calendar import is_trading_day
from manjha.ports.clock import Clock


def nse(settings: Settings, clock: Clock) -> DailyFiles:
    """Return NSE's daily files."""
    trading = partial(is_trading_day, market_rules(settings))
    return DailyFiles("nse", settings.fetch.nse_url, nse_path, HttpDownloads(clock), trading)


def bse(settings: Settings, clock: Clock) -> DailyFiles:
    """Return BSE's daily files."""
    trading = partial(is_trading_day, market_rules(settings))
    return DailyFiles("bse", settings.fetch.bse_url, bse_path, HttpDownloads(clock), trading)


def yahoo(settings: Settings, clock: Clock) -> YahooHistory:
    """Return Yahoo's charts."""
    return YahooHistory(settings.fetch.yahoo_url, HttpDownloads(clock))


def kite(settings: Settings, clock: Clock) -> KiteHistory:
    """Return Kite's candles, with the credentials of the environment."""
    key, token = os.environ.get("MANJHA_KITE_API_KEY", ""), os.environ.get("MANJHA_KITE_ACCESS_TOKEN", "")
    return KiteHistory(settings.fetch.kite_url, key, token, HttpDownloads(clock))
