"""What pays for what: orders decided together trade together, so sales pay for purchases."""

from typing import ClassVar

import msgspec
import numpy as np
import pytest

from manjha.domain.commands import RefusalReason
from manjha.domain.instrument import Asset, Exchange, Kind
from manjha.domain.moments import TradingDay, parse_day
from manjha.domain.money import RUPEE, Cash, Qty
from manjha.domain.orders import Product
from manjha.domain.sizing import NANO, CapitalFraction, FixedQty, RiskPerTrade, TargetUnit
from manjha.portfolio.settlement import Holding
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.strategy.context import Context
from manjha.strategy.interface import Floats, History, Strategy
from tests.fakes.hand_made import Row, days, flat, minutes, share_named, spec_of

ALPHA, BETA = share_named("ALPHA"), share_named("BETA")
ROWS: list[Row] = [flat(100)] * 8
SINCE_EARLY_PAYIN = parse_day("2024-10-07")
Plan = dict[int, tuple[float, ...]]


class Planned(Strategy):
    """State the targets of a plan, row by row."""

    instruments_max: ClassVar[int] = 0
    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT
    plan: ClassVar[Plan] = {}

    def history_needed(self) -> int:
        """One bar is enough."""
        return 1

    def targets(self, history: History) -> Floats:
        """Copy the plan."""
        out = np.full_like(history.column("close"), np.nan)
        for row, values in self.plan.items():
            out[row] = values
        return out


def planned(plan: Plan, **changes: object) -> Strategy:
    strategy: Strategy = type("Plan", (Planned,), {"__doc__": "Planned.", "plan": plan, **changes})()
    return strategy


def trades(result: BacktestResult) -> list[tuple[str, str, int]]:
    return [(fill.side.name, fill.instrument.split(":")[1], fill.qty) for fill in result.fills]


@pytest.mark.parametrize("unit", [TargetUnit.WEIGHT, TargetUnit.SIGNAL])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_sale_pays_for_the_purchase_decided_with_it(swapped: bool, unit: TargetUnit) -> None:
    """Whichever instrument is named first."""
    full = 0.95 if unit is TargetUnit.WEIGHT else 1.0
    plan: Plan = {0: (full, 0.0), 3: (0.0, full)}
    if swapped:
        plan = {row: values[::-1] for row, values in plan.items()}
    bars = [days(share, ROWS, first=SINCE_EARLY_PAYIN) for share in (ALPHA, BETA)]
    sizing = CapitalFraction(NANO * 95 // 100)
    result = run_backtest(spec_of(planned(plan, unit=unit), *bars, contract_notes=False, sizing=sizing))
    first, second = ("BETA", "ALPHA") if swapped else ("ALPHA", "BETA")
    assert "a sale at the market pays for a purchase" in dict(result.assumptions)["funds"]
    assert sorted(trades(result)) == sorted([("BUY", first, 9500), ("SELL", first, 9500), ("BUY", second, 9489)])
    assert not result.refusals
    assert int(result.curve.cash.min()) > 0


def test_what_is_held_back_pays_on_the_next_day_only() -> None:
    plan: Plan = {0: (9500.0, 0.0), 3: (0.0, 9489.0)}
    strategy = planned(plan, unit=TargetUnit.QTY)
    result = run_backtest(spec_of(strategy, days(ALPHA, ROWS), days(BETA, ROWS), contract_notes=False))
    [refusal] = result.refusals
    assert refusal.reason is RefusalReason.MARGIN
    # Bought for 9,50,000 and 1,131 of charges; a fifth of the sale is held back.
    assert refusal.detail == "needs 9,48,900.00, available 8,08,869.00"


def test_a_turn_uses_the_margin_of_what_it_closes() -> None:
    strategy = planned({0: (1.0,), 3: (-1.0,)}, unit=TargetUnit.SIGNAL, product=Product.MIS)
    result = run_backtest(
        spec_of(strategy, minutes(ALPHA, [flat(100)] * 6), contract_notes=False, sizing=CapitalFraction(3 * NANO))
    )
    assert [(side, qty) for side, _, qty in trades(result)] == [("BUY", 30000), ("SELL", 59992)]
    assert not result.refusals


def test_a_turn_of_contracts_needs_the_margin_of_what_is_left_after_it() -> None:
    """From one lot long to three short: the margin of two lots more, which the account has not; so it closes."""
    lot = 50
    future = msgspec.structs.replace(
        ALPHA, kind=Kind.FUTURE, exchange=Exchange.NFO, asset=Asset.INDEX, lot=Qty(lot), underlying="NIFTY"
    )
    strategy = planned({0: (1.0,), 3: (-3.0,)}, unit=TargetUnit.LOTS, product=Product.NRML)
    spec = spec_of(strategy, days(ALPHA, [flat(15000)] * 6), contract_notes=False, initial=Cash(250_000 * RUPEE))
    result = run_backtest(msgspec.structs.replace(spec, instruments=(future,)))
    assert [(side, qty) for side, _, qty in trades(result)] == [("BUY", lot), ("SELL", lot)]
    assert [refusal.reason for refusal in result.refusals] == [RefusalReason.MARGIN]


def test_a_sized_entry_is_as_large_as_the_funds_allow() -> None:
    """A part of the capital is meant, so a fifth of the proceeds that is held back makes it smaller, not void."""
    plan: Plan = {0: (0.95, 0.0), 3: (0.0, 0.95)}
    result = run_backtest(
        spec_of(
            planned(plan),
            *(days(share, ROWS) for share in (ALPHA, BETA)),
            contract_notes=False,
        )
    )
    assert trades(result)[2:] == [("BUY", "BETA", 8048)]
    [refusal] = result.refusals
    assert refusal.detail == "needs 9,48,900.00, available 8,08,869.00; 8048 ordered instead"


def test_risk_per_trade_is_bounded_by_the_funds() -> None:
    """One per cent at a stop of half a per cent would be twice the capital."""

    class Tight(Strategy):
        """Buy once with a tight stop."""

        def on_bar(self, ctx: Context) -> None:
            """Buy at the first bar."""
            if ctx.position_index == 0:
                ctx.buy(stop=99.5)

    rows = [(100, 100.2, 99.8, 100)] * 4
    result = run_backtest(spec_of(Tight(), days(ALPHA, rows), contract_notes=False, sizing=RiskPerTrade(NANO // 100)))
    assert trades(result) == [("BUY", "ALPHA", 9950)]
    assert int(result.curve.cash.min()) > 0
    assert not result.warnings


@pytest.mark.parametrize("unit", [TargetUnit.QTY, TargetUnit.SIGNAL])
def test_a_turn_that_may_not_open_still_closes(unit: TargetUnit) -> None:
    """A delivery position cannot turn short; it must not stay long for that."""
    size = 10.0 if unit is TargetUnit.QTY else 1.0
    result = run_backtest(
        spec_of(planned({0: (size,), 3: (-size,)}, unit=unit), days(ALPHA, ROWS), contract_notes=False)
    )
    assert trades(result) == [("BUY", "ALPHA", 10), ("SELL", "ALPHA", 10)]
    [refusal] = result.refusals
    assert refusal.reason is RefusalReason.SHORT_DELIVERY
    assert refusal.detail == "20 ordered, 10 held and not being sold; 10 ordered instead"


def test_a_quantity_that_the_user_fixed_is_refused_whole() -> None:
    strategy = planned({0: (1.0,)}, unit=TargetUnit.SIGNAL)
    result = run_backtest(spec_of(strategy, days(ALPHA, ROWS), sizing=FixedQty(Qty(20_000))))
    assert not result.fills
    assert [refusal.reason for refusal in result.refusals] == [RefusalReason.MARGIN]


def test_parts_of_a_sale_are_what_it_then_takes() -> None:
    holding = Holding()
    holding.today, holding.t1, holding.settled = 5, {TradingDay(2): 3, TradingDay(1): 4}, 2
    for qty in range(15):
        other = Holding()
        other.today, other.t1, other.settled = 5, dict(holding.t1), 2
        assert holding.parts(qty) == other.sell(qty)
        assert other.total == 14 - qty
