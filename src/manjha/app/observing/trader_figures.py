"""The figures of a trader for Prometheus: gauges are set from its state once a second, counters as things happen.

Nothing here runs for a tick. What Prometheus asks for is answered in a thread of its own (`observing.exposed`).
"""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from manjha.app.trading.session import Session
from manjha.app.trading.watcher import tick_ages
from manjha.domain.commands import Approved, Refused, SubmitOrder
from manjha.domain.events import Event, LinkLost, SendVetoed, SubmitAnswered
from manjha.domain.moments import MINUTE_NS, SECOND_NS
from manjha.domain.money import RUPEE
from manjha.domain.orders import OrderId, Phase
from manjha.engine.freezing import all_frozen
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.ports.feed import FeedHealth
from manjha.risk.governor import ACCOUNT, Governor, RateLimits

FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Bounds in seconds of what should take milliseconds: commits, the loop's lag."""
SLOW = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds in seconds of what waits for a broker."""
DECIDED_MAX = 1_000
"""Orders whose answer is waited for; one that never comes must not be remembered for ever."""


class TraderFigures:
    """The figures of one trader. `registry` has them all."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._decided: dict[OrderId, int] = {}
        self._lag_max_s = 0.0
        self._make_gauges()
        self._make_counters()

    def _make_gauges(self) -> None:
        def gauge(name: str, words: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"manjha_{name}", words, labels, registry=self.registry)

        self.unknown = gauge("unknown_orders", "Orders whose outcome at the broker is not known.")
        self.unknown_age = gauge("unknown_age_max_seconds", "Since when the oldest of them is unknown.")
        self.orphans = gauge("orphans", "Orders and trades at the broker that no intent of ours made.")
        self.mismatches = gauge("recon_mismatch", "Differences between our books and the broker's, and frozen names.")
        self.compared = gauge("books_compared", "1 where the books agree with the broker's as far as is known.")
        self.budget = gauge(
            "budget_left_ratio", "Part of a window of the order rate that is left.", ("window", "segment")
        )
        self.tick_age = gauge("tick_age_seconds", "Age of the newest tick of a kind of instrument.", ("kind",))
        self.connected = gauge("feed_connected", "1 where the link to the ticks is up.")
        self.gaps = gauge("ws_gaps", "How often the link to the ticks was lost.")
        self.ticks = gauge("feed_ticks", "Ticks that have come.")
        self.joined = gauge("ticks_conflated", "Ticks that were joined with a later one, as they came too fast.")
        self.inbox = gauge("inbox_ticks", "Ticks that wait for the loop.")
        self.epoch = gauge("epoch", "Epoch of the journal: how many processes have taken the account over.")
        self.seq = gauge("journal_seq", "Number of the journal's last row.")
        self.kill = gauge("kill_level", "Highest level of the kill switch that is in force: 0 off to 4 flatten.")
        self.trading = gauge("trading_on", "1 where strategies may trade.")
        self.clock = gauge("clock_offset_seconds", "How far the machine's clock was set ahead since the start.")
        self.orders = gauge("orders", "Orders of the run, by where they are in their life.", ("phase",))
        self.fills = gauge("fills", "Fills of the run that were booked.")
        self.open_orders = gauge("open_orders", "Orders that may still trade.")
        self.positions = gauge("positions_open", "Positions that are held.")
        self.waiting = gauge("outbox_orders_waiting", "New orders that wait in the outbox.")
        self.in_flight = gauge("commands_in_flight", "Commands that have left and have no outcome yet.")
        self.equity = gauge("equity_rupees", "Cash and what is held, at the last prices.")
        self.result = gauge("day_result_rupees", "Equity against that of the day's beginning.")
        self.charges = gauge("charges_rupees", "Charges of the run.")
        self.intended = gauge("orders_intended", "New orders that were decided and written down by this process.")
        self.sent = gauge("orders_sent", "New orders that have left.")
        self.unaccounted = gauge("orders_unaccounted", "Intended orders that neither left, nor were vetoed, nor wait.")
        self.lag_max = gauge("loop_lag_max_seconds", "The loop's longest lag of the last second.")
        self.vetoed = gauge("orders_vetoed", "New orders that the outbox let not go.")

    def _make_counters(self) -> None:
        def counter(name: str, words: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"manjha_{name}", words, labels, registry=self.registry)

        def spread(name: str, words: str, bounds: tuple[float, ...]) -> Histogram:
            return Histogram(f"manjha_{name}", words, buckets=bounds, registry=self.registry)

        self.refusals = counter("refusals", "What risk has refused.", ("reason",))
        self.links = counter("links_lost", "Connections to the broker that were lost.", ("link",))
        self.journal_errors = counter("journal_errors", "Commits that failed: the trader has stopped.")
        self.commit = spread("journal_commit_seconds", "How long a commit of the journal took.", FAST)
        self.answer = spread("order_answer_seconds", "From an order's decision to the broker's answer.", SLOW)
        self.lag = spread("loop_lag_seconds", "How late the loop came to what was due.", FAST)

    # ---- as things happen

    def saw(self, event: Event, outputs: Iterable[object], mono_ns: int) -> None:
        """Count an event and what was decided on it; most are nothing to count."""
        for output in outputs:
            if isinstance(output, Approved) and isinstance(output.command, SubmitOrder):
                self._remember(output.command.order.id, mono_ns)
            elif isinstance(output, Refused):
                self.refusals.labels(output.reason.name).inc()
        if isinstance(event, SubmitAnswered):
            self._answered(event.order_id, mono_ns)
        elif isinstance(event, SendVetoed):
            self._decided.pop(event.order_id, None)
        elif isinstance(event, LinkLost):
            self.links.labels(event.link).inc()

    def _remember(self, order_id: OrderId, mono_ns: int) -> None:
        if len(self._decided) >= DECIDED_MAX:
            del self._decided[next(iter(self._decided))]
        self._decided[order_id] = mono_ns

    def _answered(self, order_id: OrderId, mono_ns: int) -> None:
        since_ns = self._decided.pop(order_id, None)
        if since_ns is not None:
            self.answer.observe((mono_ns - since_ns) / SECOND_NS)

    def lagged(self, late_s: float) -> None:
        """Count how late the loop came to what was due."""
        self.lag.observe(late_s)
        self._lag_max_s = max(self._lag_max_s, late_s)

    # ---- once a second

    def look(self, session: Session) -> None:
        """Set every gauge that the state of the account tells."""
        state, now_ns = session.trader.state, session.pump.now_ns
        self._look_at_broker(state, now_ns)
        self._look_at_risk(state, now_ns)
        head, outbox = session.journal.head(), session.trader.outbox
        self.epoch.set(head.epoch)
        self.seq.set(head.seq)
        self.in_flight.set(session.inflow.in_flight)
        for gauge, value in (
            (self.intended, outbox.intended),
            (self.sent, outbox.sent),
            (self.vetoed, outbox.vetoed),
            (self.waiting, outbox.orders_waiting),
        ):
            gauge.set(value)
        self.unaccounted.set(outbox.intended - outbox.sent - outbox.vetoed - outbox.orders_waiting)
        self.lag_max.set(self._lag_max_s)
        self._lag_max_s = 0.0
        equity = int(state.equity())
        self.equity.set(equity / RUPEE)
        self.result.set((equity - state.gate.day_start_equity) / RUPEE)
        self.charges.set(int(state.portfolio.ledger.charges().total) / RUPEE)
        # While no session is open there is nothing to be old.
        self.tick_age.clear()
        for kind, age_ns in tick_ages(session).items() if state.day > state.ended_day else ():
            self.tick_age.labels(kind).set(age_ns / SECOND_NS)

    def look_at_feed(self, health: FeedHealth, joined: int, waiting: int, ahead_ns: int) -> None:
        """Set the gauges of the ticks and of the machine's clock."""
        self.connected.set(health.is_connected)
        self.gaps.set(health.interruptions)
        self.ticks.set(health.ticks)
        self.joined.set(joined)
        self.inbox.set(waiting)
        self.clock.set(ahead_ns / SECOND_NS)

    def _look_at_broker(self, state: EngineState, now_ns: int) -> None:
        self.open_orders.set(state.book.open_count)
        self.fills.set(len(state.record_fills))
        counts = Tally(record.phase for record in state.book.records.values())
        for phase in Phase:
            self.orders.labels(phase.name.lower()).set(counts[phase])
        self.positions.set(len(list(state.portfolio.open_positions())))
        desk, frozen = state.desk, len(all_frozen(state))
        if desk is None:
            self.mismatches.set(frozen)
            return
        since = [_uncertain_ns(state.book.records[name]) for name in desk.unconfirmed]
        self.unknown.set(len(since))
        self.unknown_age.set(max((now_ns - one for one in since if one), default=0) / SECOND_NS)
        self.orphans.set(len(desk.external_orders) + len(desk.loose))
        self.mismatches.set(len(desk.suspects) + len(desk.standing) + len(desk.short) + frozen)
        self.compared.set(desk.is_compared)

    def _look_at_risk(self, state: EngineState, now_ns: int) -> None:
        self.trading.set(state.gate.trading_on)
        controls = state.controls
        if controls is None:
            return
        self.kill.set(max((int(one) for one in (*controls.levels.values(), *controls.tripped.values())), default=0))
        if controls.governor is not None:
            for (window, segment), left in budget_left(controls.governor, now_ns).items():
                self.budget.labels(window, segment).set(left)


def _uncertain_ns(record: OrderRecord) -> int:
    return record.at_broker.uncertain_ns if record.at_broker is not None else 0


def budget_left(governor: Governor, now_ns: int) -> dict[tuple[str, str], float]:
    """Return what part of each window of the order rate is left, 0 to 1; of the account under the segment "account"."""
    found: dict[tuple[str, str], float] = {}
    for name in {ACCOUNT, *governor.today}:
        second, minute, day = _limits_of(governor.limits, name)
        sent = governor.sent.get(name, [])
        windows = (("second", second, SECOND_NS), ("minute", minute, MINUTE_NS))
        shown = name or "account"
        for window, limit, length in windows:
            used = len(sent) - bisect_left(sent, now_ns - length)
            found[window, shown] = max(limit - used, 0) / limit
        found["day", shown] = max(day - governor.today.get(name, 0), 0) / day
    return found


def _limits_of(limits: RateLimits, name: str) -> tuple[int, int, int]:
    if name == ACCOUNT:
        return limits.account_per_second, limits.account_per_minute, limits.account_per_day
    return limits.per_second, limits.per_minute, limits.per_day
