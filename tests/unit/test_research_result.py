"""The result of a run as a value."""

import msgspec
import numpy as np
import pytest

from manjha.domain.errors import UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash, Qty
from manjha.domain.orders import OrderId, Product, RunId, StrategyId
from manjha.research.result import BacktestResult, PositionAdjusted, order_list_hash, summary
from tests.fakes.results import fill, market_result, result_of

FILLS = [fill(1, 1, 10, 100, 1_000, worse=500), fill(2, -1, 10, 103, 2_000, worse=-100)]
RESULT = result_of(FILLS)


def changed(**fields: object) -> BacktestResult:
    return msgspec.structs.replace(RESULT, **fields)


def test_charges_must_match_the_fills() -> None:
    with pytest.raises(UsageError, match=r"shape \(2, 9\), was \(1, 9\)"):
        changed(fill_charges=np.zeros((1, 9), np.int64))


def test_slippage_is_what_worse_prices_cost() -> None:
    # 10 × ₹0.05 worse, 10 × ₹0.01 better.
    assert RESULT.slippage == 4_000


def test_the_hash_of_an_order_list_does_not_know_names() -> None:
    renamed = msgspec.structs.replace(FILLS[0], order_id=OrderId("other"))
    orders = tuple(
        msgspec.structs.replace(row, order=msgspec.structs.replace(row.order, id=OrderId("other"), tag="t"))
        for row in RESULT.orders[:1]
    )
    other = changed(fills=(renamed, FILLS[1]), orders=(*orders, RESULT.orders[1]), run=RunId("another"))
    assert order_list_hash(other) == order_list_hash(RESULT)


@pytest.mark.parametrize("field", ["px", "qty", "ts_ns"])
def test_the_hash_of_an_order_list_sees_every_change_of_trading(field: str) -> None:
    moved = msgspec.structs.replace(FILLS[0], **{field: getattr(FILLS[0], field) + 1})
    assert order_list_hash(changed(fills=(moved, FILLS[1]))) != order_list_hash(RESULT)


def test_the_hash_of_an_order_list_is_golden() -> None:
    # Anything that changes this changes every golden run: think first.
    assert order_list_hash(result_of([]))[:16] == "e3b0c44298fc1c14"
    assert order_list_hash(market_result(days=5)) == order_list_hash(market_result(days=5))


def test_the_summary_lists_rows_with_money_as_text() -> None:
    row = PositionAdjusted(
        *(InstrumentId("NSE:A"), Product.CNC, StrategyId("S"), TsNs(0), Qty(1), Qty(5)),
        cash=Cash(5_000),
        reason="split",
    )
    content = summary(changed(adjustments=(row,)))
    assert content["fills"][0]["price"] == "100.00"
    assert content["fills"][0]["charges"]["total"] == "0.00"
    assert content["orders"][0]["limit"] is None
    assert content["adjustments"][0] == {
        **{"instrument": "NSE:A", "product": "CNC", "time": "1970-01-01T05:30:00+05:30", "qty_before": 1},
        **{"qty_after": 5, "cash": "0.50", "reason": "split"},
    }


def test_the_summary_tells_refusals_with_their_figures() -> None:
    (refusal,) = summary(market_result(days=5))["refusals"]
    assert refusal["subject"] == "BUY 100000 NSE:ALPHA MARKET"
    assert refusal["reason"] == "not enough funds for the margin"
    assert "needed ₹3,00,00,000.00" in refusal["detail"]
