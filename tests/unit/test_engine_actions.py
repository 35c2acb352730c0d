"""After a corporate action everything is measured in today's shares; a contract ends at its underlying's price."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.instrument import Asset, Exchange, InstrumentId, Kind, Right
from manjha.domain.moments import TsNs, day_of, parse_day
from manjha.domain.money import RUPEE, Px, Qty
from manjha.domain.sizing import NANO, VolatilityTarget
from manjha.research.backtest import run_backtest
from manjha.simulator.clearing import expiries
from manjha.simulator.slippage import FixedTicks
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import Row, days, flat, minutes, share_named, spec_of

ALPHA = share_named()
Script = Mapping[int, Callable[[Context], None]]


def played(script: Script) -> Strategy:
    def on_bar(self: Strategy, ctx: Context) -> None:
        del self
        if ctx.position_index in script:
            script[ctx.position_index](ctx)

    found: type[Strategy] = type("Played", (Strategy,), {"__doc__": "Played.", "on_bar": on_bar})
    return found()


def play(rows: list[Row], script: Script, **changes: Any) -> list[tuple[str, int, float]]:
    result = run_backtest(spec_of(played(script), days(ALPHA, rows), contract_notes=False, **changes))
    return [(fill.side.name, fill.qty, fill.px / 10_000) for fill in result.fills]


def split_before(row: int) -> tuple[CorporateAction, ...]:
    ex_day = day_of(days(ALPHA, [flat(100)] * (row + 1)).ts_open_ns[row])
    return (CorporateAction(ALPHA.id, ex_day, ActionKind.SPLIT, 2, 1),)


def test_the_band_lies_around_the_last_close_in_todays_shares() -> None:
    """Also for what is placed at the open of the ex-day: a market order of the evening, the stop of what is held."""
    rows = [flat(100), flat(100), (50, 51, 47, 48), flat(48)]
    script: Script = {0: lambda ctx: ctx.buy(10, stop=96), 1: lambda ctx: ctx.buy(10)}
    fills = play(rows, script, actions=split_before(2), bands={ALPHA.id: 100_000_000}, slippage=FixedTicks(1))
    assert fills == [("BUY", 10, 100.05), ("BUY", 20, 50.05), ("SELL", 20, 47.95)]


def test_volatility_is_measured_in_todays_shares() -> None:
    sizing = VolatilityTarget(NANO // 100, lookback=4)
    script: Script = {4: lambda ctx: ctx.buy()}
    over = play(
        [flat(100), flat(101), flat(100), flat(50), flat(50.5), flat(50)],
        script, sizing=sizing, actions=split_before(3),
    )  # fmt: skip
    plain = play([flat(50), flat(50.5), flat(50), flat(50), flat(50.5), flat(50)], script, sizing=sizing)
    assert over == plain != []


def test_volatility_looks_back_over_days_of_any_number_of_bars() -> None:
    """Half-minutes have 750 bars a day: as many days count as the policy says, whatever the length of a bar."""
    walk = [100 + day % 3 for day in range(8)]
    rows = [flat(close) for close in walk for _ in range(750)]
    bought = []
    for bars in (minutes(ALPHA, rows, length=30), days(ALPHA, [flat(close) for close in [*walk, 100]])):
        last = len(bars) - 2
        strategy = played({last: lambda ctx: ctx.buy()})
        spec = spec_of(strategy, bars, contract_notes=False, sizing=VolatilityTarget(NANO // 100, lookback=5))
        bought.append([fill.qty for fill in run_backtest(spec).fills])
    assert bought[0] == bought[1] != []


def test_an_index_option_settles_at_its_index() -> None:
    """Contracts call it NIFTY, the exchange calls it NIFTY 50."""
    put = msgspec.structs.replace(
        ALPHA, id=InstrumentId("NFO:NIFTY:2024-01-04:20000:PE"), kind=Kind.OPTION, exchange=Exchange.NFO,
        asset=Asset.INDEX, underlying="NIFTY", lot=Qty(50), expiry=parse_day("2024-01-04"),
        strike=Px(20_000 * RUPEE), right=Right.PUT,
    )  # fmt: skip
    index = msgspec.structs.replace(
        ALPHA, id=InstrumentId("NSE:NIFTY 50"), symbol="NIFTY 50", kind=Kind.INDEX, asset=Asset.INDEX
    )
    marks = {put.id: 150 * RUPEE, index.id: 19_900 * RUPEE}
    day = parse_day("2024-01-04")
    [expired] = expiries((put, index), day, marks, TsNs(0))
    assert expired.settlement == 19_900 * RUPEE
    [alone] = expiries((put,), day, marks, TsNs(0))
    assert alone.settlement == (20_000 - 150) * RUPEE
