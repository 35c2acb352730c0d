"""What is traded today on ticks as they happen: the plan of a run, over what is stored until now."""

from collections.abc import Callable, Sequence

import msgspec

from manjha.app.bootstrap import backtest_services, control_limits
from manjha.app.kite.times import Times
from manjha.app.settings import Settings
from manjha.app.trading.live_checks import require_session, today_of
from manjha.domain.bars import BarColumns
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import TsNs, format_day
from manjha.domain.orders import AccountId, Origin, RunId, StrategyId
from manjha.engine.bars import first_bars
from manjha.market.rules import MarketRules
from manjha.services.backtests import BacktestRequest, plan_backtest
from manjha.services.code_hash import code_hash
from manjha.services.live_runs import LivePlan

Since = Callable[[MarketRules, Sequence[Instrument], Sequence[int], TsNs], TsNs]
"""From rules, instruments, intervals and now: from when on a new run has bars of its own."""
HASH_SHOWN = 16
"""Letters of the code's hash that the journal has beside the version."""


def plan_of_today(
    settings: Settings, account: str, request: BacktestRequest, found_as: str, times: Times, since: Since
) -> LivePlan:
    """Return what is to be traded. What is stored until the moment that `since` gives is history.

    Raises `UsageError` where nothing of it trades today, or can be traded.
    """
    spec = plan_backtest(backtest_services(settings), request)
    require_session(spec.rules, spec.instruments, today_of(times))
    intervals = [one.interval for one in (*spec.bars, *spec.further)]
    until_ns = since(spec.rules, spec.instruments, intervals, times.now_ns())
    not_traded = [one.display for one in spec.instruments if not one.is_tradable]
    if len(not_traded) == len(spec.instruments) or request.index_proxy:
        raise UsageError(
            f"{', '.join(not_traded) or 'an index as its future'} cannot be traded",
            hint="Name a share, a future or an option; an index may stand beside it, to be looked at.",
        )
    live = msgspec.structs.replace(
        spec,
        bars=_closed(spec.bars, until_ns),
        further=_closed(spec.further, until_ns),
        controls=control_limits(settings, spec.strategy.name),
        code_version=f"{spec.code_version}+{code_hash()[:HASH_SHOWN]}",
    )
    run = RunId(f"{account}-{format_day(today_of(times)).replace('-', '')}")
    origin = Origin(AccountId(account), StrategyId(spec.strategy.name), run)
    return LivePlan(live, origin, found_as, until_ns)


def _closed(columns: tuple[BarColumns, ...], until_ns: TsNs) -> tuple[BarColumns, ...]:
    """Return the bars that have closed by a moment."""
    return tuple(first_bars(one, sum(close <= until_ns for close in one.ts_close_ns)) for one in columns)
