"""Trading with real money put together: an account at Kite, its lock and journal, a strategy, the ticker, the loop.

Nothing in here makes a price or fills an order: where the broker cannot be had, nothing is traded. A simulated exchange
is traded at in the same way, by its address, and is called one in everything that is shown.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from manjha.adapters.kite.feed import KiteFeed
from manjha.app.bootstrap import (
    control_limits,
    journal_to_write,
    kill_switch,
    market_segments,
)
from manjha.app.kite.account import (
    AtKite,
    Today,
    at_kite,
    candles_of,
    feed_of,
    gateway_of,
    margins_of,
    postbacks,
    todays_names,
)
from manjha.app.observing.observer import Observer, observing
from manjha.app.settings import Settings
from manjha.app.streaming.streams import nats_stream
from manjha.app.trading import account_parts
from manjha.app.trading.gaps import backfill_of, lived_from
from manjha.app.trading.live import Broker, remote_session
from manjha.app.trading.live_checks import clock_line, further_lines, require_account, today_of
from manjha.app.trading.live_history import bring_history
from manjha.app.trading.loop import Ended, Loop, People
from manjha.app.trading.paper_trading import PATIENCE_S, run_beside
from manjha.app.trading.preopen import PreOpen
from manjha.app.trading.session import Around, Session
from manjha.app.trading.streamed_trading import HealthTold, streamed_feed
from manjha.app.trading.teller import Say, Teller
from manjha.app.trading.todays_plan import plan_of_today
from manjha.app.trading.traded_where import KITE, SIMULATED_KITE
from manjha.app.trading.watcher import AccountWatcher, Report, Shown, report_of
from manjha.domain.errors import InvariantBroken, SourceError, UsageError
from manjha.domain.moments import format_ts
from manjha.domain.orders import AccountId, Order, OrderId
from manjha.market.calendar import trading_days
from manjha.ports.feed import Feed
from manjha.ports.journal import Journal
from manjha.ports.notifier import Notifier
from manjha.ports.segments import MarketSegments
from manjha.risk.control_limits import require_live_limits
from manjha.services.backtests import BacktestRequest
from manjha.services.live_runs import LivePlan

DAY_OVER = "the day is over"


class LiveWords(msgspec.Struct, frozen=True, kw_only=True):
    """What a user asks for. `confirmed` is the account's id once more, as a person typed it.

    `stream` is the NATS server from which the ticks are taken; empty for the ticker of this process.
    """

    account: str
    request: BacktestRequest
    found_as: str
    confirmed: str
    stream: str = ""


class _Kept(msgspec.Struct, frozen=True):
    """What a live trader keeps: its lock is held around it."""

    journal: Journal
    segments: MarketSegments
    notifier: Notifier
    observer: Observer


class _Fed(NamedTuple):
    """Today's names, the ticker that brings news of orders, and where ticks come from: that one, or a stream."""

    listed: Today
    ticker: KiteFeed
    ticks: Feed


class _Asked(NamedTuple):
    """What is to be traded, and on what."""

    words: LiveWords
    plan: LivePlan
    fed: _Fed


def trade_live(settings: Settings, words: LiveWords, say: Say) -> Report:
    """Trade an account at Kite until its day is over, or until it is asked to stop. Everything is checked before.

    Raises
    ------
    UsageError
        The account was not confirmed, or is not the one that is logged in; no trading day; an instrument that Kite does
        not list; the account is traded on paper here, or its last run was another one and still holds something.
    SettingsError
        A limit is missing that real money must not be traded without.
    SourceError
        Nobody is logged in, or Kite does not answer.
    AccountHeld
        Another process trades the account.
    JournalHalted
        The journal cannot be written, read or trusted.
    """
    if words.confirmed != words.account:
        raise UsageError(
            f"expected the id of the account, {words.account}, was {words.confirmed!r}; nothing was sent",
            hint=f"Type it when asked, or give --yes-account {words.account}.",
        )
    require_live_limits(control_limits(settings))
    home = account_parts.places(settings, words.account)
    home.folder.mkdir(parents=True, exist_ok=True)
    account = AccountId(words.account)
    lock = account_parts.leader_lock(account_parts.journal_to_trade(settings, account), account)
    lock.acquire()
    try:
        with observing(settings, words.account) as observer:
            return asyncio.run(_traded(settings, words, say, observer))
    finally:
        lock.release()


async def _traded(settings: Settings, words: LiveWords, say: Say, observer: Observer) -> Report:
    account = AccountId(words.account)
    async with at_kite(settings) as kite:
        observer.learn(kite.login.token())
        name = await require_account(kite.rest, words.account)
        place = SIMULATED_KITE if kite.times.at_simulation else KITE
        account_parts.claim_account(settings, words.account, place)
        bring_history(settings, words.request, kite.times, say)
        plan = plan_of_today(settings, words.account, words.request, words.found_as, kite.times, lived_from)
        say(f"{words.account} ({name}) at {_place(settings, kite)}; it is {format_ts(kite.times.now_ns())[:19]} there")
        where = account_parts.journal_to_trade(settings, account)
        kept = _Kept(
            journal_to_write(where, account),
            market_segments(settings, where, account),
            account_parts.notifier(settings, os.environ),
            observer,
        )
        try:
            async with _fed(settings, words.stream, kite, plan) as fed:
                return await _run(settings, _Asked(words, plan, fed), kite, kept, say)
        finally:
            kept.notifier.close(PATIENCE_S)
            kept.segments.close()
            kept.journal.close()


@asynccontextmanager
async def _fed(settings: Settings, address: str, kite: AtKite, plan: LivePlan) -> AsyncIterator[_Fed]:
    """Give the ticks of a run until the end of the block.

    News of orders are the account's own affair: where ticks come from a stream, a connection without instruments
    brings them, so that neither who publishes nor what carries it can keep them from the trader.
    """
    spec = plan.spec
    listed = await todays_names(kite.rest, spec.instruments)
    exchanges = [one.exchange for one in spec.instruments]
    watched = listed._replace(watched={}) if address else listed
    ticker = feed_of(settings, kite, watched, spec.rules, exchanges)
    ticks: Feed = ticker
    if address:
        ticks = await streamed_feed(settings, nats_stream(settings, address), spec.instruments, kite.times)
    try:
        yield _Fed(listed, ticker, ticks)
    finally:
        await ticks.close()
        await ticker.close()


async def _run(settings: Settings, asked: _Asked, kite: AtKite, kept: _Kept, say: Say) -> Report:
    """Look at everything once more, take the account over, and run the loop."""
    words, plan, (listed, ticker, feed) = asked
    spec, today = plan.spec, today_of(kite.times)
    teller = Teller(plan.origin.account, spec, say, kept.notifier)
    kill = kill_switch(settings)
    lines = further_lines(kite, await clock_line(kite), spec.rules, spec.instruments, today)
    home = account_parts.places(settings, words.account)
    before = PreOpen(home.folder, say, teller.call, needs_limits=True, further=lines)
    around = kept.observer.beside(Around(time.monotonic_ns, teller.call, kill.thrown, teller.saw, before.look))
    taken: list[Session] = []

    def order_of(order_id: OrderId) -> Order:
        if not taken:
            raise InvariantBroken(f"order {order_id} was changed before its run began")
        return taken[0].trader.state.book.records[order_id].order

    gateway, margins = gateway_of(kite, listed, order_of, ticker), margins_of(kite, listed)
    broker = Broker(gateway, refuses=kite.login.why_not, margins=margins)
    days = trading_days(spec.rules, today, spec.rules.last)
    session = remote_session(plan, broker, (kept.journal, kept.segments), days, kite.times.now_ns(), around)
    session = session._replace(backfill=backfill_of(session, spec, candles_of(kite, listed), teller.call, say))
    taken.append(session)
    state = session.trader.state
    teller.watch(state, session.backfill)
    teller.took_up(session.taken)

    health = HealthTold(feed, say)

    def look(seen: Session) -> None:
        if words.stream:
            health(seen)
        kept.observer.learn(kite.login.token())
        kept.observer.beat(seen)
        # Names and tokens are of today: tomorrow begins with a login and a process of its own.
        if seen.trader.state.ended_day >= today:
            loop.stop()

    vitals = account_parts.vitals(settings, words.account)
    watcher = AccountWatcher(vitals, words.account, Shown(before, feed, _place(settings, kite), look))
    socket = account_parts.control_socket(settings, words.account)
    loop = Loop(session, feed, People(socket.inbox, kill), watcher, kite.times.clock, follows_clock=True)
    async with postbacks(settings, words.account, ticker.hint):
        ended = await run_beside(loop, socket, kept.observer)
    if ended is Ended.FEED:
        raise SourceError("the ticker has ended", hint="Start the trader again; it goes on where its journal ends.")
    over = ended is Ended.ASKED and state.ended_day >= today
    return report_of(
        state,
        DAY_OVER if over else str(ended),
        is_new=session.is_new,
        exchange=_place(settings, kite),
        backfill=session.backfill,
    )


def _place(settings: Settings, kite: AtKite) -> str:
    """Say where an account trades."""
    return f"a simulated exchange at {settings.kite.url}" if kite.times.at_simulation else settings.kite.url
