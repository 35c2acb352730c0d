"""A share and a commodity in one run: each opens, ends and is squared off by the hours of its own exchange."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from manjha.domain.commands import RefusalReason
from manjha.domain.instrument import Asset, Exchange
from manjha.domain.moments import TsNs, format_ts
from manjha.domain.orders import Phase, Product, Purpose
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import flat, minutes, share_named, spec_of
from tests.fakes.market_rules import future

SHARE = share_named()
GOLD = future("GOLD", "2024-02-05", exchange=Exchange.MCX, asset=Asset.COMMODITY)
PRODUCTS = {SHARE.symbol: Product.CNC, GOLD.symbol: Product.NRML}
Script = Mapping[str, Callable[[Context], None]]


class ByTheClock(Strategy):
    """Do what the script says at a time of the first day."""

    instruments_max: ClassVar[int] = 0
    script: ClassVar[Script] = {}

    def on_bar(self, ctx: Context) -> None:
        """Play the script."""
        moment = clock(ctx.now_ns)
        if moment in self.script:
            self.script[moment](ctx)


def clock(ts_ns: TsNs) -> str:
    """Return day of the month and time of day."""
    return format_ts(ts_ns)[8:16]


def play(script: Script) -> BacktestResult:
    """Play quarter hours of two days: the share's 25 from 9:15 on, the commodity's 60 from 9:00 on."""
    strategy = type("Played", (ByTheClock,), {"__doc__": "Played.", "script": script})()
    bars = [minutes(SHARE, [flat(100)] * 50, length=900), minutes(GOLD, [flat(100)] * 120, length=900)]
    spec = spec_of(strategy, *bars, contract_notes=False)
    return run_backtest(msgspec.structs.replace(spec, instruments=(SHARE, GOLD)))


def buy(*symbols: str, **terms: Any) -> Callable[[Context], None]:
    def ask(ctx: Context) -> None:
        for name in symbols:
            ctx[name].buy(5, **({"product": PRODUCTS[name]} | terms))

    return ask


def trades(result: BacktestResult) -> list[tuple[str, str, str]]:
    return [(clock(fill.ts_ns), fill.instrument.split(":")[1], fill.side.name) for fill in result.fills]


def test_each_is_squared_off_before_its_own_close() -> None:
    result = play({"01T10:00": buy(SHARE.symbol, GOLD.symbol, product=Product.MIS)})
    assert trades(result)[2:] == [("01T15:30", "ALPHA", "SELL"), ("01T23:30", "GOLD", "SELL")]
    decided = [clock(r.order.decided_ns) for r in result.orders if r.order.purpose is Purpose.SQUARE_OFF]
    assert decided == ["01T15:19", "01T23:29"]


def test_an_order_in_the_share_asked_for_in_the_evening_waits_for_its_morning() -> None:
    result = play({"01T20:00": buy(SHARE.symbol, GOLD.symbol)})
    assert trades(result) == [("01T20:00", "GOLD", "BUY"), ("02T09:15", "ALPHA", "BUY")]


def test_a_day_order_ends_with_the_day_of_its_own_exchange() -> None:
    result = play({"01T10:00": buy(SHARE.symbol, GOLD.symbol, limit=90)})
    ended = {r.order.instrument: (r.phase, clock(r.done_ns)) for r in result.orders}
    assert ended == {SHARE.id: (Phase.CANCELLED, "01T15:30"), GOLD.id: (Phase.CANCELLED, "01T23:55")}


@pytest.mark.parametrize(
    ("moment", "reasons"),
    [
        ("01T15:30", [RefusalReason.SESSION_CLOSED]),
        ("01T18:00", [RefusalReason.SESSION_CLOSED]),
        ("01T23:55", [RefusalReason.SESSION_CLOSED] * 2),
    ],
)
def test_intraday_is_refused_where_the_session_has_ended(moment: str, reasons: list[RefusalReason]) -> None:
    result = play({moment: buy(SHARE.symbol, GOLD.symbol, product=Product.MIS)})
    assert [refusal.reason for refusal in result.refusals] == reasons
