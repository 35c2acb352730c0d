"""What is shown of a running trader: vital signs for the sentinel, its state for whoever asks, a report at the end."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from manjha.app.bootstrap import system_clock
from manjha.app.trading.backfill import NO_BACKFILL, Backfill, NoBackfill
from manjha.app.trading.preopen import PreOpen
from manjha.app.trading.session import Session
from manjha.domain.broker import PositionSeen
from manjha.domain.controls import Status
from manjha.domain.moments import SECOND_NS, TsNs, day_of, format_ts
from manjha.domain.money import Qty, format_cash
from manjha.domain.vitals import Heartbeat, LedgerCopy
from manjha.engine.freezing import all_frozen
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.ports.feed import Feed, FeedHealth
from manjha.ports.vitals import Vitals
from manjha.services.checklist import BOOKS, books, thrown


class Report(msgspec.Struct, frozen=True):
    """How trading ended, and where it was: `exchange` is "simulated" for paper. Money in 1e-4 rupee.

    Bars with candles in them, and those of a time without ticks that could not be had, are of this process.
    """

    ended: str
    orders: int
    fills: int
    equity: int
    charges: int
    is_new: bool
    exchange: str = "simulated"
    bars_fetched: int = 0
    bars_missing: int = 0


def report_of(
    state: EngineState,
    ended: str,
    *,
    is_new: bool,
    exchange: str = "simulated",
    backfill: Backfill | NoBackfill = NO_BACKFILL,
) -> Report:
    """Return how trading ended."""
    counts = (len(state.book.records), len(state.record_fills))
    charges = int(state.portfolio.ledger.charges().total)
    late = backfill.fetched, backfill.missing
    return Report(ended, *counts, int(state.equity()), charges, is_new, exchange, *late)


def ledger_copy(state: EngineState, now_ns: TsNs) -> LedgerCopy:
    """Return what a trader believes of its account: what strategies hold, and what others are known to have traded.

    An order that was over before the day is in no book of the broker's any more, and left out.
    """
    open_positions = state.portfolio.open_positions()
    held = [PositionSeen(one.key.instrument, one.key.product, Qty(one.qty)) for one in open_positions]
    filled = {
        record.at_broker.broker_id: record.filled
        for record in state.book.records.values()
        if record.at_broker is not None and record.at_broker.broker_id and not _is_of_before(state, record)
    }
    desk = state.desk
    if desk is not None:
        held += [PositionSeen(*key, Qty(qty)) for key, qty in desk.external.items()]
        filled |= {number: one.counted for number, one in desk.external_orders.items()}
    return LedgerCopy(now_ns, tuple(held), filled, tuple(state.instruments))


def _is_of_before(state: EngineState, record: OrderRecord) -> bool:
    """Tell whether an order was over before the day; one whose end nobody saw is over since then too."""
    unseen = state.desk is not None and record.order.id in state.desk.gone
    return unseen or (record.closed_ns > 0 and day_of(record.closed_ns) < state.day)


def tick_ages(session: Session) -> dict[str, int]:
    """Return how old the newest tick of each kind of instrument is, in ns of the session's time.

    A kind of which none has come yet is absent.
    """
    instruments, newest = session.trader.state.instruments, dict[str, int]()
    for name, tick in session.tape.newest.items():
        if name in instruments:
            kind = str(instruments[name].kind)
            newest[kind] = max(newest.get(kind, 0), tick.ts_ns)
    return {kind: max(session.pump.now_ns - ts_ns, 0) for kind, ts_ns in newest.items()}


def ticks_told(health: FeedHealth, ages: dict[str, int]) -> dict[str, str | int | bool]:
    """Return the lines of a status about the ticks: whether they come, how old they are, how often they ceased."""
    told: dict[str, str | int | bool] = {
        "ticks": health.note or ("connected" if health.is_connected else "the link is down"),
        "ticks seen": health.ticks,
        "links lost": health.interruptions,
        "silent (s)": health.silent_ns // SECOND_NS,
    }
    return told | {f"newest tick of {kind}, age (s)": age_ns // SECOND_NS for kind, age_ns in ages.items()}


class Shown(NamedTuple):
    """What a watcher looks at beside the session: the checklist, and the ticks' health.

    `exchange` is where it trades, in words; `seen` is shown the session once a second.
    """

    before: PreOpen
    feed: Feed
    exchange: str = "simulated"
    seen: Callable[[Session], None] = lambda _session: None


class AccountWatcher:
    """Implements `app.trading.loop.Watcher`: leaves vital signs, and tells how the trader stands."""

    def __init__(self, vitals: Vitals, account: str, shown: Shown) -> None:
        self._before, self._feed, self._exchange, self._seen = shown
        self._vitals = vitals
        self._account = account
        self._count = 0

    def beat(self, session: Session, *, ended: bool) -> None:
        """Leave a heartbeat and a copy of the ledger."""
        self._seen(session)
        state = session.trader.state
        self._count += 1
        now_ns = system_clock().now_ns()
        has_risk = bool(list(state.portfolio.open_positions())) or state.book.open_count > 0
        desk = state.desk
        compared = now_ns if desk is not None and desk.is_compared else TsNs(0)
        self._vitals.beat(Heartbeat(self._count, now_ns, has_risk, compared, ended))
        self._vitals.copy(ledger_copy(state, now_ns))

    def status(self, session: Session) -> Status:
        """Return how things stand, as names and values."""
        state = session.trader.state
        checks: list[dict[str, str | int | bool]] = [
            {"check": one.name, "is": str(one.verdict), "found": one.found, "remedy": one.remedy}
            for one in (books(state) if one.name == BOOKS else one for one in self._before.lines)
        ]
        positions: list[dict[str, str | int | bool]] = [
            {
                "strategy": one.key.strategy,
                "instrument": one.key.instrument,
                "product": str(one.key.product),
                "qty": one.qty,
            }
            for one in state.portfolio.open_positions()
        ]
        return {
            "account": self._account,
            "exchange": self._exchange,
            "strategy": state.origin.strategy,
            "parameters": ", ".join(f"{name}={value}" for name, value in state.strategy.values.items()),
            "time": format_ts(session.pump.now_ns),
            "trading": state.gate.trading_on,
            "kill switch": thrown(state),
            "open orders": state.book.open_count,
            "orders on our own margin model": 0 if state.desk is None else len(state.desk.assumed),
            "fills": len(state.record_fills),
            "equity": format_cash(state.equity()),
            "bars fetched late": session.backfill.fetched,
            "bars missing": session.backfill.missing,
            "frozen": ", ".join(sorted(all_frozen(state))),
            **ticks_told(self._feed.health(), tick_ages(session)),
            "pre-open check": self._before.summary,
            "positions": positions,
            "checks": checks,
        }
