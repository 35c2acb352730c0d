"""The order path on paper, its journal on SQLite: `python -m benchmarks.order_path [DAYS]`.

A strategy that buys or sells at every minute trades made-up days of one share, as `manjha trade` does. Measured by the
clock: from a decision to the moment at which its order leaves (gate, rows on disk, outbox), how long it takes to book
what the broker shows, and how long a second process takes to be ready: to read and step through the whole journal, and
to compare what the broker has.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np

from manjha.adapters.files.rule_tables import load_rules
from manjha.adapters.files.segments import SegmentFolder
from manjha.adapters.sql.journal import SqlJournal
from manjha.app.trading.loopback import PaperBroker
from manjha.app.trading.outbox import Outgoing
from manjha.app.trading.paper import paper_session
from manjha.app.trading.session import Around, Session
from manjha.app.trading.trader import Trader
from manjha.domain.bars import MINUTE
from manjha.domain.commands import Output, SubmitOrder
from manjha.domain.events import BrokerRead, Event
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TradingDay, TsNs, parse_day
from manjha.domain.money import Qty
from manjha.domain.orders import AccountId, Origin, Product, RunId, StrategyId
from manjha.domain.sizing import FixedQty
from manjha.engine.bars import empty_bars
from manjha.market.calendar import trading_days
from manjha.research.backtest import BacktestSpec
from manjha.research.tick_drive import each_tick, screen
from manjha.risk.control_limits import ControlLimits
from manjha.services.live_runs import LivePlan
from manjha.simulator.fills import VenueModels
from manjha.simulator.synthetic import default_spec, exchange_sessions, generate
from manjha.simulator.synthetic_ticks import ticks_within
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy

ACCOUNT = AccountId("BENCH")
FIRST = parse_day("2024-01-01")
PER_BAR = 4


class Restless(Strategy):
    """In at one minute, out at the next."""

    name = "restless"
    product = Product.MIS

    def on_bar(self, ctx: Context) -> None:
        """Ask for ten more or ten fewer."""
        Clock.decided = time.perf_counter_ns()
        if ctx.position:
            ctx.sell(10)
        else:
            ctx.buy(10)


class Clock:
    """What was measured, in ns. `decided` is when the strategy spoke last."""

    decided = 0
    left: ClassVar[list[int]] = []
    booked: ClassVar[list[int]] = []


def watch() -> None:
    """Measure when orders leave, and how long it takes to take in what the broker shows."""
    send, take = PaperBroker.send, Trader.take

    def sending(broker: PaperBroker, outgoing: Outgoing, now_ns: TsNs) -> Iterator[Event]:
        if isinstance(outgoing.command.command, SubmitOrder):
            Clock.left.append(time.perf_counter_ns() - Clock.decided)
        return send(broker, outgoing, now_ns)

    def taking(trader: Trader, event: Event) -> list[Output]:
        began = time.perf_counter_ns()
        outputs = take(trader, event)
        if isinstance(event, BrokerRead):
            Clock.booked.append(time.perf_counter_ns() - began)
        return outputs

    PaperBroker.send, Trader.take = sending, taking  # type: ignore[method-assign,assignment]


def main(days: int = 14) -> None:
    """Measure and print one row."""
    rules = load_rules()
    span = list(trading_days(rules, FIRST, TradingDay(FIRST + 60)))[:days]
    market = default_spec(11, FIRST, span[-1])
    made = generate(market, exchange_sessions(rules, market))
    chosen = next(one.instrument for one in market.instruments if one.instrument.is_tradable)
    spec = BacktestSpec(
        strategy=Restless(), bars=(empty_bars(chosen.id, MINUTE),), instruments=(chosen,), rules=rules,
        sizing=FixedQty(Qty(10)), controls=ControlLimits(entries_max=10**6, orders_day_max=10**6),
        contract_notes=True,
    )  # fmt: skip
    screened = screen(spec, [ticks_within(made[chosen.id], 11, PER_BAR)])
    watch()
    with tempfile.TemporaryDirectory() as folder:
        session, _ = _started(spec, Path(folder), span)
        began = time.perf_counter()
        for tick in each_tick(screened, spec.instruments):
            session.on_tick(tick, tick.ts_ns)
        session.pump.finish()
        session.trader.rest()
        traded = time.perf_counter() - began
        again, ready = _started(msgspec.structs.replace(spec, strategy=Restless()), Path(folder), span)
        row: dict[str, Any] = {"workload": "order path", "ticks": len(screened.ts_ns), "seconds": traded}
        row |= {"orders": len(again.trader.state.book.records), "fills": len(again.trader.state.record_fills)}
        row |= {"rows": again.tape.recorder.seq, "ready_again_s": ready}
    for name, taken in (("decision_to_send", Clock.left), ("booked", Clock.booked)):
        p50, p99 = np.percentile(taken, (50, 99))
        row |= {f"{name}_ms_p50": p50 / 1e6, f"{name}_ms_p99": p99 / 1e6, f"{name}_count": len(taken)}
    print(json.dumps(row))


def _started(spec: BacktestSpec, folder: Path, days: list[TradingDay]) -> tuple[Session, float]:
    """Start a process of the account: return it and the seconds until it may trade."""
    began = time.perf_counter()
    journal = SqlJournal(f"sqlite:///{folder}/journal.db", ACCOUNT)
    segments = SegmentFolder(folder / "segments", ACCOUNT)
    from_ns = TsNs(FIRST * DAY_NS - IST_OFFSET_NS)
    plan = LivePlan(spec, Origin(ACCOUNT, StrategyId("restless"), RunId("BENCH")), "restless", from_ns)
    around = Around(time.monotonic_ns, lambda _person: None, tuple, lambda _event, _outputs: None)
    session = paper_session(plan, VenueModels(), (journal, segments), days, from_ns, around)
    return session, time.perf_counter() - began


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
