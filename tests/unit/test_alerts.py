"""Dashboard and alerts: every name in them is a figure that a trader has, and each alert fires for its cause alone."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from manjha.app.observing.exposed import new_registry
from manjha.app.observing.trader_figures import TraderFigures
from manjha.domain.commands import RefusalReason
from manjha.domain.events import KillSwitched, LinkLost, TradingSwitched
from manjha.domain.kill import EVERYTHING, KillLevel
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TsNs
from manjha.engine.desk import External
from manjha.ports.feed import FeedHealth
from manjha.risk.control_limits import ControlLimits
from manjha.risk.governor import ACCOUNT, RateLimits
from tests.fakes.alert_rules import ALERTS, fires, rules, samples, selectors
from tests.fakes.paper import Paper
from tests.fakes.tick_runs import random_tick_run

if TYPE_CHECKING:
    from pathlib import Path

    from manjha.app.trading.session import Session

DASHBOARD = ALERTS.parents[1] / "grafana/manjha.json"
OF_PROMETHEUS = {"up"}
TARGET_LABELS = {"job", "instance"}


class Watched:
    """A simulated trader in the middle of its first day, and its figures."""

    def __init__(self) -> None:
        run = random_tick_run(3)
        limits = ControlLimits(rate=RateLimits())
        self.paper = Paper(run._replace(spec=msgspec.structs.replace(run.spec, controls=limits)), "run")
        self.session: Session = self.paper.start()
        ticks = self.paper.ticks()
        for tick in ticks[: len(ticks) // 3]:
            self.session.let_in(tick)
        self.figures = TraderFigures(new_registry())
        self.health = FeedHealth(is_connected=True, ticks=9, last_ns=ticks[0].ts_ns, arrived_ns=ticks[0].ts_ns)
        self.ahead_ns = 0

    def firing(self) -> set[str]:
        """Look, as once a second, and return the alerts whose condition holds."""
        self.figures.look(self.session)
        self.figures.look_at_feed(self.health, 0, 0, self.ahead_ns)
        ours = [rule for rule in rules() if not rule.expr.startswith("up")]
        return {rule.alert for rule in ours if fires(rule, self.figures.registry)}

    @property
    def now_ns(self) -> TsNs:
        return self.session.pump.now_ns


def unknown(trader: Watched) -> None:
    state = trader.session.trader.state
    name, record = next((n, r) for n, r in state.book.records.items() if r.at_broker is not None)
    assert state.desk is not None
    assert record.at_broker is not None
    state.desk.unconfirmed[name] = None
    record.at_broker.uncertain_ns = trader.now_ns - 61 * SECOND_NS


def orphan(trader: Watched) -> None:
    desk = trader.session.trader.state.desk
    assert desk is not None
    desk.external_orders["250101000000001"] = External(seen=None)  # type: ignore[arg-type]


def differs(trader: Watched) -> None:
    state = trader.session.trader.state
    state.gate.close(next(iter(state.instruments)), RefusalReason.FROZEN, "a test")


def budget(trader: Watched) -> None:
    controls = trader.session.trader.state.controls
    assert controls is not None
    assert controls.governor is not None
    controls.governor.today[ACCOUNT] = controls.governor.limits.account_per_day * 81 // 100


def old_ticks(trader: Watched) -> None:
    trader.session.pump.now_ns = TsNs(trader.now_ns + 16 * SECOND_NS)


def link_down(trader: Watched) -> None:
    trader.health = msgspec.structs.replace(trader.health, is_connected=False)


def late(trader: Watched) -> None:
    trader.figures.lagged(0.3)


def killed(trader: Watched) -> None:
    trader.session.pump.apply(KillSwitched(KillLevel.REDUCE_ONLY, EVERYTHING, "a test", "me", trader.now_ns))


def halted(trader: Watched) -> None:
    trader.session.pump.apply(TradingSwitched(on=False, ts_ns=trader.now_ns, reason="a test"))


def clock(trader: Watched) -> None:
    trader.ahead_ns = -3 * SECOND_NS


def unaccounted(trader: Watched) -> None:
    trader.session.trader.outbox.intended += 1


def broken(trader: Watched) -> None:
    trader.figures.journal_errors.inc()


CAUSES: dict[str, Callable[[Watched], None]] = {
    "ManjhaOrphan": orphan, "ManjhaBooksDiffer": differs, "ManjhaOrderUnknown": unknown,
    "ManjhaJournalBroken": broken, "ManjhaBudgetUsed": budget, "ManjhaOrdersUnaccounted": unaccounted,
    "ManjhaTicksOld": old_ticks, "ManjhaFeedDown": link_down, "ManjhaLoopLag": late, "ManjhaKilled": killed,
    "ManjhaTradingHalted": halted, "ManjhaClockMoved": clock,
}  # fmt: skip


@pytest.fixture
def trader() -> Watched:
    return Watched()


@pytest.mark.parametrize("alert", CAUSES)
def test_each_alert_fires_for_its_cause_alone(trader: Watched, alert: str) -> None:
    assert trader.firing() == set()
    CAUSES[alert](trader)
    assert trader.firing() == {alert}


def test_every_alert_that_a_trader_can_tell_of_has_a_cause_here() -> None:
    assert {rule.alert for rule in rules()} - {"ManjhaTraderGone"} == CAUSES.keys()


def test_no_tick_is_old_once_the_session_is_over(trader: Watched) -> None:
    state = trader.session.trader.state
    trader.session.pump.now_ns = TsNs(trader.now_ns + MINUTE_NS)
    assert trader.firing() == {"ManjhaTicksOld"}
    state.ended_day = state.day
    assert trader.firing() == set()


def exprs() -> list[tuple[str, str]]:
    board = json.loads(DASHBOARD.read_text())
    shown = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel["targets"]]
    return [*shown, *((rule.alert, rule.expr) for rule in rules())]


@pytest.mark.parametrize(("where", "expr"), exprs())
def test_every_figure_that_is_shown_or_looked_at_exists_with_its_labels(trader: Watched, where: str, expr: str) -> None:
    trader.figures.refusals.labels("RATE").inc()
    trader.figures.saw(LinkLost("reads", "a test", trader.now_ns), (), 0)
    trader.firing()
    known: dict[str, set[str]] = {}
    for sample in samples(trader.figures.registry):
        known.setdefault(sample.name, set()).update(sample.labels)
    found = list(selectors(expr))
    assert found, where
    for name, labels in found:
        assert name in known.keys() | OF_PROMETHEUS, f"{where}: no figure {name}"
        assert set(labels) - TARGET_LABELS <= known.get(name, set()), f"{where}: {name} has no such label"


def test_what_a_panel_names_its_lines_by_is_a_label_of_theirs(trader: Watched) -> None:
    trader.figures.refusals.labels("RATE").inc()
    trader.figures.saw(LinkLost("reads", "a test", trader.now_ns), (), 0)
    trader.firing()
    known = {sample.name: set(sample.labels) for sample in samples(trader.figures.registry)}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            (name, _), *_ = selectors(target["expr"])
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known[name], panel["title"]


def test_panels_do_not_lie_over_each_other() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places) == len({panel["id"] for panel in panels})


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(("kind", "file"), [("rules", "alerts.yml"), ("config", "prometheus.yml")])
def test_prometheus_itself_can_read_them(kind: str, file: str) -> None:
    path: Path = ALERTS.with_name(file)
    done = subprocess.run(["promtool", "check", kind, str(path)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
