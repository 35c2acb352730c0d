"""Paper trading put together: an account, its lock and journal, a strategy, a feed, and the loop that runs them.

The exchange is simulated, and so are ticks that are made inside stored bars; recorded ones are not. All is said.
"""

import asyncio
import os
import time
from collections.abc import Callable

import msgspec

from manjha.adapters.system.control_socket import ControlSocket
from manjha.app.bootstrap import (
    backtest_services,
    control_limits,
    journal_to_write,
    kill_switch,
    market_segments,
    replayed_feed,
    system_clock,
)
from manjha.app.observing.observer import Observer, observing
from manjha.app.settings import Settings
from manjha.app.streaming.recording import RECORDED, recorded_columns, streamed_columns
from manjha.app.trading import account_parts
from manjha.app.trading.live import far_session
from manjha.app.trading.loop import Ended, Loop, People
from manjha.app.trading.paper import paper_session
from manjha.app.trading.preopen import PreOpen
from manjha.app.trading.session import Around, Session
from manjha.app.trading.set_aside import set_aside
from manjha.app.trading.steady_clock import SteadyClock
from manjha.app.trading.teller import Say, Teller
from manjha.app.trading.traded_where import PAPER
from manjha.app.trading.watcher import AccountWatcher, Report, Shown, report_of
from manjha.domain.bars import BarColumns
from manjha.domain.errors import DataError, UsageError
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TradingDay, TsNs, format_day
from manjha.domain.orders import AccountId, Origin, RunId, StrategyId
from manjha.domain.ticks import Tick
from manjha.engine.bars import first_bars
from manjha.market.calendar import trading_days
from manjha.research.tick_drive import each_tick, screen
from manjha.services.backtests import BacktestRequest, plan_backtest
from manjha.services.live_runs import LivePlan, finished
from manjha.services.tick_runs import recorded_ticks
from manjha.simulator.fills import VenueModels
from manjha.simulator.synthetic_ticks import ticks_within

PATIENCE_S = 5
"""How long the last notes may take at the end."""
PER_BAR = 12
"""Ticks made inside a stored bar, unless asked for otherwise."""
Begin = Callable[..., Session]
"""How an account is taken over."""
SESSIONS: dict[str, Begin] = {"": paper_session, "simulated": far_session}
"""How an account is taken over, by the gateway that its exchange is behind."""


class TradeWords(msgspec.Struct, frozen=True, kw_only=True):
    """What a user asks for. `start` and `end` are the days that are traded, of bars that are stored.

    `ticks` are files of recorded ticks, one an instrument in their order, or `recorded` for those that were recorded
    here; `stream` is a server that still has them. Without either, ticks are made inside the bars.
    `gateway` is behind which one the exchange is; empty for an exchange that answers at once.
    """

    account: str
    request: BacktestRequest
    found_as: str
    start: TradingDay
    end: TradingDay
    per_bar: int = PER_BAR
    ticks: tuple[str, ...] = ()
    stream: str = ""
    speed: float = 60.0
    gateway: str = ""


def trade(settings: Settings, words: TradeWords, say: Say) -> Report:
    """Trade an account on paper until the days are over, or until it is asked to stop.

    Raises
    ------
    UsageError
        A word that means nothing; or the account's last run was another one and still holds something.
    DataError
        No stored bars on the days to be traded.
    AccountHeld
        Another process trades the account.
    JournalHalted
        The journal cannot be written, read or trusted.
    """
    begin = SESSIONS.get(words.gateway)
    if begin is None:
        raise UsageError(
            f"unknown gateway {words.gateway!r}",
            hint=f"There is {', '.join(filter(None, SESSIONS))}; `--live` trades at the broker.",
        )
    home = account_parts.places(settings, words.account)
    home.folder.mkdir(parents=True, exist_ok=True)
    account_parts.claim_account(settings, words.account, PAPER)
    with observing(settings, words.account) as observer:
        return _traded(settings, words, say, (begin, observer))


def _traded(settings: Settings, words: TradeWords, say: Say, by: tuple[Begin, Observer]) -> Report:
    """Take the account over at an exchange as `begin` has it, and run its loop."""
    (begin, observer), home = by, account_parts.places(settings, words.account)
    account = AccountId(words.account)
    plan, ticks, models = _plan(settings, words)
    where = account_parts.journal_to_trade(settings, account)
    lock = account_parts.leader_lock(where, account)
    lock.acquire()
    journal = journal_to_write(where, account)
    segments = market_segments(settings, where, account)
    notifier = account_parts.notifier(settings, os.environ)
    teller = Teller(account, plan.spec, say, notifier)
    try:
        kill = kill_switch(settings)
        before = PreOpen(home.folder, say, teller.call)
        around = observer.beside(Around(time.monotonic_ns, teller.call, kill.thrown, teller.saw, before.look))
        days = list(trading_days(plan.spec.rules, words.start, words.end))
        over = finished(plan, journal, segments, max(days, default=words.end))
        if over is not None:
            return report_of(over, "its days are over", is_new=False)
        session = begin(plan, models, (journal, segments), days, plan.history_until_ns, around)
        state = session.trader.state
        teller.watch(state)
        teller.took_up(session.taken)
        left = [tick for tick in ticks if tick.ts_ns >= session.pump.now_ns]
        socket = account_parts.control_socket(settings, words.account)
        feed = replayed_feed(left, words.speed)
        shown = Shown(before, feed, seen=observer.beat)
        watcher = AccountWatcher(account_parts.vitals(settings, words.account), words.account, shown)
        clock = SteadyClock(system_clock().now_ns, time.monotonic_ns)
        loop = Loop(session, feed, People(socket.inbox, kill), watcher, clock)
        ended = asyncio.run(run_beside(loop, socket, observer))
        return report_of(state, str(ended), is_new=session.is_new)
    finally:
        notifier.close(PATIENCE_S)
        segments.close()
        journal.close()
        lock.release()


async def run_beside(loop: Loop, socket: ControlSocket, observer: Observer) -> Ended:
    """Run a loop, and hear what people ask of it."""
    await socket.open()
    observer.began(loop)
    watching = asyncio.create_task(observer.watch())
    try:
        with set_aside():
            ended = await loop.run()
    except Exception as error:
        observer.log.error("the trader has failed", error=repr(error))  # noqa: TRY400 - whoever catches it shows where
        raise
    else:
        observer.log.info("trading ends", why=str(ended))
        return ended
    finally:
        watching.cancel()
        await socket.close()


def _plan(settings: Settings, words: TradeWords) -> tuple[LivePlan, list[Tick], VenueModels]:
    services = backtest_services(settings)
    spec = plan_backtest(services, words.request)
    if spec.sessions_from_data:
        raise UsageError("paper trading takes its sessions from the calendar", hint="Leave out sessions_from_data.")
    from_ns = TsNs(words.start * DAY_NS - IST_OFFSET_NS)
    coming = [_since(columns, from_ns) for columns in spec.bars]
    if not words.ticks and not words.stream and not any(len(columns) for columns in coming):
        raise DataError(
            f"no bars are stored from {format_day(words.start)} to {format_day(words.end)}",
            hint="`manjha data list` shows what there is; `manjha demo` makes a synthetic market.",
        )
    days = range(words.start, words.end + 1)
    if words.stream:
        given = streamed_columns(settings, words.stream, spec.instruments, days)
    elif words.ticks == (RECORDED,):
        given = recorded_columns(settings, spec.instruments, days)
    elif words.ticks:
        given = recorded_ticks(words.ticks, services.read_ticks, spec, (words.start, words.end))
    else:
        given = [ticks_within(columns, spec.seed, words.per_bar) for columns in coming]
    screened = screen(spec, given)
    parts = {name: tuple(_until(columns, from_ns) for columns in getattr(spec, name)) for name in ("bars", "further")}
    origin = Origin(AccountId(words.account), StrategyId(spec.strategy.name), _run_id(words))
    live = msgspec.structs.replace(spec, **parts, controls=control_limits(settings, spec.strategy.name))
    plan = LivePlan(live, origin, words.found_as, from_ns)
    models = VenueModels(rules=spec.fills, slippage=spec.slippage, latency_ns=spec.latency_ns, bands=spec.bands)
    return plan, list(each_tick(screened, spec.instruments)), models


def _run_id(words: TradeWords) -> RunId:
    return RunId(f"{words.account}-{format_day(words.start).replace('-', '')}")


def _since(columns: BarColumns, from_ns: int) -> BarColumns:
    skipped = len(_until(columns, from_ns))
    names = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
    return msgspec.structs.replace(columns, **{name: getattr(columns, name)[skipped:] for name in names})


def _until(columns: BarColumns, from_ns: int) -> BarColumns:
    count = sum(opened < from_ns for opened in columns.ts_open_ns)
    return first_bars(columns, count)
