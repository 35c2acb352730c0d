"""What a fill in one instrument brings in another trades in the same bar, whichever of them comes first."""

from typing import ClassVar

import pytest

from manjha.domain.orders import Fill
from manjha.research.backtest import run_backtest
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import Row, days, flat, share_named, spec_of

ROWS: list[Row] = [flat(100), (101, 103, 100, 102), flat(102)]


class Following(Strategy):
    """Buy as much of ALPHA as was bought of BETA, when that fills."""

    instruments_max: ClassVar[int] = 0
    terms: ClassVar[dict[str, float]] = {}

    def on_bar(self, ctx: Context) -> None:
        """Begin with BETA."""
        if ctx.position_index == 0:
            ctx["BETA"].buy(10, **self.terms)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        """Follow with ALPHA."""
        if fill.instrument == ctx["BETA"].instrument.id:
            ctx["ALPHA"].buy(fill.qty)


class FollowingInside(Following):
    """The same after a stop entry, which trades inside the bar."""

    terms: ClassVar[dict[str, float]] = {"trigger": 102.5}


@pytest.mark.parametrize("names", [("ALPHA", "BETA"), ("BETA", "ALPHA")])
@pytest.mark.parametrize(("found", "prices"), [(Following, [101.0, 101.0]), (FollowingInside, [102.5, 102.0])])
def test_what_a_fill_brings_trades_in_the_same_bar(
    names: tuple[str, str], found: type[Following], prices: list[float]
) -> None:
    result = run_backtest(spec_of(found(), *(days(share_named(name), ROWS) for name in names)))
    assert [(fill.instrument[-5:].strip(":"), fill.px / 10_000) for fill in result.fills] == [
        ("BETA", prices[0]), ("ALPHA", prices[1])
    ]  # fmt: skip
    assert result.fills[0].ts_ns == result.fills[1].ts_ns
