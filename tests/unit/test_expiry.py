"""The end of a contract: cash settlement, exercise, what becomes free, and that nothing can be done with it after."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import pytest

from manjha.domain.commands import RefusalReason
from manjha.domain.instrument import Asset, Instrument, Right
from manjha.domain.moments import day_of, parse_day
from manjha.domain.money import RUPEE, Cash, Qty
from manjha.domain.orders import Phase, Product, Purpose
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.simulator.fills import FillRules
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import Row, days, flat, share_named, spec_of
from tests.fakes.market_rules import future, index, option, share

MONDAY, EXPIRY = parse_day("2024-02-26"), "2024-02-29"
NIFTY = index()
FUTURE = future(expiry=EXPIRY, lot=75)
CROWD = Cash(10**8 * RUPEE)
"""Money enough for anything here: ten crores."""
SPOT = (22_000, 22_000, 22_050, 22_150, 22_300)
"""Closes of the index from Monday to Friday; the contracts expire on Thursday, at 22150."""
Script = Mapping[int, Callable[[Context], None]]


class Scripted(Strategy):
    """Do what the script says at the close of a day."""

    instruments_max: ClassVar[int] = 0
    product: ClassVar[Product] = Product.NRML
    script: ClassVar[Script] = {}

    def on_bar(self, ctx: Context) -> None:
        """Play the script."""
        if ctx.position_index in self.script:
            self.script[ctx.position_index](ctx)


def call(strike: str, right: Right = Right.CALL) -> Instrument:
    return msgspec.structs.replace(option(strike=strike, right=right, expiry=EXPIRY), lot=Qty(75))


def play(
    script: Script, contracts: Mapping[Instrument, Sequence[float]], *, spot: Sequence[float] = SPOT, **changes: Any
) -> BacktestResult:
    """Play days of the index and of contracts on it, given as closes from Monday on."""
    strategy = type("Played", (Scripted,), {"__doc__": "Played.", "script": script})()
    prices = {NIFTY: spot} | dict(contracts)
    bars = [days(one, [bar(px) for px in closes], first=MONDAY) for one, closes in prices.items()]
    spec = spec_of(strategy, *bars, **({"initial": CROWD, "contract_notes": False} | changes))
    return run_backtest(msgspec.structs.replace(spec, instruments=tuple(prices)))


def bar(close: float) -> Row:
    return flat(close, up=0.05)


def charges(result: BacktestResult) -> int:
    return int(result.fill_charges.sum()) + sum(row.adjustment.total for row in result.day_charges)


def gain(result: BacktestResult) -> float:
    """Return what the run has gained before charges, in rupees."""
    return (result.final - result.initial + charges(result)) / RUPEE


def ask(side: str, qty: int = 75, name: str = FUTURE.symbol, **terms: Any) -> Callable[[Context], None]:
    return lambda ctx: getattr(ctx[name], side)(qty, **terms)


def both(*asked: Callable[[Context], None]) -> Callable[[Context], None]:
    def ask_all(ctx: Context) -> None:
        for each in asked:
            each(ctx)

    return ask_all


@pytest.mark.parametrize(("side", "gained"), [("buy", 75 * 130), ("sell", -75 * 130)])
def test_a_future_is_settled_in_cash_at_the_close_of_its_index(side: str, gained: int) -> None:
    result = play({0: ask(side)}, {FUTURE: (22_010, 22_020, 22_060, 22_170)})
    assert [(fill.px, fill.qty) for fill in result.fills] == [(220_200_000, 75)]
    (ended,) = result.adjustments
    assert (ended.instrument, ended.qty_after, ended.reason) == (FUTURE.id, 0, "expiry")
    assert day_of(ended.ts_ns) == FUTURE.expiry
    assert gain(result) == gained


def test_without_its_index_a_future_is_settled_at_its_own_last_price() -> None:
    strategy = type("Played", (Scripted,), {"__doc__": "Played.", "script": {0: lambda ctx: ctx.buy(75)}})()
    bars = days(FUTURE, [bar(px) for px in (22_010, 22_020, 22_060, 22_170)], first=MONDAY)
    spec = spec_of(strategy, bars, initial=CROWD, contract_notes=False)
    assert gain(run_backtest(msgspec.structs.replace(spec, instruments=(FUTURE,)))) == 75 * 150


@pytest.mark.parametrize(
    ("right", "strike", "value"),
    [(Right.CALL, "22000", 150), (Right.CALL, "22200", 0), (Right.PUT, "22200", 50), (Right.PUT, "22100", 0)],
)
@pytest.mark.parametrize(("side", "sign"), [("buy", 1), ("sell", -1)])
def test_an_option_pays_what_it_is_worth_at_the_close_of_its_index(
    right: Right, strike: str, value: int, side: str, sign: int
) -> None:
    held = call(strike, right)
    result = play({0: ask(side, name=held.symbol)}, {held: (100, 100, 80, 60)})
    assert gain(result) == sign * 75 * (value - 100)
    assert [ended.qty_after for ended in result.adjustments] == [0]


@pytest.mark.parametrize(
    ("side", "strike", "tax"),
    [("buy", "22000", 75 * 150 * 0.00125), ("buy", "22200", 0), ("sell", "22000", 0)],
)
def test_the_long_of_an_exercised_option_pays_tax_on_its_worth(side: str, strike: str, tax: float) -> None:
    held = call(strike)
    result = play({0: ask(side, name=held.symbol)}, {held: (100, 100, 80, 60)})
    assert sum(row.adjustment.stt for row in result.day_charges) == round(tax * RUPEE)


@pytest.mark.parametrize("held", [FUTURE, call("22000")])
def test_the_margin_of_an_expired_contract_is_free_again(held: Instrument) -> None:
    share = share_named()
    prices = {held: (22_010 if held is FUTURE else 100,) * 4, share: (100,) * 6}
    buy = ask("buy", 3_500, share.symbol, product=Product.CNC)
    script = {0: ask("sell", name=held.symbol), 1: buy, 4: buy}
    result = play(script, prices, spot=(*SPOT, 22_300), initial=Cash(400_000 * RUPEE))
    assert [refusal.reason for refusal in result.refusals] == [RefusalReason.MARGIN]
    assert day_of(result.refusals[0].ts_ns) < parse_day(EXPIRY)
    assert [fill.instrument for fill in result.fills] == [held.id, share.id]


@pytest.mark.failure("F68")
def test_orders_in_an_expired_contract_are_gone() -> None:
    kept = FillRules(orders_end_with_day=False)
    script = {0: both(ask("buy", limit=21_900), ask("buy", stop=21_000, target=23_000))}
    result = play(script, {FUTURE: (22_010, 22_020, 22_060, 22_170, 21_800)}, fills=kept)
    assert len(result.fills) == 1
    ended = {record.order.purpose: (record.phase, record.done_ns) for record in result.orders}
    del ended[Purpose.SIGNAL]
    assert {phase for phase, _ in ended.values()} == {Phase.CANCELLED}
    assert {day_of(ns) for _, ns in ended.values()} == {FUTURE.expiry}
    assert result.orders[0].phase is Phase.CANCELLED


@pytest.mark.failure("F68")
@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("held", [FUTURE, call("22000")])
def test_nothing_can_be_asked_for_after_expiry(held: Instrument, side: str) -> None:
    result = play({4: ask(side, name=held.symbol)}, {held: (100, 100, 80, 60, 60)}, spot=(*SPOT, 22_300))
    assert [refusal.reason for refusal in result.refusals] == [RefusalReason.EXPIRED]
    assert not result.fills


def test_an_order_asked_for_at_the_last_close_of_a_contract_never_trades() -> None:
    result = play({3: ask("buy")}, {FUTURE: (22_010, 22_020, 22_060, 22_170, 22_300)})
    assert [record.phase for record in result.orders] == [Phase.CANCELLED]
    assert not result.fills


def test_a_carried_future_is_worth_its_close_each_day() -> None:
    result = play({0: ask("buy", 150)}, {FUTURE: (22_010, 22_020, 22_060, 22_170)}, spot=SPOT[:4])
    paid = int(result.fill_charges.sum())
    # On its last day that is the close of the index, at which it settled.
    expected = [0, *(150 * (close - 22_020) * RUPEE - paid for close in (22_020, 22_060, 22_150))]
    assert (result.curve.equity - result.initial).tolist() == expected


def test_a_large_order_is_cut_at_the_freeze_quantity() -> None:
    frozen = msgspec.structs.replace(FUTURE, freeze=Qty(1_810))
    result = play({0: ask("buy", 4_050)}, {frozen: (22_010, 22_020, 22_060, 22_170)}, initial=Cash(10 * CROWD))
    assert [fill.qty for fill in result.fills] == [1_800, 1_800, 450]
    assert [ended.qty_before for ended in result.adjustments] == [4_050]


def test_a_hedged_short_option_needs_less_margin_than_a_naked_one() -> None:
    near, far = call("22200"), call("22400")
    prices = {near: (100.0, 100.0, 80.0, 60.0), far: (40.0, 40.0, 30.0, 20.0)}
    naked = play({0: ask("sell", name=near.symbol)}, prices)
    hedged = play(
        {0: both(ask("buy", name=far.symbol), ask("sell", name=near.symbol))}, prices
    )  # fmt: skip
    assert 0 < hedged.peak_margin < naked.peak_margin // 2


def test_the_contract_note_of_the_day_leaves_what_an_expiry_costs() -> None:
    held = msgspec.structs.replace(future("SBIN", EXPIRY, asset=Asset.EQUITY), lot=Qty(150))
    fees = []
    for notes in (False, True):
        script = {0: ask("buy", 150, held.symbol), 2: ask("buy", 150, held.symbol)}
        result = play(script, {share(): (100,) * 5, held: (100,) * 4}, contract_notes=notes)
        assert day_of(result.fills[-1].ts_ns) == parse_day(EXPIRY)
        fees.append(sum(row.adjustment.other for row in result.day_charges))
    assert fees[0] == fees[1] > 0
