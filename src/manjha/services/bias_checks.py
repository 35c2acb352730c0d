"""Look-ahead checks on stored data: of a strategy in its run, of an indicator or feature on an instrument's bars."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec

from manjha.domain.bars import Interval
from manjha.domain.moments import TradingDay
from manjha.domain.orders import Product
from manjha.research.bias.detector import POINTS, Detector, Tell
from manjha.research.bias.findings import BiasReport
from manjha.research.bias.functions import function_subject, indicator_subject
from manjha.research.bias.subjects import StrategySubject, Subject
from manjha.services.backtests import BacktestRequest, BacktestServices, plan_backtest
from manjha.strategy.context import Context
from manjha.strategy.indicators import Indicator
from manjha.strategy.interface import Strategy


class _Nothing(Strategy):
    """Trades nothing, and so may be planned on the bars of anything, an index too."""

    product: ClassVar[Product] = Product.NRML

    def on_bar(self, ctx: Context) -> None:
        """Do nothing."""


class FunctionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be checked on which bars: an indicator of the registry or a user's function, with its parameters."""

    function: Indicator | Callable[..., Any]
    instrument: str
    interval: Interval
    start: TradingDay | None = None
    end: TradingDay | None = None
    adjustment: str = ""
    params: Mapping[str, Any] = {}


def check_bias(
    services: BacktestServices,
    request: BacktestRequest | FunctionRequest,
    *,
    points: int = POINTS,
    seed: int = 0,
    tell: Tell | None = None,
) -> BiasReport:
    """Load what a request needs, check it and return the verdict.

    Raises
    ------
    UsageError
        As `plan_backtest`; a parameter or column that the function has not.
    DataError
        Too few bars to cut anywhere.
    """
    return Detector(_subject(services, request), count=points, seed=seed, tell=tell).check()


def _subject(services: BacktestServices, request: BacktestRequest | FunctionRequest) -> Subject:
    if isinstance(request, BacktestRequest):
        return StrategySubject(plan_backtest(services, request))
    loaded = BacktestRequest(
        strategy=_Nothing(),
        instruments=(request.instrument,),
        interval=request.interval,
        start=request.start,
        end=request.end,
        adjustment=request.adjustment,
        index_proxy=True,
    )
    bars = plan_backtest(services, loaded).bars[0]
    label = services.instruments.find(request.instrument, request.start).display
    make = indicator_subject if isinstance(request.function, Indicator) else function_subject
    return make(request.function, bars, label, request.params)  # type: ignore[arg-type]  # chosen by its type
