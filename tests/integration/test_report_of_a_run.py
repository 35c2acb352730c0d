"""Results of the real engine: trips reconcile with the account, and the page can be written."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.instrument import Kind
from manjha.domain.moments import parse_day
from manjha.domain.money import RUPEE, Px
from manjha.domain.orders import Product
from manjha.domain.sizing import NANO, CapitalFraction
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.metrics.analysis import Analysis, analyse
from manjha.research.report import write_report
from manjha.simulator.synthetic import default_spec, exchange_sessions, generate
from manjha.strategy.interface import Strategy
from tests.fakes.market_rules import shipped_rules

if TYPE_CHECKING:
    from manjha.strategy.context import Context


class Bracketed(Strategy):
    """Intraday, long and short by turns, with a stop and a target."""

    product = Product.MIS
    instruments_max = 0
    turn = 0

    def on_bar(self, ctx: "Context") -> None:
        self.turn += 1
        for number, market in enumerate(ctx.markets.values()):
            if (self.turn + 17 * number) % 53 or market.position:
                continue
            side = 1 if self.turn // 53 % 2 else -1
            ask = market.buy if side > 0 else market.sell
            ask(stop=market.close[-1] * (1 - side * 0.005), target=market.close[-1] * (1 + side * 0.004))


class Delivered(Strategy):
    """Buys 37 shares now and then, and holds over dividend and bonus."""

    product = Product.CNC
    instruments_max = 0
    turn = 0

    def on_bar(self, ctx: "Context") -> None:
        self.turn += 1
        for number, market in enumerate(ctx.markets.values()):
            if (self.turn + 17 * number) % 1_553 == 0:
                market.close_position() if market.position and self.turn % 2 else market.buy(37)


STRATEGIES: dict[str, type[Strategy]] = {"bracketed": Bracketed, "delivered": Delivered}


@cache
def analysis_of(strategy: str) -> Analysis:
    rules = shipped_rules()
    market = default_spec(3, parse_day("2025-02-03"), parse_day("2025-04-30"))
    shares = [item.instrument for item in market.instruments if item.instrument.kind is Kind.EQUITY][:2]
    bars = generate(market, exchange_sessions(rules, market))
    actions = (
        CorporateAction(shares[0].id, parse_day("2025-03-03"), ActionKind.DIVIDEND, cash=Px(10 * RUPEE)),
        CorporateAction(shares[1].id, parse_day("2025-04-03"), ActionKind.BONUS, new_shares=3, old_shares=2),
    )
    spec = BacktestSpec(
        strategy=STRATEGIES[strategy](),
        bars=tuple(bars[share.id] for share in shares),
        instruments=tuple(shares),
        rules=rules,
        sizing=CapitalFraction(NANO * 30 // 100),
        actions=actions,
    )
    return analyse(run_backtest(spec))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_trips_of_a_real_run_add_up_to_the_account(strategy: str) -> None:
    run = analysis_of(strategy).run
    assert len(run.closed) > 10
    assert run.trips.net == run.final - run.initial


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_charges_of_a_real_run_are_all_in_its_trips(strategy: str) -> None:
    run = analysis_of(strategy).run
    carried = sum(trip.charges.total for trip in (*run.trips.closed, *run.trips.open))
    assert carried + run.trips.unassigned.total == run.result.charges.total > 0


def test_holders_get_the_dividend_and_the_bonus() -> None:
    run = analysis_of("delivered").run
    assert len(run.result.adjustments) == 2
    assert sum(trip.income for trip in (*run.trips.closed, *run.trips.open)) > 0


def test_exits_of_a_real_run_say_why() -> None:
    reasons = {trip.exit_purpose for trip in analysis_of("bracketed").run.closed}
    assert {"stop", "target", "square-off"} <= reasons


def test_a_real_run_has_a_page(tmp_path: Path) -> None:
    page = write_report(analysis_of("bracketed"), tmp_path / "report.html").read_text("utf-8")
    assert "bracketed" in page
    assert "square-off" in page
