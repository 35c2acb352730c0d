"""Look-ahead checks on stored data: of a strategy in its run, of an indicator or feature on an instrument's bars."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from manjha.domain.bars import Interval
from manjha.domain.moments import TradingDay
from manjha.research.bias.detector import POINTS, Detector, Tell
from manjha.research.bias.findings import BiasReport
from manjha.research.bias.functions import function_subject, indicator_subject
from manjha.research.bias.subjects import StrategySubject, Subject
from manjha.services.backtests import BacktestRequest, BacktestServices, load_interval, plan_backtest
from manjha.strategy.indicators import Indicator


class FunctionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be checked on which bars: an indicator of the registry or a user's function, with its parameters."""

    function: Indicator | Callable[..., Any]
    instrument: str
    interval: Interval
    start: TradingDay | None = None
    end: TradingDay | None = None
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
    found, bars = load_interval(services, request.instrument, request.interval, (request.start, request.end))
    make = indicator_subject if isinstance(request.function, Indicator) else function_subject
    return make(request.function, bars, found.display, request.params)  # type: ignore[arg-type]  # chosen by its type
