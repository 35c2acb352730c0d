"""Positions, settlement, corporate actions and sizing, worked out by hand and held to their laws."""

from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.instrument import cash_id
from manjha.domain.moments import TradingDay, parse_day
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Product, StrategyId
from manjha.domain.sizing import NANO, CapitalFraction, FixedQty, RiskPerTrade, TargetUnit, VolatilityTarget
from manjha.orders.planning import slices, to_lots
from manjha.portfolio.corporate import adjust
from manjha.portfolio.positions import Position, PositionKey
from manjha.portfolio.settlement import Holding, held_back
from manjha.risk.sizing import daily_volatility_ppm, entry_qty, target_qty

KEY = PositionKey(StrategyId("s"), cash_id("NSE", "ALPHA"), Product.MIS)
DAY = parse_day("2024-01-03")


def action(kind: ActionKind, new: int = 1, old: int = 1, cash: int = 0) -> CorporateAction:
    return CorporateAction(KEY.instrument, DAY, kind, new, old, Px(cash))


@given(
    st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 10**6)), max_size=30), st.integers(1, 10**6)
)
def test_nothing_is_lost_or_made_by_rounding(fills: list[tuple[int, int]], mark: int) -> None:
    position, paid = Position(KEY), 0
    for signed, px in fills:
        position.apply(signed, px)
        paid += signed * px
    assert position.realised + position.unrealised(mark) == position.qty * mark - paid


def test_a_position_turns_through_zero() -> None:
    position = Position(KEY)
    position.apply(10, 100)
    assert position.apply(-15, 120) == 10 * 20
    assert (position.qty, position.cost) == (-5, -600)


def test_shares_are_sold_from_today_then_settled_then_t1() -> None:
    holding = Holding()
    holding.buy(10)
    holding.close_day(TradingDay(DAY + 1))
    holding.open_day(TradingDay(DAY + 1))
    holding.buy(5)
    holding.close_day(TradingDay(DAY + 2))
    holding.buy(3)
    assert holding.sell(15) == (3, 10, 2)
    assert (holding.total, holding.t1) == (3, {TradingDay(DAY + 2): 3})


def test_proceeds_of_t1_shares_wait_and_before_october_2024_a_fifth_of_settled_ones() -> None:
    assert held_back(0, 10, 100, parse_day("2024-12-02")) == 1000
    assert held_back(10, 0, 100, parse_day("2024-12-02")) == 0
    assert held_back(10, 0, 100, parse_day("2024-10-04")) == 200
    assert held_back(10, 0, 100, parse_day("2020-11-30")) == 0


def test_split_bonus_and_a_fraction_in_cash() -> None:
    assert adjust(action(ActionKind.SPLIT, 5, 1), 10, 1000, 100) == (50, 1000, 0)
    # Bonus 1:2 on 5 shares of 90: 7.5 shares, half a share is worth 30; a fifteenth of the cost goes with it.
    assert adjust(action(ActionKind.BONUS, 3, 2), 5, 450, 90) == (7, 420, 30)
    assert adjust(action(ActionKind.BONUS, 3, 2), -5, -450, 90) == (-7, -420, -30)


def test_dividend_is_paid_by_the_short_and_rights_are_worth_their_discount() -> None:
    assert adjust(action(ActionKind.DIVIDEND, cash=5), 10, 1000, 100) == (10, 1000, 50)
    assert adjust(action(ActionKind.DIVIDEND, cash=5), -10, -1000, 100) == (-10, -1000, -50)
    # One for four at 50 with the share at 100: ex price 90, the right on one old share is worth 10.
    assert adjust(action(ActionKind.RIGHTS, 5, 4, 50), 8, 800, 100) == (8, 800, 80)
    assert adjust(action(ActionKind.RIGHTS, 5, 4, 120), 8, 800, 100) == (8, 800, 0)
    assert adjust(action(ActionKind.DEMERGER, cash=30), 10, 1000, 100) == (10, 1000, 300)


def test_sizing_by_hand() -> None:
    equity, px = 1_000_000, 1_000
    assert entry_qty(FixedQty(Qty(130)), equity=equity, px=px, stop=0, lot=65) == 130
    assert entry_qty(CapitalFraction(NANO // 2), equity=equity, px=px, stop=0, lot=65) == 455
    assert entry_qty(RiskPerTrade(NANO // 100), equity=equity, px=px, stop=980, lot=1) == 500
    assert entry_qty(RiskPerTrade(NANO // 100), equity=equity, px=px, stop=0, lot=1) == 0
    closes = [1_000, 1_010, 1_000, 1_010]
    assert daily_volatility_ppm(closes) == 9_967
    wanted = VolatilityTarget(NANO // 10, lookback=3)
    assert entry_qty(wanted, equity=equity, px=px, stop=0, lot=1, closes=closes) == 632


def test_targets_in_each_unit() -> None:
    given_ = {"equity": 1_000_000, "px": 1_000, "lot": 10, "full": 200}
    assert target_qty(TargetUnit.WEIGHT, -NANO // 2, **given_) == -500
    assert target_qty(TargetUnit.LOTS, 3 * NANO, **given_) == 30
    assert target_qty(TargetUnit.QTY, 37 * NANO, **given_) == 30
    assert target_qty(TargetUnit.SIGNAL, NANO // 2, **given_) == 100


@given(st.integers(1, 10**6), st.integers(1, 10**4), st.integers(1, 100))
def test_slices_are_whole_lots_below_the_limit_and_add_up(lots: int, freeze: int, lot: int) -> None:
    parts = slices(lots * lot, freeze, lot, 10)
    assert len(parts) <= 10
    assert not parts or sum(parts) == lots * lot
    assert all(part % lot == 0 and (part <= freeze or len(parts) == 1) for part in parts)
    assert to_lots(-(lots * lot) - 1 if lot > 1 else -lots, lot) == -lots * lot
