"""Stop, target and lock-and-trail on the day's profit of a strategy or of the account, marked to market."""

import msgspec

from manjha.domain.kill import KillLevel, Scope
from manjha.domain.money import Cash, format_cash
from manjha.domain.orders import StrategyId


class ProfitRule(msgspec.Struct, frozen=True, kw_only=True):
    """When the day's profit (realised and unrealised, charges included, since the session opened) ends the trading day.

    `strategy` is whose profit; empty is the account's. Amounts in 1e-4 rupee, zero meaning none: `stop` is a loss,
    `target` a profit. Once the profit has reached `lock_at` it is not given back below `floor`, nor by more than
    `trail` from its highest where that is higher. `level` then holds for the scope until the next session opens.
    """

    strategy: StrategyId = StrategyId("")
    stop: Cash = Cash(0)
    target: Cash = Cash(0)
    lock_at: Cash = Cash(0)
    floor: Cash = Cash(0)
    trail: Cash = Cash(0)
    level: KillLevel = KillLevel.FLATTEN

    @property
    def scope(self) -> Scope:
        """Whom it acts on."""
        return Scope(strategy=self.strategy)


def locked_floor(rule: ProfitRule, peak: int) -> int | None:
    """Return the profit that is locked in after a highest one of `peak`; None where nothing is."""
    if not rule.lock_at or peak < rule.lock_at:
        return None
    return max(rule.floor, peak - rule.trail) if rule.trail else int(rule.floor)


def verdict(rule: ProfitRule, profit: int, peak: int) -> str:
    """Say why a rule acts at a profit, `peak` being the day's highest, this one included; empty when it does not."""
    if rule.stop and profit <= -rule.stop:
        return f"loss {format_cash(-profit)}, stop {format_cash(rule.stop)}"
    if rule.target and profit >= rule.target:
        return f"profit {format_cash(profit)}, target {format_cash(rule.target)}"
    floor = locked_floor(rule, peak)
    if floor is not None and profit <= floor:
        return f"profit {format_cash(profit)}, {format_cash(floor)} locked in after {format_cash(peak)}"
    return ""
