"""Puts the exchange server together: its market, its people, its time."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from manjha.domain.bars import MINUTE
from manjha.domain.errors import DataError, UsageError
from manjha.domain.moments import TradingDay, at, clock_ns, day_of, parse_clock, parse_day
from manjha.domain.money import Cash, parse_cash, parse_px
from manjha.exchange.accounts.users import App, Owned, User
from manjha.exchange.clock import Time
from manjha.exchange.exchange import Exchange, Founding, found
from manjha.exchange.market.sources import BarDays, DaySource, RecordedDays
from manjha.exchange.saved import restore, saved
from manjha.exchange.switches import switched
from manjha.exchange.trouble.faults import Plan, read_plan
from manjha.exchange.trouble.manual import Habits
from manjha.exchange.trouble.rms import RmsState
from manjha.market.calendar import trading_days
from manjha.simulator.synthetic import default_spec, exchange_sessions, generate

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from manjha.app.settings import Settings
    from manjha.exchange.application import Chore
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
    postback_url: str = ""
    addresses: Sequence[str] = ()
    cash: str = "1000000"
    holdings: Sequence[str] = ()
    auto_login: bool = False
    limits: bool = True
    instruments: Sequence[str] = ()
    ticks: Sequence[str] = ()
    rules: Mapping[str, str] = {}
    faults: Path | None = None
    state: Path | None = None
    manual_trader: str = ""
    rms: bool = False
    rms_margin: str = ""


def exchange_app(settings: "Settings", words: ExchangeWords, machine_ns: int) -> "tuple[Starlette, Exchange]":
    """Return the application of an exchange, and the exchange.

    Raises
    ------
    UsageError
        A day on which nothing trades, or no calendar for it; no stored bars, or a file that is too much or missing.
    DataError
        A file of ticks, a fault plan or a saved state that cannot be read or carried out.
    """
    from manjha.app.bootstrap import market_rules
    from manjha.exchange.application import create_app

    require_people(words)
    rules = market_rules(settings)
    days = days_asked(rules, words, day_of(machine_ns))
    start_ns = at(days[0], clock_ns(machine_ns) if words.clock == NOW else parse_clock(words.clock))
    exchange = found(_founding(rules, _source(settings, rules, words, days), days, words), start_ns)
    chores = []
    let_act(exchange, words)
    if words.state is not None:
        # Who acted then acts on, whatever the options of now say.
        restore_from(exchange, words.state)
        chores.append(kept(exchange, words.state))
    if words.faults is not None:
        exchange.mishaps.arm(fault_plan(words.faults), exchange.now_ns)
    clock = Time(exchange, time.monotonic_ns, exchange.now_ns, words.speed, stands=words.paused)
    return create_app(exchange, clock, chores=chores), exchange


def require_people(words: ExchangeWords) -> None:
    """Look at who there is to be, and where they are heard. Raises `UsageError` for what nobody could trade with."""
    for name in words.users:
        if not (name.isascii() and name.isalnum()) or words.users.count(name) > 1:
            raise UsageError(
                f"--user expects an id of letters and digits for each, was {name!r}, {words.users.count(name)} times",
                hint="For example --user SIM001 --user SIM002.",
            )
    if parse_cash(words.cash) < 0:
        raise UsageError(f"--cash cannot be negative, was {words.cash}", hint="Give rupees, for example 1000000.")
    for option, url in (("--redirect-url", words.redirect_url), ("--postback-url", words.postback_url)):
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise UsageError(f"{option} expects http://… or https://…, was {url!r}")
    for address in words.addresses:
        try:
            ip_address(address)
        except ValueError:
            raise UsageError(
                f"--address expects an IP address, was {address!r}", hint="For example 10.0.0.7."
            ) from None


def let_act(exchange: Exchange, words: ExchangeWords) -> None:
    """Let a manual trader and risk management act as asked. Raises `UsageError`, and `DataError` for the margin."""
    if words.manual_trader:
        if words.manual_trader not in exchange.users:
            raise UsageError(
                f"--manual-trader names {words.manual_trader}, the users are {', '.join(exchange.users)}",
                hint="Name one of them, or add it by --user.",
            )
        exchange.manual.begin(Habits(words.manual_trader, words.seed), exchange.now_ns)
    margin = parse_px(words.rms_margin) if words.rms_margin else 0
    if margin < 0:
        raise UsageError("--rms-margin cannot be negative", hint="Give rupees, for example 50000.")
    exchange.rms.settings = RmsState(squares_off=words.rms, margin=Cash(margin))


def restore_from(exchange: Exchange, path: Path) -> None:
    """Let an exchange go on where the file says; where there is none it begins anew. Raises as `saved.restore`."""
    try:
        body = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"no state can be read from {path}: {error.strerror}", hint="Correct --state.") from None
    restore(exchange, body)


def kept(exchange: Exchange, path: Path) -> "Chore":
    """Return the chore that saves an exchange in a file when it ends; `exchange.save` does so at any time.

    A draft takes the file's place: whatever happens, a whole state is there. Raises `UsageError` for no such folder.
    """
    if not path.parent.is_dir():
        raise UsageError(f"no folder {path.parent} to save the state in", hint="Make it, or correct --state.")
    draft = path.with_name(f"{path.name}.draft")

    def save() -> int:
        size = draft.write_bytes(saved(exchange))
        draft.replace(path)
        return size

    exchange.save = save

    async def at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            save()

    return at_the_end


def fault_plan(path: Path) -> Plan:
    """Return the fault plan of a file. Raises `UsageError` where it cannot be read, `DataError` for what it says."""
    try:
        raw = msgspec.toml.decode(path.read_bytes())
    except OSError as error:
        raise UsageError(f"no fault plan can be read from {path}: {error.strerror}", hint="Correct --faults.") from None
    except msgspec.DecodeError as error:
        raise DataError(f"{path} is no TOML: {error}", hint="docs/exchange-faults.md has an example.") from None
    return read_plan(raw)


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
    app = App(
        api_key=words.api_key, api_secret=words.api_secret, redirect_url=words.redirect_url,
        postback_url=words.postback_url,
    )  # fmt: skip
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
