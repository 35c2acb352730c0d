"""A look-ahead check from words: what `manjha bias-check` and jobs have in common."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from manjha.app.bootstrap import backtest_services, strategy_source
from manjha.app.research.requests import make_request
from manjha.app.research.terms import parse_numbers, parse_params, parse_span
from manjha.app.settings import Settings
from manjha.app.strategies import find_function
from manjha.domain.bars import parse_interval
from manjha.domain.errors import UsageError
from manjha.research.bias.findings import BiasReport
from manjha.services.backtests import BacktestRequest
from manjha.services.bias_checks import FunctionRequest, check_bias
from manjha.services.data_jobs import Progress


def bias_request(
    settings: Settings,
    whom: tuple[str, str],
    instruments: tuple[str, ...],
    words: Mapping[str, Any],
    params: Sequence[str],
) -> BacktestRequest | FunctionRequest:
    """Return what is to be checked: `whom` is a strategy or an indicator, the other one empty.

    Raises
    ------
    UsageError
        Neither or both are given, no instrument, or a word that means nothing.
    """
    strategy, indicator = whom
    if bool(strategy) == bool(indicator) or not instruments:
        raise UsageError(
            "expected a strategy or an indicator, and an instrument to check it on",
            hint="Like: manjha bias-check -s sma-cross --instrument NSE:INFY, or --indicator FILE.py:function.",
        )
    if strategy:
        made = strategy_source(settings).find(strategy)(**parse_params(params))
        return make_request(made, instruments, words)
    if len(instruments) > 1:
        raise UsageError(f"an indicator is checked on one instrument, were {len(instruments)}")
    start, end = parse_span(words["start"], words["end"])
    return FunctionRequest(
        function=find_function(indicator),
        instrument=instruments[0],
        interval=parse_interval(words["interval"]),
        start=start,
        end=end,
        adjustment=words["adjustment"],
        params=parse_numbers(params),
    )


def run_bias_check(
    settings: Settings, request: BacktestRequest | FunctionRequest, points: int, seed: int, tell: Progress
) -> BiasReport:
    """Cut the run short at many points, and change what comes after. Raises as `check_bias`."""
    tell("loading", 0, 0)
    services = backtest_services(settings)
    return check_bias(services, request, points=points, seed=seed, tell=partial(tell, "bias check"))
