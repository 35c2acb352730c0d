"""Every reason of refusal is produced here by its name: by a strategy in a backtest, or where none can, at the gate."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec
import pytest

from manjha.domain.commands import RefusalReason, Refused
from manjha.domain.events import AccountTaken, TradingSwitched
from manjha.domain.instrument import Asset, Exchange, Instrument, InstrumentId, Kind
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import (
    LegGroup,
    Order,
    OrderId,
    OrderType,
    Product,
    RunId,
    Side,
    Validity,
    Variety,
    WorkingOrder,
)
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.research.backtest import BacktestSpec, prepare, run_backtest
from manjha.risk.governor import RateLimits
from manjha.risk.limits import RiskLimits
from manjha.risk.profit import ProfitRule
from manjha.risk.protections import CooldownPeriod
from manjha.simulator.fills import FillRules
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.control_desk import limits_of
from tests.fakes.hand_made import FIRST_DAY, Row, days, flat, minutes, share_named, spec_of
from tests.fakes.market_rules import option

ALPHA = share_named()
INDEX = msgspec.structs.replace(ALPHA, kind=Kind.INDEX)
FUTURE = msgspec.structs.replace(ALPHA, kind=Kind.FUTURE, asset=Asset.EQUITY, exchange=Exchange.NFO, underlying="ALPHA")
FALLING: list[Row] = [flat(100), flat(100), (100, 100, 90, 90), flat(90), flat(90)]
JUMPY: list[Row] = [flat(100), flat(100), flat(110), flat(110), flat(100)]
BELOW: list[Row] = [flat(100)] * 2 + [flat(98)] * 3
KEPT = FillRules(orders_end_with_day=False)
REMEMBERED: list[WorkingOrder] = []
Script = Mapping[int, Callable[[Context], None]]


class Scripted(Strategy):
    """Do what the script says at the close of a bar."""

    script: ClassVar[Script] = {}

    def on_bar(self, ctx: Context) -> None:
        """Play the script."""
        if ctx.position_index in self.script:
            self.script[ctx.position_index](ctx)


class Choosing(Scripted):
    """Want no instrument at all."""

    def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Sequence[Instrument]:
        """Return none."""
        del day, listed
        return ()


class Early(Scripted):
    """Buy before there is a price."""

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        """Buy on the first morning."""
        if day == FIRST_DAY:
            ctx.buy(10)


class Morning(Scripted):
    """Buy on the second morning, when the last price is of the day before."""

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        """Buy once."""
        if ctx.position_index == 0 and day > FIRST_DAY:
            ctx.buy(10)


class Case(NamedTuple):
    """A script that is refused once, in what, held as what, and with which rules."""

    script: Script
    instrument: Instrument = ALPHA
    product: Product = Product.CNC
    base: type[Scripted] = Scripted
    seconds: int = 0
    rows: Sequence[Row] = (flat(100),) * 5
    changes: Mapping[str, Any] = {}


def spec_for(case: Case) -> BacktestSpec:
    body = {"__doc__": "Played.", "script": case.script, "product": case.product}
    bars = days(case.instrument, case.rows)
    if case.seconds:
        bars = minutes(case.instrument, [*case.rows] * 16, length=case.seconds)
    spec = spec_of(type("Played", (case.base,), body)(), bars, **case.changes)
    return msgspec.structs.replace(spec, instruments=(case.instrument,))


def buy(qty: int = 10, **terms: Any) -> Callable[[Context], None]:
    return lambda ctx: ctx.buy(qty, **terms)


def sell(qty: int = 10, **terms: Any) -> Callable[[Context], None]:
    return lambda ctx: ctx.sell(qty, **terms)


def change(**terms: Any) -> Callable[[Context], None]:
    return lambda ctx: ctx.market.modify(ctx.market.orders()[0], **terms)


def remember(ctx: Context) -> None:
    REMEMBERED.append(ctx.market.orders()[0])


def change_remembered(ctx: Context) -> None:
    """Ask for new terms of an order that has ended with its day."""
    ctx.market.modify(REMEMBERED.pop(), limit=91)


def limited(**limits: Any) -> dict[str, Any]:
    return {"limits": RiskLimits(**limits)}


def controlled(**limits: Any) -> dict[str, Any]:
    return {"controls": limits_of(**limits)}


def twice(ctx: Context) -> None:
    """Ask for the same entry two times at once."""
    ctx.buy(10, limit=99)
    ctx.buy(10, limit=99)


RATE = RateLimits(per_second=2, account_per_second=2, age_max_ns=1)
GROUP = LegGroup(())
IN_A_BACKTEST: dict[RefusalReason, Case] = {
    RefusalReason.UNIVERSE: Case({1: buy()}, base=Choosing),
    RefusalReason.NOT_TRADABLE: Case({1: buy()}, INDEX),
    RefusalReason.EXPIRED: Case({2: buy()}, msgspec.structs.replace(FUTURE, expiry=FIRST_DAY), Product.NRML),
    RefusalReason.SESSION_CLOSED: Case({74: buy()}, product=Product.MIS, seconds=300),
    RefusalReason.AFTER_SQUARE_OFF: Case({73: buy()}, product=Product.MIS, seconds=300),
    RefusalReason.NO_PRICE: Case({1: sell()}, option("ALPHA", "100", asset=Asset.EQUITY), Product.NRML),
    RefusalReason.QUANTITY: Case({1: buy(7)}, msgspec.structs.replace(FUTURE, lot=Qty(5)), Product.NRML),
    RefusalReason.ABOVE_FREEZE: Case({1: buy(110)}, msgspec.structs.replace(FUTURE, freeze=Qty(10)), Product.NRML),
    RefusalReason.PRICE_BAND: Case({1: buy(limit=120)}, FUTURE, Product.NRML),
    RefusalReason.STOP_SIDE: Case({1: buy(target=99)}),
    RefusalReason.PRODUCT: Case({1: buy()}, FUTURE),
    RefusalReason.SHORT_DELIVERY: Case({1: sell()}),
    RefusalReason.MARGIN: Case({1: buy(10**6)}),
    RefusalReason.ORDER_VALUE: Case({1: buy()}, changes=limited(order_value_max=Cash(9_999_999))),
    RefusalReason.POSITION_VALUE: Case({1: buy(6), 2: buy(6)}, changes=limited(position_value_max=Cash(10_000_000))),
    RefusalReason.OPEN_ORDERS: Case(
        {1: buy(limit=90), 2: buy()}, changes={**limited(open_orders_max=1), "fills": KEPT}
    ),
    RefusalReason.DAY_LOSS: Case({0: buy(), 2: buy()}, rows=FALLING, changes=limited(day_loss_max=Cash(500_000))),
    RefusalReason.VALIDITY: Case({1: buy(validity=Validity.TTL)}),
    RefusalReason.LEG_GROUP: Case({1: lambda ctx: ctx.legs(GROUP)}),
    RefusalReason.UNKNOWN_ORDER: Case({1: buy(limit=90), 2: remember, 3: change_remembered}),
    RefusalReason.ORDER_TYPE: Case({1: buy(limit=90), 2: change(trigger=101)}, changes={"fills": KEPT}),
    RefusalReason.EXCHANGE: Case(
        {1: buy(limit=95), 2: change(limit=80)}, changes={"fills": KEPT, "bands": {ALPHA.id: 100_000_000}}
    ),
    RefusalReason.NOT_ALLOWED: Case({1: buy()}, changes=controlled(allowed=())),
    RefusalReason.FROZEN: Case(
        {2: buy()}, seconds=300, rows=JUMPY, changes=controlled(price_jump_max=500, bad_prices_max=1)
    ),
    RefusalReason.PAUSED: Case(
        {1: buy(), 2: sell(), 3: buy()}, changes=controlled(protections=(CooldownPeriod(stop_ns=10**16),))
    ),
    RefusalReason.KILLED: Case(
        {0: buy(), 2: buy()}, rows=FALLING, changes=controlled(profit=(ProfitRule(stop=Cash(500_000)),))
    ),
    RefusalReason.ORDER_QTY: Case({1: buy()}, changes=controlled(order_qty_max=Qty(9))),
    RefusalReason.STALE_PRICE: Case({}, base=Morning, changes=controlled(price_age_max_ns=1)),
    RefusalReason.COLLAR: Case({1: buy(limit=95)}, changes=controlled(collar_share=200)),
    RefusalReason.OPEN_VALUE: Case({1: buy()}, changes=controlled(open_value_max=Cash(9_999_999))),
    RefusalReason.INSTRUMENT_VALUE: Case({1: buy()}, changes=controlled(instrument_value_max=Cash(9_999_999))),
    RefusalReason.GROSS_VALUE: Case({1: buy()}, changes=controlled(gross_value_max=Cash(9_999_999))),
    RefusalReason.NET_VALUE: Case({1: buy()}, changes=controlled(net_value_max=Cash(9_999_999))),
    RefusalReason.SELF_TRADE: Case(
        {1: buy(), 2: sell(5, limit=99.5), 3: buy()}, rows=BELOW, changes={**controlled(), "fills": KEPT}
    ),
    RefusalReason.DUPLICATE: Case({1: twice}, changes=controlled(duplicate_ns=1)),
    RefusalReason.REPEATED: Case({1: twice}, changes=controlled(entries_max=1, entries_window_ns=1)),
    RefusalReason.ORDERS_A_DAY: Case({1: twice}, changes=controlled(orders_day_max=1)),
    RefusalReason.MODIFICATIONS: Case(
        {1: buy(limit=95), 2: change(limit=94), 3: change(limit=93)},
        changes={**controlled(modifications_max=1), "fills": KEPT},
    ),
    RefusalReason.RATE: Case({1: twice}, changes=controlled(rate=RATE)),
}

AGAIN: list[tuple[RefusalReason, Case]] = [
    (RefusalReason.NO_PRICE, Case({}, base=Early)),
    (RefusalReason.STOP_SIDE, Case({1: buy(stop=101)})),
    (RefusalReason.PRODUCT, Case({1: buy()}, product=Product.MTF)),
    (RefusalReason.QUANTITY, Case({1: buy(-5)})),
    (RefusalReason.QUANTITY, Case({1: buy(limit=90), 2: change(qty=11)}, changes={"fills": KEPT})),
    (
        RefusalReason.QUANTITY,
        Case({1: buy(limit=99), 2: change(qty=7)}, msgspec.structs.replace(FUTURE, lot=Qty(5)), Product.NRML),
    ),
]
"""Other ways to the same reasons."""
AT_THE_GATE: dict[RefusalReason, tuple[Mapping[str, Any], str]] = {
    RefusalReason.UNKNOWN_INSTRUMENT: (
        {"instrument": InstrumentId("NSE:OMEGA")}, "a strategy reaches the instruments of its run only"
    ),
    RefusalReason.OFF_TICK: ({"limit": Px(1_000_001)}, "what a strategy asks for is put onto the tick"),
    RefusalReason.VARIETY: ({"variety": Variety.AMO}, "a strategy cannot ask for a variety yet"),
    RefusalReason.DISCLOSED: ({"disclosed": Qty(1)}, "a strategy cannot ask for a disclosed quantity yet"),
    RefusalReason.PROTECTION: ({"protection_bps": 50}, "a strategy cannot ask for market protection yet"),
    RefusalReason.COOL_DOWN: ({}, "what the simulated exchange rejects, the gate of such a run refuses before"),
    RefusalReason.NOT_RECONCILED: ({}, "a backtest has no broker to be compared with"),
    RefusalReason.TRADING_OFF: ({}, "nothing switches trading off in a backtest"),
}  # fmt: skip
"""What no backtest produces: the order that the gate refuses, and why no strategy can bring it there."""


def plain_order(state: EngineState) -> Order:
    kind, product = OrderType.LIMIT, Product.CNC
    return Order(OrderId("1"), state.origin, ALPHA.id, Side.BUY, Qty(10), kind, product, TsNs(2), Px(10**6))


@pytest.mark.parametrize(("reason", "case"), [*IN_A_BACKTEST.items(), *AGAIN])
def test_a_backtest_is_refused_by_name(reason: RefusalReason, case: Case) -> None:
    result = run_backtest(spec_for(case))
    assert [refusal.reason for refusal in result.refusals] == [reason]
    assert result.refusals[0].detail


@pytest.mark.parametrize("reason", list(AT_THE_GATE))
def test_the_gate_refuses_by_name(reason: RefusalReason) -> None:
    state = prepare(spec_for(Case({})))
    if reason is RefusalReason.TRADING_OFF:
        step(state, TradingSwitched(on=False, ts_ns=TsNs(1), reason="a test"))
    if reason is RefusalReason.NOT_RECONCILED:
        step(state, AccountTaken(RunId("run-1"), 1, "build", "settings", TsNs(1)))
    if reason is RefusalReason.COOL_DOWN:
        state.control(limits_of(reject_cooldown_ns=10)).rejected(plain_order(state), 1)
    verdict = state.gate.submit(msgspec.structs.replace(plain_order(state), **AT_THE_GATE[reason][0]), TsNs(2))
    assert isinstance(verdict, Refused)
    assert verdict.reason is reason
    assert not state.book.records


def test_the_gate_lets_the_plain_order_through() -> None:
    state = prepare(spec_for(Case({})))
    assert not isinstance(state.gate.submit(plain_order(state), TsNs(2)), Refused)


def test_every_reason_is_produced_in_a_backtest_or_says_why_not() -> None:
    assert IN_A_BACKTEST.keys() | AT_THE_GATE.keys() == set(RefusalReason)
    assert not IN_A_BACKTEST.keys() & AT_THE_GATE.keys()
    assert all(why for _, why in AT_THE_GATE.values())
