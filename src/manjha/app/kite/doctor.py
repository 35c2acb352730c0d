"""Everything that trading at Kite needs, looked at from outside a trader: each line ok, warn or fail, with a remedy."""

import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from manjha.adapters.kite.listing import Listing
from manjha.app.bootstrap import control_limits, journal_to_read, kill_switch, market_rules
from manjha.app.kite.account import AtKite, at_kite
from manjha.app.kite.login import LoginNow, app_keys, saved_login
from manjha.app.kite.times import times_at
from manjha.app.secret_stores import SEAL_KEY, Stores, secret_store, stores
from manjha.app.settings import Settings
from manjha.app.trading.account_parts import journal_to_trade
from manjha.app.trading.live_checks import clock_line, login_line, require_account
from manjha.domain.errors import ManjhaError, SettingsError
from manjha.domain.instrument import Exchange
from manjha.domain.kill import level_name
from manjha.domain.moments import TsNs, day_of, format_day
from manjha.market.calendar import is_trading_day
from manjha.risk.control_limits import require_live_limits
from manjha.services.checklist import DISK_REFUSE, DISK_WARN, Line, Verdict
from manjha.services.kill_switch import in_force


class Health(StrEnum):
    """What a line says."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Looked(NamedTuple):
    """One line: what was looked at, how it is, what was found, and what to do where it is not ok."""

    name: str
    health: Health
    found: str
    remedy: str = ""


_HEALTH = {Verdict.OK: Health.OK, Verdict.WARN: Health.WARN, Verdict.REFUSE: Health.FAIL}


async def doctor(settings: Settings, account: str, environment: Mapping[str, str]) -> list[Looked]:
    """Look at everything, and change nothing: what fails keeps no other line from being looked at.

    `account` is the one that is to be traded; empty for whoever is logged in.
    """
    found = [
        _environment(),
        _tried("storage", lambda: _storage(settings, account)),
        _disk(settings),
        _tried("secrets", lambda: _secrets(settings, environment)),
        _tried("limits", lambda: _limits(settings)),
        _tried("kill switch", lambda: _kill(settings)),
        _tried("calendar", lambda: _calendar(settings)),
    ]
    return found + await _at_kite(settings, account)


def is_well(lines: list[Looked]) -> bool:
    """Tell whether nothing fails."""
    return all(line.health is not Health.FAIL for line in lines)


# ---- this machine


def _environment() -> Looked:
    version = ".".join(str(part) for part in sys.version_info[:3])
    missing = [name for name in ("httptools", "websockets", "cryptography") if find_spec(name) is None]
    if missing:
        return Looked("environment", Health.FAIL, f"not installed: {', '.join(missing)}", "Install Manjha anew")
    return Looked("environment", Health.OK, f"Python {version}, everything that Kite needs is installed")


def _storage(settings: Settings, account: str) -> Looked:
    settings.home.mkdir(parents=True, exist_ok=True)
    probe = settings.home / ".doctor"
    probe.write_bytes(b"")
    probe.unlink()
    where = journal_to_trade(settings, account) if account else ""
    if not where or ("://" not in where and not Path(where).exists()):
        return Looked("storage", Health.OK, f"{settings.home} can be written")
    try:
        opened = journal_to_read(where, account)
    except SettingsError as error:
        if "://" not in where:
            raise
        # A database may be there without a journal of this account.
        remedy = "A new account's journal is made when it trades; if it has traded, correct journal_url"
        return Looked("storage", Health.WARN, f"{settings.home} can be written; {error.message}", remedy)
    try:
        return Looked(
            "storage", Health.OK, f"{settings.home} can be written; the journal has {opened.head().seq:,} rows"
        )
    finally:
        opened.close()


def _disk(settings: Settings) -> Looked:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    health = Health.OK if free >= DISK_WARN else Health.FAIL if free < DISK_REFUSE else Health.WARN
    return Looked("disk", health, f"{free >> 20:,} MiB free", "" if health is Health.OK else "Make room there")


def _secrets(settings: Settings, environment: Mapping[str, str]) -> Looked:
    found = stores(settings, environment)
    store, kept = found.chain, found.keyring or found.vault or found.file
    if kept is None:
        remedy = f'export {SEAL_KEY}="$(manjha login --new-seal-key)", and keep it where your passwords are'
        return Looked("secrets", Health.FAIL, f"{SEAL_KEY} is not set: no login can be kept", remedy)
    app_keys(store)
    saved_login(store)
    return Looked("secrets", Health.OK, f"the app's keys are there, {_opens(found)}")


def _opens(found: Stores) -> str:
    """Say which stores answer; each is asked for its names."""
    asked = [("the keyring", found.keyring), ("Vault", found.vault), ("the sealed file", found.file)]
    there = [word for word, store in asked if store is not None and store.names() is not None]
    return f"{' and '.join(there)} {'opens' if len(there) == 1 else 'open'}"


def _limits(settings: Settings) -> Looked:
    require_live_limits(control_limits(settings))
    return Looked("limits", Health.OK, "all that real money needs are set")


def _kill(settings: Settings) -> Looked:
    levels = in_force(kill_switch(settings))
    if not levels:
        return Looked("kill switch", Health.OK, "off")
    found = ", ".join(f"{level_name(level)} for {scope.display}" for scope, level in levels.items())
    return Looked("kill switch", Health.WARN, found, "`manjha resume` lifts it")


def _calendar(settings: Settings) -> Looked:
    rules, today = market_rules(settings), day_of(TsNs(time.time_ns()))
    if today > rules.last:
        found = f"ends on {format_day(rules.last)}"
        return Looked("calendar", Health.FAIL, found, "Bring a newer Manjha, or give rows of your own: rules_file")
    word = "a trading day" if is_trading_day(rules, today, Exchange.NSE) else "no trading day"
    return Looked("calendar", Health.OK, f"today, {format_day(today)}, is {word} of NSE")


# ---- the broker


async def _at_kite(settings: Settings, account: str) -> list[Looked]:
    try:
        times = await times_at(settings.kite.url, time.monotonic_ns)
        login = LoginNow(secret_store(settings), times.now_ns, time.monotonic_ns)
        why = login.why_not()
        line = _looked(login_line(login.login(), why, TsNs(times.now_ns())))
    except ManjhaError as error:
        return [Looked("login", Health.FAIL, error.message, error.hint)]
    if why:
        return [line]
    async with AsyncExitStack() as stack:
        kite = await stack.enter_async_context(at_kite(settings))
        return [
            line,
            await _asked("profile", lambda: _profile(kite, account)),
            await _asked("clock", lambda: _clock(kite)),
            await _asked("instruments", lambda: _instruments(kite)),
            Looked(
                "static IP", Health.WARN, "cannot be known before an order: Kite checks it with the first one",
                "developers.kite.trade shows the address that is registered; orders must come from it",
            ),
        ]  # fmt: skip


async def _profile(kite: AtKite, account: str) -> Looked:
    login = kite.login.login()
    wanted = account or (login.user_id if login is not None else "")
    name = await require_account(kite.rest, wanted)
    return Looked("profile", Health.OK, f"{wanted} ({name}) is who is logged in")


async def _clock(kite: AtKite) -> Looked:
    return _looked(await clock_line(kite))


async def _instruments(kite: AtKite) -> Looked:
    listing = Listing(await kite.rest.dump("/instruments/NSE"))
    if not len(listing):
        return Looked("instruments", Health.FAIL, "Kite's list of NSE is empty", "Try again later")
    return Looked("instruments", Health.OK, f"Kite's list of NSE has {len(listing):,} rows, read just now")


# ---- lines


def _looked(line: Line) -> Looked:
    return Looked(line.name, _HEALTH[line.verdict], line.found, line.remedy)


def _tried(name: str, look: Callable[[], Looked]) -> Looked:
    try:
        return look()
    except ManjhaError as error:
        return Looked(name, Health.FAIL, error.message, error.hint)
    except OSError as error:
        return Looked(name, Health.FAIL, f"{error.filename}: {error.strerror}", "Change its rights, or MANJHA_HOME")


async def _asked(name: str, look: Callable[[], Awaitable[Looked]]) -> Looked:
    try:
        return await look()
    except ManjhaError as error:
        return Looked(name, Health.FAIL, error.message, error.hint)
