"""Protections: pauses that follow from how the last trades ended, as freqtrade has them. Pure functions.

Each looks at the closed trades of a strategy, oldest first, when one more has closed. Profit is before charges.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.kill import Scope
from manjha.domain.money import Cash, format_cash
from manjha.domain.orders import StrategyId

PPM = 1_000_000


class ClosedTrade(msgspec.Struct, frozen=True, gc=False):
    """A position that was closed or turned: when (UTC ns), with what profit, and whether a stop took it out."""

    strategy: StrategyId
    instrument: InstrumentId
    ts_ns: int
    profit: int
    stopped: bool


class CooldownPeriod(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """After a trade in an instrument has closed, nothing is opened in it for `stop_ns`."""

    stop_ns: int


class StopLossGuard(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """After `trades` losing stops within `lookback_ns` nothing is opened for `stop_ns`, in the instrument or at all."""

    lookback_ns: int
    trades: int
    stop_ns: int
    per_instrument: bool = False


class LowProfit(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An instrument whose `trades` or more of `lookback_ns` made less than `profit` together rests for `stop_ns`."""

    lookback_ns: int
    trades: int
    stop_ns: int
    profit: Cash = Cash(0)


class MaxDrawdown(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Nothing is opened for `stop_ns` when trades have fallen by `fall_ppm` of the capital.

    The fall is from the highest sum of the profits of `lookback_ns` (at least `trades`) to the present one.
    """

    lookback_ns: int
    trades: int
    stop_ns: int
    fall_ppm: int


Protection = CooldownPeriod | StopLossGuard | LowProfit | MaxDrawdown


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Nothing is opened in a scope until a moment (UTC ns), and why."""

    scope: Scope
    until_ns: int
    control: str
    detail: str


def pauses(rules: Sequence[Protection], trades: Sequence[ClosedTrade], capital: int) -> list[Pause]:
    """Return the pauses that follow from the newest trade; `capital` in 1e-4 rupee is what a drawdown is a part of."""
    newest = trades[-1]
    mine = [trade for trade in trades if trade.strategy == newest.strategy]
    found = (_JUDGES[type(rule)](rule, mine, capital) for rule in rules)
    return [pause for pause in found if pause is not None]


def lookback(rules: Sequence[Protection]) -> int:
    """Return how long trades are remembered."""
    return max((getattr(rule, "lookback_ns", 0) for rule in rules), default=0)


def _cooldown(rule: CooldownPeriod, trades: Sequence[ClosedTrade], capital: int) -> Pause:
    del capital
    newest = trades[-1]
    return _pause(newest, "cooldown period", "a trade in it has just closed", rule.stop_ns, per_instrument=True)


def _stop_loss_guard(rule: StopLossGuard, trades: Sequence[ClosedTrade], capital: int) -> Pause | None:
    del capital
    newest = trades[-1]
    stops = [
        trade
        for trade in _since(trades, rule.lookback_ns)
        if trade.stopped and trade.profit < 0 and (not rule.per_instrument or trade.instrument == newest.instrument)
    ]
    if not newest.stopped or len(stops) < rule.trades:
        return None
    return _pause(newest, "stop-loss guard", f"{len(stops)} stops", rule.stop_ns, per_instrument=rule.per_instrument)


def _low_profit(rule: LowProfit, trades: Sequence[ClosedTrade], capital: int) -> Pause | None:
    del capital
    newest = trades[-1]
    mine = [trade.profit for trade in _since(trades, rule.lookback_ns) if trade.instrument == newest.instrument]
    made = sum(mine)
    if len(mine) < rule.trades or made >= rule.profit:
        return None
    detail = f"{len(mine)} trades made {format_cash(made)}"
    return _pause(newest, "low profit", detail, rule.stop_ns, per_instrument=True)


def _max_drawdown(rule: MaxDrawdown, trades: Sequence[ClosedTrade], capital: int) -> Pause | None:
    recent = _since(trades, rule.lookback_ns)
    total = peak = 0
    for trade in recent:
        total += trade.profit
        peak = max(peak, total)
    fall = peak - total
    if len(recent) < rule.trades or fall * PPM < rule.fall_ppm * capital or not fall:
        return None
    detail = f"{len(recent)} trades fell by {format_cash(fall)}"
    return _pause(trades[-1], "max drawdown", detail, rule.stop_ns, per_instrument=False)


def _since(trades: Sequence[ClosedTrade], lookback_ns: int) -> list[ClosedTrade]:
    first = trades[-1].ts_ns - lookback_ns
    return [trade for trade in trades if trade.ts_ns >= first]


def _pause(newest: ClosedTrade, control: str, detail: str, stop_ns: int, *, per_instrument: bool) -> Pause:
    scope = Scope(newest.strategy, newest.instrument if per_instrument else InstrumentId(""))
    return Pause(scope, newest.ts_ns + stop_ns, control, detail)


_JUDGES: dict[type, Callable[[Any, Sequence[ClosedTrade], int], Pause | None]] = {
    CooldownPeriod: _cooldown,
    StopLossGuard: _stop_loss_guard,
    LowProfit: _low_profit,
    MaxDrawdown: _max_drawdown,
}
