"""Which stored bars a backtest takes, and what it says of them."""

import msgspec
import pytest

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.bars import DAY, MINUTE
from manjha.domain.errors import UsageError
from manjha.domain.moments import TradingDay, parse_day
from manjha.ports.market_data import Provenance
from manjha.research.backtest import BacktestSpec
from manjha.services.backtests import BacktestRequest, BacktestServices, plan_backtest
from manjha.strategy.library.buy_and_hold import BuyAndHold
from tests.fakes.market_data import (
    RAW,
    MemoryActions,
    MemoryBarStore,
    MemoryInstruments,
    batch,
    daily_bar,
    minute_bars,
    share,
)
from tests.fakes.market_rules import shipped_rules

MONDAY = parse_day("2021-06-07")
RELIANCE = share()
SPLIT = msgspec.structs.replace(RAW, source="kite", adjustment="split")
BONUS = CorporateAction(RELIANCE.id, TradingDay(MONDAY + 2), ActionKind.BONUS, new_shares=2)


def planned(
    *stored: tuple[Provenance, list[int]],
    actions: tuple[CorporateAction, ...] = (),
    minutes: bool = False,
    adjustment: str = "",
) -> BacktestSpec:
    """Plan a run on days from Monday on, given by their closes in rupees; or on the first minutes of those days."""
    store = MemoryBarStore()
    for provenance, closes in stored:
        if minutes:
            bars = [bar for i, rupees in enumerate(closes) for bar in minute_bars(MONDAY + i, [rupees * 10_000] * 3)]
        else:
            bars = [daily_bar(MONDAY + i, rupees * 10_000) for i, rupees in enumerate(closes)]
        store.write(batch({RELIANCE: bars}, MINUTE if minutes else DAY), provenance)
    services = BacktestServices(store, MemoryInstruments([RELIANCE]), MemoryActions(actions), shipped_rules(), "test")
    request = BacktestRequest(strategy=BuyAndHold(), instruments=("RELIANCE",), adjustment=adjustment)
    return plan_backtest(services, request)


def test_raw_bars_beside_adjusted_ones_are_taken_as_raw_with_their_actions() -> None:
    spec = planned((RAW, [2000, 2000, 1000]), (SPLIT, [1000, 1000, 1000]), actions=(BONUS,))
    assert list(spec.bars[0].close) == [2000_0000, 2000_0000, 1000_0000]
    assert [info.adjustment for info in spec.data] == ["raw"]
    assert spec.actions == (BONUS,)
    assert spec.warnings == ()


def test_adjusted_bars_alone_are_named_and_actions_are_not_applied_again() -> None:
    spec = planned((SPLIT, [1000, 1000, 1000]), actions=(BONUS,))
    assert spec.actions == ()
    assert spec.warnings[0].startswith("NSE:RELIANCE: the source gives adjusted prices only (split)")


def test_adjusted_bars_that_reach_further_are_named_and_taken_on_demand() -> None:
    stored = (RAW, [2000]), (SPLIT, [1000, 1000, 1000])
    (warning,) = planned(*stored).warnings
    assert warning == (
        "NSE:RELIANCE: only 1 raw bars lie in the span and are used; 3 adjusted ones are stored, too:"
        " --adjustment split takes them"
    )
    spec = planned(*stored, adjustment="split")
    assert (len(spec.bars[0]), [info.adjustment for info in spec.data]) == (3, ["split"])
    assert [warning.partition(":")[2][:18] for warning in spec.warnings] == ["RELIANCE: the sour"]
    with pytest.raises(UsageError, match="no total bars of NSE:RELIANCE 1d are stored"):
        planned(*stored, adjustment="total")


def test_a_day_that_only_the_adjusted_bars_have_is_no_warning() -> None:
    assert planned((RAW, [1000] * 19), (SPLIT, [1000] * 20)).warnings == ()


@pytest.mark.parametrize("minutes", [False, True])
def test_a_step_without_an_action_is_a_warning_of_the_run(*, minutes: bool) -> None:
    (warning,) = planned((RAW, [2000, 2000, 1000]), minutes=minutes).warnings
    assert warning == (
        "NSE:RELIANCE steps on 2021-06-09 from 2000.00 to 1000.00 (×2) and no corporate action is known for that:"
        " the run trades the jump"
    )
    assert planned((RAW, [2000, 2000, 1000]), actions=(BONUS,), minutes=minutes).warnings == ()


def test_many_steps_are_cut_short() -> None:
    warnings = planned((RAW, [2000, 1000] * 4)).warnings
    assert len(warnings) == 6
    assert warnings[-1] == "NSE:RELIANCE: 2 more such steps"
