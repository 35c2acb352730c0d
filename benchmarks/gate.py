"""The gate with every control on: `python -m benchmarks.gate [ORDERS [OPEN]]`.

Orders are put before it one by one, ten a second in fifty shares, while as many as given stay open; the time is that of
`submit` alone, on the wall and of the processor. Limits are so high that all are let through: that asks the most.
"""

import json
import sys
import time
from collections import deque
from typing import Any

import msgspec
import numpy as np

from benchmarks.contract_data import MINUTE_NS
from benchmarks.workloads import columns_of, spec
from manjha.domain.commands import Approved
from manjha.domain.events import MarketAdvanced, OrderCancelled, SessionOpened
from manjha.domain.moments import SECOND_NS, TsNs, day_of
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import Order, OrderId, OrderType, Product, Side
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.research.backtest import prepare
from manjha.risk.control_limits import ControlLimits
from manjha.risk.profit import ProfitRule
from manjha.risk.protections import CooldownPeriod
from manjha.strategy.interface import Strategy

SHARES, BARS, FIRST = 50, 60, 1_720_000_000_000_000_000
EVERY_NS = SECOND_NS // 10
HIGH = Cash(10**15)


class Idle(Strategy):
    """Ask for nothing."""

    product = Product.MIS
    instruments_max = 0


def desk() -> EngineState:
    """Return an engine in the middle of a day, under controls of every kind."""
    ts = np.arange(BARS, dtype=np.int64) * MINUTE_NS + FIRST
    flat = tuple(np.full(BARS, 100.0) for _ in range(4))
    bars = [columns_of(f"S{number:02d}", ts, (*flat, np.full(BARS, 1e6))) for number in range(SHARES)]
    limits = ControlLimits(
        allowed=tuple(columns.instrument for columns in bars),
        order_qty_max=Qty(10**6),
        order_value_max=HIGH,
        open_value_max=HIGH,
        instrument_value_max=HIGH,
        gross_value_max=HIGH,
        net_value_max=HIGH,
        entries_max=10**6,
        price_age_max_ns=10**15,
        orders_day_max=10**6,
        profit=(ProfitRule(stop=HIGH),),
        protections=(CooldownPeriod(stop_ns=SECOND_NS),),
    )
    made = spec(Idle(), *bars)
    state = prepare(msgspec.structs.replace(made, controls=limits))
    step(state, SessionOpened(day_of(FIRST), TsNs(FIRST)))
    while state.reached < BARS // 2:
        step(state, MarketAdvanced(state.reached, BARS // 2))
    return state


def main(orders: int = 10_000, opened: int = 199) -> None:
    """Measure and print one row."""
    state = desk()
    names, now = list(state.instruments), state.timeline.close_ns[state.reached - 1]
    standing: deque[OrderId] = deque()
    took, busy = [], []
    for number in range(orders):
        px, moment = Px(990_000 + number % 20 * 500), TsNs(now + number * EVERY_NS)
        order = Order(
            OrderId(f"b{number}"), state.origin, names[number % SHARES], Side.BUY, Qty(1 + number % 97),
            OrderType.LIMIT, Product.MIS, moment, px,
        )  # fmt: skip
        began, spent = time.perf_counter(), time.process_time()
        verdict = state.gate.submit(order, moment)
        took.append(time.perf_counter() - began)
        busy.append(time.process_time() - spent)
        if not isinstance(verdict, Approved):
            raise SystemExit(f"{verdict}")
        standing.append(order.id)
        if len(standing) > opened:
            step(state, OrderCancelled(standing.popleft(), moment, "a benchmark"))
    took.sort()
    busy.sort()
    told: dict[str, Any] = {"workload": "gate", "orders": orders, "open": opened}
    for part in (50, 99):
        told |= {
            f"submit_p{part}_ms": took[orders * part // 100] * 1e3,
            f"cpu_p{part}_ms": busy[orders * part // 100] * 1e3,
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
