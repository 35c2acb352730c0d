"""The universe of a day: asked point in time, it bounds what may be opened and never what may be closed."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest

from manjha.domain.bars import BarColumns
from manjha.domain.commands import RefusalReason
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Asset, Exchange, Instrument, Kind
from manjha.domain.moments import TradingDay, day_of
from manjha.domain.orders import Product
from manjha.domain.sizing import TargetUnit
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.strategy.context import Context
from manjha.strategy.interface import Floats, History, Strategy
from tests.fakes.hand_made import Row, days, flat, share_named, spec_of

ALPHA, BETA = share_named("ALPHA"), share_named("BETA")
ROWS: list[Row] = [flat(100)] * 8
Script = dict[int, Callable[[Context], None]]


class Choosing(Strategy):
    """Take from the listed what `wanted` names on the nth day it is asked."""

    instruments_max: ClassVar[int] = 0
    wanted: ClassVar[Sequence[str]] = ()
    script: ClassVar[Script] = {}
    unit: ClassVar[TargetUnit] = TargetUnit.QTY

    def init(self, ctx: Context) -> None:
        """Keep what is seen."""
        del ctx
        self.asked: list[tuple[TradingDay, list[str]]] = []
        self.seen: list[list[str]] = []

    def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Sequence[Instrument]:
        """Choose by the symbols of the day; past the end, those of the last."""
        self.asked.append((day, [instrument.symbol for instrument in listed]))
        symbols = self.wanted[min(len(self.asked), len(self.wanted)) - 1].split()
        return [instrument for instrument in listed if instrument.symbol in symbols]

    def on_bar(self, ctx: Context) -> None:
        """Play the script."""
        self.seen.append([market.instrument.symbol for market in ctx.universe.values()])
        if ctx.position_index in self.script:
            self.script[ctx.position_index](ctx)


def play(wanted: Sequence[str], script: Script, *bars: BarColumns, **changes: Any) -> tuple[BacktestResult, Any]:
    body = {"__doc__": "Chosen.", "wanted": wanted, "script": script}
    strategy = type("Chosen", (Choosing,), body)()
    chosen = bars or (days(ALPHA, ROWS), days(BETA, ROWS))
    return run_backtest(spec_of(strategy, *chosen, contract_notes=False, **changes)), strategy


def reasons(result: BacktestResult) -> list[RefusalReason]:
    return [refusal.reason for refusal in result.refusals]


def test_it_is_asked_once_a_day_and_shown() -> None:
    result, strategy = play(["ALPHA BETA", "BETA", "ALPHA"], {})
    opens = result.bars[0].ts_open_ns
    assert [day for day, _ in strategy.asked] == [day_of(ts) for ts in opens]
    assert strategy.seen[:4] == [["ALPHA", "BETA"], ["BETA"], ["ALPHA"], ["ALPHA"]]


def test_an_opening_outside_is_refused_and_a_closing_never() -> None:
    script: Script = {
        0: lambda ctx: ctx["ALPHA"].buy(10),
        2: lambda ctx: ctx["ALPHA"].buy(10),
        3: lambda ctx: ctx["ALPHA"].sell(4),
        4: lambda ctx: ctx["ALPHA"].close_position(),
        5: lambda ctx: ctx["BETA"].buy(3, limit=99.5),
    }
    result, _ = play(["ALPHA BETA", "ALPHA BETA", "BETA"], script)
    assert reasons(result) == [RefusalReason.UNIVERSE]
    assert result.refusals[0].detail == "NSE:ALPHA"
    assert [(int(fill.side) * fill.qty, fill.instrument) for fill in result.fills] == [
        (10, ALPHA.id), (-4, ALPHA.id), (-6, ALPHA.id), (3, BETA.id),
    ]  # fmt: skip


def test_what_leaves_the_universe_keeps_its_stop() -> None:
    rows = [*ROWS[:5], (100, 100, 94, 95), flat(95)]
    result, _ = play(
        ["ALPHA", "BETA"], {0: lambda ctx: ctx["ALPHA"].buy(10, stop=96)}, days(ALPHA, rows), days(BETA, rows)
    )
    assert [fill.px for fill in result.fills] == [1_000_000, 960_000]


def test_listed_are_those_whose_data_have_begun_and_that_have_not_expired() -> None:
    first = days(ALPHA, ROWS)
    contract = msgspec.structs.replace(
        share_named("GAMMA"), kind=Kind.FUTURE, asset=Asset.EQUITY, exchange=Exchange.NFO, underlying="ALPHA",
        expiry=day_of(first.ts_open_ns[4]),
    )  # fmt: skip
    late = days(BETA, ROWS[:5], first=day_of(first.ts_open_ns[3]))
    strategy = type("Chosen", (Choosing,), {"__doc__": "Chosen.", "wanted": ["ALPHA"]})()
    spec = spec_of(strategy, first, late, days(contract, ROWS))
    run_backtest(msgspec.structs.replace(spec, instruments=(*spec.instruments[:2], contract)))
    assert [" ".join(listed) for _, listed in strategy.asked] == [
        *["ALPHA GAMMA"] * 3, *["ALPHA BETA GAMMA"] * 2, *["ALPHA BETA"] * 3,
    ]  # fmt: skip


def test_it_may_yield_what_it_chooses() -> None:
    class Yields(Choosing):
        """Yield one."""

        def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Any:
            """Yield the second."""
            del day
            yield from listed[1:]

    strategy = Yields()
    run_backtest(spec_of(strategy, days(ALPHA, ROWS), days(BETA, ROWS)))
    assert strategy.seen[0] == ["BETA"]


def test_without_it_the_universe_is_every_market() -> None:
    seen: list[bool] = []

    class Plain(Strategy):
        """Look only."""

        def on_bar(self, ctx: Context) -> None:
            """Look."""
            seen.append(ctx.universe is ctx.markets)

    run_backtest(spec_of(Plain(), days(ALPHA, ROWS)))
    assert all(seen)


def test_an_instrument_that_is_not_listed_is_an_error() -> None:
    class Wrong(Strategy):
        """Want what there is not."""

        def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Sequence[Instrument]:
            """Return a stranger."""
            del day, listed
            return [BETA]

        def on_bar(self, ctx: Context) -> None:
            """Do nothing."""

    with pytest.raises(UsageError, match=r"wrong\.universe gave NSE:BETA for 2024-01-01"):
        run_backtest(spec_of(Wrong(), days(ALPHA, ROWS)))


@pytest.mark.parametrize(
    ("second", "held", "refused"),
    [
        (4.0, [10, 4], 0),
        (0.0, [10, 0], 0),
        (15.0, [10], 1),
        (-5.0, [10, 0], 1),
    ],
)
def test_targets_outside_only_ever_reduce(second: float, held: list[int], refused: int) -> None:
    class Stated(Choosing):
        """Ten, then another number."""

        wanted: ClassVar[Sequence[str]] = ("ALPHA", "BETA")
        product: ClassVar[Product] = Product.NRML
        on_bar = Strategy.on_bar

        def targets(self, history: History) -> Floats:
            """State two rows."""
            out = np.full((len(history.ts_ns), len(history.instruments)), np.nan)
            out[0, 0], out[3, 0] = 10.0, second
            return out

    spec = spec_of(Stated(), days(ALPHA, ROWS), days(BETA, ROWS), contract_notes=False)
    contracts = tuple(
        msgspec.structs.replace(i, kind=Kind.FUTURE, asset=Asset.EQUITY, exchange=Exchange.NFO, underlying=i.symbol)
        for i in spec.instruments
    )
    result = run_backtest(msgspec.structs.replace(spec, instruments=contracts))
    path = np.cumsum([int(fill.side) * fill.qty for fill in result.fills]).tolist()
    assert path == held
    assert reasons(result) == [RefusalReason.UNIVERSE] * refused
