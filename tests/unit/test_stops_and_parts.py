"""What is left of an order after a part has traded, and what a bar must show before a stop counts as triggered."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from manjha.domain.instrument import Asset, Exchange, Kind
from manjha.domain.moments import parse_day
from manjha.domain.orders import Product
from manjha.research.backtest import run_backtest
from manjha.simulator.fills import FillRules, LimitFill
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import Row, days, flat, minutes, share_named, spec_of

FUTURE = msgspec.structs.replace(
    share_named(), kind=Kind.FUTURE, asset=Asset.EQUITY, exchange=Exchange.NFO, underlying="ALPHA"
)
KEPT = FillRules(orders_end_with_day=False)
Script = Mapping[int, Callable[[Context], None]]


class Scripted(Strategy):
    """Do what the script says at the close of a bar."""

    product: ClassVar[Product] = Product.NRML
    script: ClassVar[Script] = {}

    def on_bar(self, ctx: Context) -> None:
        """Play the script."""
        if ctx.position_index in self.script:
            self.script[ctx.position_index](ctx)


def trades(rows: list[Row], script: Script, **changes: Any) -> list[tuple[int, str, int, float]]:
    """Return the fills as (day, side, quantity, price in rupees)."""
    strategy = type("Played", (Scripted,), {"__doc__": "Played.", "script": script})()
    bars = days(FUTURE, rows, volume=changes.pop("volume", 10**6))
    spec = spec_of(strategy, bars, contract_notes=False, **({"fills": KEPT} | changes))
    result = run_backtest(msgspec.structs.replace(spec, instruments=(FUTURE,)))
    opens, closes = list(bars.ts_open_ns), list(bars.ts_close_ns)
    day = {ts: row for stamps in (opens, closes) for row, ts in enumerate(stamps)}
    return [(day[fill.ts_ns], fill.side.name, fill.qty, fill.px / 10_000) for fill in result.fills]


def test_the_rest_of_a_triggered_stop_trades_at_the_next_open() -> None:
    rows = [flat(100), flat(100), (100, 100, 94, 99), (99, 101, 98.5, 100), flat(100)]
    found = trades(rows, {0: lambda ctx: ctx.buy(10, stop=95)}, volume=[10, 10, 6, 10, 10])
    assert found[1:] == [(2, "SELL", 6, 95.0), (3, "SELL", 4, 99.0)]


def test_the_rest_of_a_triggered_stop_entry_trades_at_the_next_open() -> None:
    rows = [flat(100), (100, 102, 100, 101), flat(101), flat(100)]
    found = trades(rows, {0: lambda ctx: ctx.buy(10, trigger=102)}, volume=[9, 4, 4, 4])
    assert found == [(1, "BUY", 4, 102.0), (2, "BUY", 4, 101.0), (3, "BUY", 2, 100.0)]


@pytest.mark.parametrize("terms", [{"trigger": 102}, {"trigger": 102, "limit": 103}])
def test_a_bar_without_volume_triggers_no_stop(terms: dict[str, float]) -> None:
    rows = [flat(100), (100, 102, 100, 101), flat(101), (101, 102.5, 101, 102)]
    found = trades(rows, {0: lambda ctx: ctx.buy(10, **terms)}, volume=[9, 0, 50, 50])
    assert found == [(3, "BUY", 10, 102.0)]


def test_what_a_stop_limit_trades_at_does_not_depend_on_other_orders() -> None:
    def both(ctx: Context) -> None:
        ctx.buy(3, limit=99.5)
        ctx.buy(10, trigger=102, limit=103)

    rows = [flat(100), (100, 102.5, 99, 101), flat(101)]
    alone = trades(rows, {0: lambda ctx: ctx.buy(10, trigger=102, limit=103)})
    assert alone == [(1, "BUY", 10, 102.0)]
    assert trades(rows, {0: both}) == [(1, "BUY", 3, 99.5), *alone]


def test_the_rest_of_a_triggered_stop_trades_in_the_closing_auction() -> None:
    share = msgspec.structs.replace(share_named(), has_derivatives=True)
    rows: list[Row] = [*[flat(100)] * 23, (100, 103, 100, 101), (104, 104, 104, 104), flat(99)]
    volume = [*[100] * 23, 6, 100, 100]
    script: Script = {20: lambda ctx: ctx.buy(10, trigger=102)}
    body = {"__doc__": "Played.", "script": script, "product": Product.CNC}
    bars = minutes(share, rows, day=parse_day("2026-08-03"), length=900, volume=volume, auction=True)
    spec = spec_of(type("Played", (Scripted,), body)(), bars, contract_notes=False)
    result = run_backtest(msgspec.structs.replace(spec, instruments=(share,)))
    found = [(fill.side.name, fill.qty, fill.px) for fill in result.fills]
    assert found == [("BUY", 6, 1_020_000), ("BUY", 4, 1_040_000)]


@pytest.mark.parametrize(("opened", "filled"), [(99.0, False), (98.95, True)])
def test_an_open_at_the_limit_has_not_gone_through_it(opened: float, filled: bool) -> None:
    fills = FillRules(limit=LimitFill.PENETRATION)
    found = trades([flat(100), (opened, 101, opened, 100)], {0: lambda ctx: ctx.buy(limit=99)}, fills=fills)
    assert found == ([(1, "BUY", 10, opened)] if filled else [])


def test_a_target_waits_again_when_more_of_its_resting_entry_comes() -> None:
    rows = [flat(100), (100, 101, 99, 100), (100, 106, 99, 100), (100, 106, 99.5, 100)]
    found = trades(rows, {0: lambda ctx: ctx.buy(10, limit=99, target=105)}, volume=[9, 4, 50, 50])
    assert found == [(1, "BUY", 4, 99.0), (2, "BUY", 6, 99.0), (3, "SELL", 10, 105.0)]
