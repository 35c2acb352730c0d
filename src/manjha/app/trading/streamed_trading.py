"""Paper trading on ticks as they happen, taken up from a stream; the exchange is simulated in this process.

Everything but the exchange is as in live trading: bars and timers follow the clock, what is stored is history.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import msgspec

from manjha.app.bootstrap import journal_to_write, kill_switch, market_segments
from manjha.app.kite.account import at_kite
from manjha.app.kite.times import Times, times_at
from manjha.app.observing.observer import Observer, observing
from manjha.app.settings import Settings
from manjha.app.streaming.streams import HERE, named, nats_stream, stream_here
from manjha.app.trading import account_parts
from manjha.app.trading.live_checks import today_of
from manjha.app.trading.live_history import bring_history, history_until
from manjha.app.trading.loop import Ended, Loop, People
from manjha.app.trading.paper import paper_session
from manjha.app.trading.paper_trading import PATIENCE_S, run_beside
from manjha.app.trading.preopen import PreOpen
from manjha.app.trading.session import Around, Session
from manjha.app.trading.teller import Say, Teller
from manjha.app.trading.todays_plan import plan_of_today
from manjha.app.trading.traded_where import PAPER
from manjha.app.trading.watcher import AccountWatcher, Report, Shown, report_of
from manjha.domain.commands import CallPerson
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.orders import AccountId
from manjha.domain.streams import Began
from manjha.market.calendar import trading_days
from manjha.ports.feed import Feed
from manjha.ports.journal import Journal
from manjha.ports.segments import MarketSegments
from manjha.ports.tick_stream import TickStream
from manjha.services.backtests import BacktestRequest
from manjha.services.live_runs import LivePlan
from manjha.services.streamed_feed import StreamedFeed, publisher_of
from manjha.simulator.fills import VenueModels

DAY_OVER = "the day is over"


class StreamedWords(msgspec.Struct, frozen=True, kw_only=True):
    """What a user asks for. `address` is a NATS server, or `here` for the ticker in this process."""

    account: str
    request: BacktestRequest
    found_as: str
    address: str


class HealthTold:
    """Says when ticks come and when they stop, and calls a person for the second: shown the session once a second."""

    def __init__(self, feed: Feed, say: Say) -> None:
        self._feed, self._say = feed, say
        self._note: str | None = None

    def __call__(self, session: Session) -> None:
        """Look, and tell what is new."""
        note = self._feed.health().note
        if note == self._note:
            return
        if note and self._note == "":
            session.trader.call(CallPerson("the stream of ticks", note, session.pump.now_ns))
        self._note = note
        self._say(f"stream of ticks: {note or 'connected'}")


def trade_streamed(settings: Settings, words: StreamedWords, say: Say) -> Report:
    """Trade an account on paper on today's ticks, until its day is over or it is asked to stop.

    Raises
    ------
    UsageError
        No trading day; an instrument that is not published; ticks of another exchange than `kite.url`; else as
        `trading.trade`.
    SourceError
        Nobody publishes on the stream, or it cannot be had.
    AccountHeld
        Another process trades the account.
    JournalHalted
        The journal cannot be written, read or trusted.
    """
    account_parts.places(settings, words.account)
    with observing(settings, words.account) as observer:
        return asyncio.run(_traded(settings, words, say, observer))


async def _traded(settings: Settings, words: StreamedWords, say: Say, observer: Observer) -> Report:
    instruments = named(settings, words.request.instruments)
    async with _stream(settings, words.address, instruments) as (stream, times):
        feed = await streamed_feed(settings, stream, instruments, times)
        try:
            bring_history(settings, words.request, times, say)
            plan = plan_of_today(settings, words.account, words.request, words.found_as, times, history_until)
            say(f"Ticks of {settings.kite.url} from the stream at {words.address}; the exchange is simulated.")
            with _held(settings, plan.origin.account) as storage:
                return await _run(settings, plan, (feed, times, observer), storage, say)
        finally:
            await feed.close()


@contextmanager
def _held(settings: Settings, account: AccountId) -> Iterator[tuple[Journal, MarketSegments]]:
    """Hold an account that is traded on paper, and give its journal and market data."""
    account_parts.places(settings, account).folder.mkdir(parents=True, exist_ok=True)
    account_parts.claim_account(settings, account, PAPER)
    where = account_parts.journal_to_trade(settings, account)
    lock = account_parts.leader_lock(where, account)
    lock.acquire()
    try:
        journal, segments = journal_to_write(where, account), market_segments(settings, where, account)
        try:
            yield journal, segments
        finally:
            segments.close()
            journal.close()
    finally:
        lock.release()


@asynccontextmanager
async def _stream(
    settings: Settings, address: str, instruments: Sequence[Instrument]
) -> AsyncIterator[tuple[TickStream, Times]]:
    """Give a stream, not closed by anybody but its feed, and the time by which its exchange lives."""
    if address != HERE:
        yield nats_stream(settings, address), await times_at(settings.kite.url, time.monotonic_ns)
        return
    async with at_kite(settings) as kite, stream_here(settings, kite, instruments) as ways:
        yield ways(), kite.times


async def streamed_feed(
    settings: Settings, stream: TickStream, instruments: Sequence[Instrument], times: Times
) -> StreamedFeed:
    """Return what takes a stream up for a trader. Raises as `publisher_of` and `require_same_place`."""
    await stream.open()
    shown = {one.id: one.display for one in instruments}
    try:
        found, began = await publisher_of(stream, list(shown), lambda name: shown[name])
        require_same_place(settings, times, began)
    except BaseException:
        await stream.close()
        raise
    feed = StreamedFeed(stream, list(shown), times.now_ns)
    feed.expect(found)
    return feed


def require_same_place(settings: Settings, times: Times, began: Began) -> None:
    """Raise `UsageError` where the ticks are not of the exchange at `kite.url`: by its time and names one trades."""
    if (began.source, began.made_up) != (settings.kite.url, times.at_simulation):
        kind = "a simulated exchange" if began.made_up else "the exchange"
        raise UsageError(
            f"the stream brings ticks of {kind} at {began.source}, kite.url is {settings.kite.url}",
            hint="Set kite.url (MANJHA_KITE_URL) as the publisher has it, or take another stream up.",
        )


async def _run(
    settings: Settings,
    plan: LivePlan,
    ticks: tuple[StreamedFeed, Times, Observer],
    storage: tuple[Journal, MarketSegments],
    say: Say,
) -> Report:
    (feed, times, observer), spec, account = ticks, plan.spec, plan.origin.account
    notifier, kill = account_parts.notifier(settings, os.environ), kill_switch(settings)
    teller = Teller(account, spec, say, notifier)
    before = PreOpen(account_parts.places(settings, account).folder, say, teller.call)
    around = observer.beside(Around(time.monotonic_ns, teller.call, kill.thrown, teller.saw, before.look))
    models = VenueModels(rules=spec.fills, slippage=spec.slippage, latency_ns=spec.latency_ns, bands=spec.bands)
    today = today_of(times)
    try:
        days = trading_days(spec.rules, today, spec.rules.last)
        session = paper_session(plan, models, storage, days, times.now_ns(), around)
        state = session.trader.state
        teller.watch(state)
        teller.took_up(session.taken)
        health = HealthTold(feed, say)

        def look(seen: Session) -> None:
            health(seen)
            observer.beat(seen)
            if seen.trader.state.ended_day >= today:
                loop.stop()

        watcher = AccountWatcher(account_parts.vitals(settings, account), account, Shown(before, feed, seen=look))
        socket = account_parts.control_socket(settings, account)
        loop = Loop(session, feed, People(socket.inbox, kill), watcher, times.clock, follows_clock=True)
        ended = await run_beside(loop, socket, observer)
        over = ended is Ended.ASKED and state.ended_day >= today
        return report_of(state, DAY_OVER if over else str(ended), is_new=session.is_new)
    finally:
        notifier.close(PATIENCE_S)
