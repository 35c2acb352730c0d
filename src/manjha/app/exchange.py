"""Puts the exchange server together: its market, its people, its time."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from manjha.domain.bars import MINUTE
from manjha.domain.errors import UsageError
from manjha.domain.moments import TradingDay, at, clock_ns, day_of, parse_clock, parse_day
from manjha.domain.money import parse_cash, parse_px
from manjha.exchange.accounts import App, Owned, User
from manjha.exchange.clock import Time
from manjha.exchange.exchange import Exchange, Founding, found
from manjha.exchange.sources import BarDays, DaySource, RecordedDays
from manjha.exchange.switches import switched
from manjha.market.calendar import trading_days
from manjha.simulator.synthetic import default_spec, exchange_sessions, generate

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from manjha.app.settings import Settings
    from manjha.market.rules import MarketRules

API_KEY, API_SECRET = "simulated", "simulated-secret"
"""What a client logs in with unless others are given."""
NOW = "now"
HISTORY_DAYS = 45
"""Calendar days of the synthetic market before the first day that is traded."""


class ExchangeWords(msgspec.Struct, frozen=True, kw_only=True):
    """What `manjha exchange serve` is asked for.

    `day` is the first trading day ("" for the last one of the calendar that is not in the future), `days` how many
    there are, `clock` the time it begins at ("now" for the machine's). `speed` is times real time, 0 as fast as it
    goes; `paused` lets time pass only by a client's word. `addresses` are further ones that orders may come from.
    Each user has `cash` rupees in each segment and `holdings` like "NSE:MANJHA=10@1400.50".

    The market is the synthetic one, or has these `instruments` with their stored minute bars, or with recorded `ticks`,
    a file each. `rules` are switched as `switches.switched` reads them.
    """

    day: str = ""
    days: int = 5
    clock: str = "09:15"
    seed: int = 7
    per_bar: int = 60
    speed: float = 1.0
    paused: bool = False
    users: Sequence[str] = ()
    api_key: str = API_KEY
    api_secret: str = API_SECRET
    redirect_url: str = ""
    addresses: Sequence[str] = ()
    cash: str = "1000000"
    holdings: Sequence[str] = ()
    auto_login: bool = False
    limits: bool = True
    instruments: Sequence[str] = ()
    ticks: Sequence[str] = ()
    rules: Mapping[str, str] = {}


def exchange_app(settings: "Settings", words: ExchangeWords, machine_ns: int) -> "tuple[Starlette, Exchange]":
    """Return the application of an exchange, and the exchange.

    Raises
    ------
    UsageError
        A day on which nothing trades, or no calendar for it; no stored bars, or a file that is too much or missing.
    DataError
        A file of ticks that cannot be read.
    """
    from manjha.app.bootstrap import market_rules
    from manjha.exchange.application import create_app

    rules = market_rules(settings)
    days = days_asked(rules, words, day_of(machine_ns))
    start_ns = at(days[0], clock_ns(machine_ns) if words.clock == NOW else parse_clock(words.clock))
    exchange = found(_founding(rules, _source(settings, rules, words, days), days, words), start_ns)
    clock = Time(exchange, time.monotonic_ns, start_ns, words.speed, stands=words.paused)
    return create_app(exchange, clock), exchange


def days_asked(rules: "MarketRules", words: ExchangeWords, today: TradingDay) -> Sequence[TradingDay]:
    """Return the days that the exchange lives through. Raises `UsageError`."""
    if words.day:
        first = parse_day(words.day)
    else:
        past = [day for day in rules.trading_days if day <= today]
        first = past[-1] if past else rules.trading_days[0]
    found_days = trading_days(rules, first, rules.last)[: words.days] if rules.first <= first <= rules.last else ()
    if not found_days or found_days[0] != first:
        raise UsageError(
            f"{words.day or 'today'} is no trading day of the calendar",
            hint="Give another --day; docs/market-rules.md says which years the calendar has.",
        )
    return found_days


def _source(settings: "Settings", rules: "MarketRules", words: ExchangeWords, days: Sequence[TradingDay]) -> DaySource:
    """Return where the market's ticks come from."""
    from pathlib import Path

    from manjha.app.bootstrap import bar_store, instrument_book, tick_reader
    from manjha.services.stored import load_bars

    if words.ticks and len(words.ticks) != len(words.instruments):
        raise UsageError(
            f"--ticks expects a file for each of {len(words.instruments)} instruments, was given {len(words.ticks)}",
            hint="Repeat --ticks in the order of --instrument.",
        )
    if not words.instruments:
        return synthetic_days(rules, words, days)
    book = instrument_book(settings)
    listed = tuple(book.find(name, days[0]) for name in words.instruments)
    if words.ticks:
        read = tick_reader(rules, book)
        pairs = zip(words.ticks, listed, strict=True)
        return RecordedDays(listed, tuple(read(Path(file), one) for file, one in pairs))
    store, span = bar_store(settings), (TradingDay(days[0] - HISTORY_DAYS), days[-1])
    bars = {one.id: load_bars(store, one, MINUTE, span) for one in listed}
    return BarDays(listed, bars, words.seed, words.per_bar)


def synthetic_days(rules: "MarketRules", words: ExchangeWords, days: Sequence[TradingDay]) -> DaySource:
    """Return the synthetic market of some days, with a history before them."""
    spec = default_spec(words.seed, TradingDay(days[0] - HISTORY_DAYS), days[-1])
    bars = generate(spec, exchange_sessions(rules, spec))
    return BarDays(tuple(item.instrument for item in spec.instruments), bars, words.seed, words.per_bar)


def _founding(rules: "MarketRules", source: DaySource, days: Sequence[TradingDay], words: ExchangeWords) -> Founding:
    app = App(api_key=words.api_key, api_secret=words.api_secret, redirect_url=words.redirect_url)
    app = msgspec.structs.replace(app, addresses=(*app.addresses, *words.addresses))
    cash, held = parse_cash(words.cash), tuple(owned(text) for text in words.holdings)
    users = [
        User(user_id=name, name=f"{name} (simulated)", cash=cash, commodity_cash=cash, holdings=held)
        for name in words.users or ("SIM001",)
    ]
    return Founding(
        rules, source, days, [app], users, words.seed, switched(words.rules), limits=words.limits,
        auto_login=words.auto_login,
    )  # fmt: skip


def owned(text: str) -> Owned:
    """Read shares that are held from before, "NSE:MANJHA=10@1400.50". Raises `UsageError`."""
    name, _, bought = text.partition("=")
    exchange, _, symbol = name.partition(":")
    qty, _, px = bought.partition("@")
    if not (exchange and symbol and qty.isdecimal() and int(qty) and px):
        raise UsageError(
            f"--holding expects EXCHANGE:SYMBOL=QUANTITY@PRICE, was {text!r}", hint="For example NSE:MANJHA=10@1400.50."
        )
    return Owned(exchange, symbol, int(qty), parse_px(px))
