"""What the controls learn of orders, whoever tells it: an exchange in this process, an answer, or a read of the broker.

Called by `handlers.orders`, through which everything goes that becomes of an order.
"""

from manjha.domain.commands import Output
from manjha.domain.kill import KillLevel, Scope
from manjha.domain.moments import TsNs
from manjha.domain.orders import Fill, StrategyId
from manjha.engine import halting
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.risk.controls import Controls
from manjha.risk.profit import ProfitRule, verdict


def taken(state: EngineState, controls: Controls, record: OrderRecord, out: list[Output]) -> None:
    """Hear that an order rests; one that came through while its level was thrown is cancelled."""
    order = record.order
    controls.taken(order)
    if state.desk is not None and controls.level(order.origin.strategy, order.instrument) >= KillLevel.CANCEL_ALL:
        halting.cancel(state, record, out)


def filled(state: EngineState, controls: Controls, fill: Fill, out: list[Output]) -> None:
    """Hear of a fill, look at the day's profit, and close what must not be held."""
    order = state.book.records[fill.order_id].order
    controls.taken(order)
    if controls.limits.protections:
        position = state.portfolio.positions[fill.origin.strategy, fill.instrument, fill.product]
        controls.filled(order, fill, position, state.portfolio.ledger.initial)
    if controls.limits.profit:
        look_at_profits(state, controls, fill.ts_ns, out)
    if controls.level(fill.origin.strategy, fill.instrument) is KillLevel.FLATTEN:
        # An entry that traded before its cancel came.
        halting.flatten(state, Scope(fill.origin.strategy, fill.instrument), fill.ts_ns, out)


def look_at_profits(state: EngineState, controls: Controls, now_ns: TsNs, out: list[Output]) -> None:
    """Act on the day's profit by each rule that has not acted today."""
    for number, rule in enumerate(controls.limits.profit):
        if rule.scope in controls.tripped:
            continue
        profit = _profit(state, controls, rule)
        peak = controls.peaks[number] = max(profit, controls.peaks.get(number, profit))
        why = verdict(rule, profit, peak)
        if why:
            controls.trip("profit of the day", rule.level, rule.scope, why, now_ns)
            halting.carry_out_level(state, rule.level, rule.scope, now_ns, out)


def gains(state: EngineState, strategy: StrategyId) -> int:
    """Return what a strategy's positions have made before charges since the run began, at the last prices."""
    total = 0
    for position in state.portfolio.positions.values():
        if position.key.strategy == strategy:
            px = state.marks.get(position.key.instrument, 0)
            total += position.realised + (position.unrealised(px) if position.qty and px else 0)
    return total


def _profit(state: EngineState, controls: Controls, rule: ProfitRule) -> int:
    if not rule.strategy:
        return int(state.equity()) - state.gate.day_start_equity
    charged = state.portfolio.ledger.charged_today(rule.strategy).total
    return gains(state, rule.strategy) - controls.base.get(rule.strategy, 0) - charged
