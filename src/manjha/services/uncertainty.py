"""The band of what could have been: the same run under other assumptions."""

from collections.abc import Callable

import msgspec

from manjha.research.assumptions import slippage_name
from manjha.research.backtest import BacktestSpec
from manjha.research.fast import fast_backtest
from manjha.research.metrics.analysis import Band, analyse, band_of
from manjha.research.result import BacktestResult
from manjha.services.backtests import made_anew
from manjha.simulator.fills import FillRules, Path
from manjha.simulator.slippage import BasisPoints, FixedTicks, NoSlippage, SlippageModel

LADDER: tuple[SlippageModel, ...] = (NoSlippage(), FixedTicks(1), BasisPoints(2), BasisPoints(5), BasisPoints(10))
"""Slippage of the uncertainty band's rows."""


def uncertainty(
    spec: BacktestSpec, result: BacktestResult, tell: Callable[[int, int], None] | None = None
) -> list[Band]:
    """Return the same run under the worst and best intrabar path and under a ladder of slippage.

    The strategy is made anew for each row, so that nothing carries over.
    """
    variants: list[tuple[FillRules, SlippageModel]] = []
    ladder = LADDER if spec.slippage in LADDER else (*LADDER, spec.slippage)
    for path in (Path.WORST, Path.BEST):
        fills = msgspec.structs.replace(spec.fills, path=path)
        variants += [(fills, slippage) for slippage in ladder]
    rows: list[Band] = []
    for index, (fills, slippage) in enumerate(variants):
        if tell is not None:
            tell(index, len(variants))
        same = fills == spec.fills and slippage == spec.slippage
        fresh = made_anew(spec.strategy)
        other = (
            result
            if same
            else fast_backtest(
                msgspec.structs.replace(spec, strategy=fresh, fills=fills, slippage=slippage), may_compile=False
            )
        )
        name = slippage_name(slippage)
        label = f"{fills.path} case, slippage {name}"
        rows.append(band_of(analyse(other), label=label, intrabar=str(fills.path), slippage=name, is_reported=same))
    return rows
