"""The venue against an exchange so plain that it can be checked by reading, on random markets and random orders."""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.bars import BarColumns
from manjha.domain.instrument import Asset, Exchange, Kind
from manjha.domain.moments import SECOND_NS
from manjha.domain.money import RUPEE, Cash
from manjha.domain.orders import Order, OrderId, Product, Purpose, Side, Validity
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.simulator.fills import FillRules, LimitFill, Path
from manjha.simulator.slippage import FixedTicks
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import days, minutes, share_named, spec_of
from tests.fakes.naive_venue import Ask, NaiveBar, NaiveFill, NaiveRules, NaiveVenue

TICK, TICKS = 500, 20
"""A tick in 1e-4 rupee, and how many make a rupee."""
HOURS = 7
"""Hourly bars of a day, the last one a quarter long."""
FUTURE = msgspec.structs.replace(
    share_named(), kind=Kind.FUTURE, asset=Asset.EQUITY, exchange=Exchange.NFO, underlying="ALPHA"
)
Run = tuple[list[NaiveBar], list[Ask], NaiveRules]


class Asking(Strategy):
    """Ask for what is written down, bar by bar."""

    product: ClassVar[Product] = Product.NRML
    asks: ClassVar[Sequence[Ask]] = ()

    def on_bar(self, ctx: Context) -> None:
        """Ask for what is due."""
        for ask in self.asks:
            if ask.bar == ctx.position_index:
                prices = {"limit": ask.limit, "trigger": ask.trigger, "stop": ask.stop, "target": ask.target}
                terms: dict[str, Any] = {name: ticks / TICKS for name, ticks in prices.items() if ticks}
                terms["validity"] = Validity.IOC if ask.at_once else Validity.DAY
                ctx.order(ctx.market, Side(ask.side), ask.qty, tag=ask.name, **terms)


gaps = st.sampled_from((0, 0, 0, 1, -1, 4, -4, 9, -9))
volumes = st.sampled_from((100, 40, 10, 200, 0))
kinds = st.sampled_from(("market", "limit", "stop", "stop limit"))
distances = st.sampled_from((0, 1, 3, 6, 10))
rules = st.builds(
    NaiveRules,
    penetration=st.booleans(),
    best=st.booleans(),
    share=st.sampled_from((0, 10, 100)),
    slip=st.integers(0, 2),
    ends_with_day=st.booleans(),
)


@st.composite
def markets(draw: st.DrawFn) -> list[NaiveBar]:
    """Draw hourly or daily bars that jump, stand still, and sometimes trade nothing."""
    bars: list[NaiveBar] = []
    last, day = 2000, draw(st.sampled_from((HOURS, 1)))
    for at in range(HOURS * draw(st.integers(1, 3))):
        opened = last + draw(gaps)
        last = opened + draw(st.integers(-8, 8))
        high, low = max(opened, last) + draw(st.integers(0, 6)), min(opened, last) - draw(st.integers(0, 6))
        bars.append(NaiveBar(opened, high, low, last, draw(volumes) if at else 100, (at + 1) % day == 0))
    return bars


@st.composite
def entries(draw: st.DrawFn, bars: Sequence[NaiveBar], name: str, side: int) -> Ask:
    """Draw an order of any kind, its prices around the close at which it is asked for."""
    bar, kind, away = draw(st.integers(0, len(bars) - 2)), draw(kinds), draw(st.integers(-6, 10))
    limit = bars[bar].close - side * away if kind == "limit" else 0
    trigger = bars[bar].close + side * away if kind.startswith("stop") else 0
    if kind == "stop limit":
        limit = trigger + side * draw(st.integers(0, 4))
    return Ask(bar, name, side, draw(st.integers(1, 30)), limit, trigger)


@st.composite
def runs(draw: st.DrawFn, exits: bool) -> Run:
    """Draw a market, orders in it, and rules: plain orders of both sides, or entries of one side with exits."""
    bars = draw(markets())
    asks: list[Ask] = []
    side = draw(st.sampled_from((1, -1)))
    for number in range(draw(st.integers(1, 3 if exits else 6))):
        ask = draw(entries(bars, f"o{number}", side if exits else draw(st.sampled_from((1, -1)))))
        if exits:
            px, stop, target = ask.limit or ask.trigger or bars[ask.bar].close, draw(distances), draw(distances)
            ask = ask._replace(stop=stop and px - side * stop, target=target and px + side * target)
        elif not ask.trigger:
            ask = ask._replace(at_once=draw(st.booleans()))
        asks.append(ask)
    return bars, sorted(asks), draw(rules)


def columns_of(bars: Sequence[NaiveBar]) -> BarColumns:
    """Return the bars with a second between two, so that a moment is either a close or an open."""
    rows = [(bar.open / TICKS, bar.high / TICKS, bar.low / TICKS, bar.close / TICKS) for bar in bars]
    volume = [bar.volume for bar in bars]
    if bars[0].ends_day:
        return days(FUTURE, rows, volume=volume)
    columns = minutes(FUTURE, rows, length=3600, volume=volume)
    closes = np.asarray(columns.ts_close_ns) - [0 if bar.ends_day else SECOND_NS for bar in bars]
    return msgspec.structs.replace(columns, ts_close_ns=closes.data)


def by_engine(bars: Sequence[NaiveBar], asks: Sequence[Ask], chosen: NaiveRules) -> list[NaiveFill]:
    strategy = type("Asked", (Asking,), {"__doc__": "Asked.", "asks": asks})()
    fills = FillRules(
        limit=LimitFill.PENETRATION if chosen.penetration else LimitFill.TOUCH,
        path=Path.BEST if chosen.best else Path.WORST,
        participation_ppm=chosen.share * 10_000,
        orders_end_with_day=chosen.ends_with_day,
    )
    money, slippage = Cash(10**9 * RUPEE), FixedTicks(chosen.slip)
    spec = spec_of(strategy, columns_of(bars), fills=fills, slippage=slippage, initial=money, contract_notes=False)
    result = run_backtest(msgspec.structs.replace(spec, instruments=(FUTURE,)))
    assert not result.refusals
    return named(result)


def named(result: BacktestResult) -> list[NaiveFill]:
    """Return the fills of a run in the words of the plain exchange."""
    orders = {record.order.id: record.order for record in result.orders}
    opens, closes = list(result.bars[0].ts_open_ns), list(result.bars[0].ts_close_ns)
    found = []
    for fill in result.fills:
        moment, stamps = ("open", opens) if fill.ts_ns in opens else ("range", closes)
        name = name_of(fill.order_id, orders)
        found.append(NaiveFill(stamps.index(fill.ts_ns), moment, name, int(fill.side), fill.qty, fill.px // TICK))
    return found


def name_of(order_id: OrderId, orders: dict[OrderId, Order]) -> str:
    order = orders[order_id]
    return order.tag if order.purpose is Purpose.SIGNAL else f"{order.tag}:{order.purpose}"


@pytest.mark.slow
@settings(max_examples=150)
@given(runs(exits=False))
def test_orders_trade_as_in_the_plain_exchange(run: Run) -> None:
    bars, asks, chosen = run
    assert by_engine(bars, asks, chosen) == NaiveVenue(chosen).play(bars, asks)


@pytest.mark.slow
@settings(max_examples=150)
@given(runs(exits=True))
def test_stops_and_targets_trade_as_in_the_plain_exchange(run: Run) -> None:
    bars, asks, chosen = run
    assert by_engine(bars, asks, chosen) == NaiveVenue(chosen).play(bars, asks)
