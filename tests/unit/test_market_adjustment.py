"""Back-adjustment factors by hand and their chain as known on a day."""

import pytest

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.errors import DataError
from manjha.domain.instrument import cash_id
from manjha.domain.moments import TradingDay
from manjha.domain.money import Px, parse_px
from manjha.market.adjustment import (
    ONE,
    Ratio,
    adjusted_contract,
    adjusted_px,
    adjusted_qty,
    adjustment_chain,
    price_ratio,
    step_for,
    volume_ratio,
)

X = cash_id("NSE", "X")


def action(kind: ActionKind, new: int = 1, old: int = 1, cash: str = "0", ex: int = 100) -> CorporateAction:
    return CorporateAction(X, TradingDay(ex), kind, new, old, parse_px(cash))


# Kind, new for old shares, cash, close before; price and volume ratio by the formulas of section 6.
FACTORS = [
    (action(ActionKind.SPLIT, 5, 1), "0", Ratio(1, 5), Ratio(5, 1)),  # face 10 to 2
    (action(ActionKind.SPLIT, 1, 10), "0", Ratio(10, 1), Ratio(1, 10)),  # consolidation
    (action(ActionKind.BONUS, 3, 2), "0", Ratio(2, 3), Ratio(3, 2)),  # one new for two held
    (action(ActionKind.RIGHTS, 16, 15, "1257"), "1500", Ratio(15 * 1500 + 1257, 16 * 1500), ONE),
    (action(ActionKind.SPECIAL_DIVIDEND, cash="25"), "500", Ratio(19, 20), ONE),
    (action(ActionKind.DIVIDEND, cash="25"), "500", ONE, ONE),
    (action(ActionKind.DEMERGER, cash="260"), "660", Ratio(20, 33), ONE),
]


@pytest.mark.parametrize(("of", "close", "price", "volume"), FACTORS)
def test_factor_by_hand(of: CorporateAction, close: str, price: Ratio, volume: Ratio) -> None:
    found = price_ratio(of, parse_px(close))
    assert found.numerator * price.denominator == price.numerator * found.denominator
    assert volume_ratio(of) == volume


def test_ordinary_dividends_count_in_total_return_only() -> None:
    dividend = action(ActionKind.DIVIDEND, cash="25")
    assert price_ratio(dividend, parse_px("500"), total_return=True) == Ratio(19, 20)


def test_a_chain_multiplies_what_is_still_ahead() -> None:
    actions = [action(ActionKind.BONUS, 2, 1, ex=200), action(ActionKind.SPLIT, 5, 1, ex=100)]
    chain = adjustment_chain(actions, {}, TradingDay(300))
    assert [(step.ex_day, step.price, step.volume) for step in chain] == [
        (100, Ratio(1, 10), Ratio(10, 1)),
        (200, Ratio(1, 2), Ratio(2, 1)),
    ]
    assert [step_for(chain, day) for day in (99, 100, 199, 200)] == [chain[0], chain[1], chain[1], None]


def test_two_actions_of_one_day_are_one_step() -> None:
    actions = [action(ActionKind.SPLIT, 2, 1), action(ActionKind.BONUS, 2, 1)]
    (step,) = adjustment_chain(actions, {}, TradingDay(100))
    assert (step.price, step.volume) == (Ratio(1, 4), Ratio(4, 1))


def test_a_chain_knows_only_what_was_known() -> None:
    late = CorporateAction(X, TradingDay(100), ActionKind.SPLIT, 5, 1, known_day=TradingDay(105))
    assert adjustment_chain([late], {}, TradingDay(99)) == ()
    assert adjustment_chain([late], {}, TradingDay(104)) == ()
    assert len(adjustment_chain([late], {}, TradingDay(105))) == 1


def test_a_missing_close_is_an_error_that_says_so() -> None:
    special = action(ActionKind.SPECIAL_DIVIDEND, cash="25")
    with pytest.raises(DataError, match=r"special dividend of NSE:X on 1970-04-11: expected a close"):
        adjustment_chain([special], {}, TradingDay(100))
    assert adjustment_chain([special], {TradingDay(100): Px(5_000_000)}, TradingDay(100))[0].price == Ratio(19, 20)


@pytest.mark.parametrize("bad", [action(ActionKind.SPLIT, 0, 1), action(ActionKind.DIVIDEND, cash="-1")])
def test_a_malformed_action_is_refused(bad: CorporateAction) -> None:
    with pytest.raises(DataError, match="positive"):
        price_ratio(bad, parse_px("100"))


def test_adjusted_values() -> None:
    assert adjusted_px(parse_px("100"), Ratio(1, 3)) == parse_px("33.3333")
    assert adjusted_qty(7, Ratio(3, 2)) == 10
    assert adjusted_contract(parse_px("1000"), 500, Ratio(1, 5)) == (parse_px("200"), 2500)
