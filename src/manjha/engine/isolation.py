"""A strategy that raises at a broker is set aside: what it holds stays protected, and it decides nothing any more.

In a backtest the error ends the run. With an account behind it that would leave positions to themselves, and a restart,
which steps through the same events, would meet the same error again.
"""

from collections.abc import Callable
from typing import TypeVar

from manjha.domain.commands import Output
from manjha.domain.errors import InvariantBroken
from manjha.domain.moments import TsNs
from manjha.domain.orders import Purpose
from manjha.engine.desk import call
from manjha.engine.halting import cancel
from manjha.engine.requests import carry_out
from manjha.engine.state import EngineState
from manjha.strategy.context import Context

T = TypeVar("T")


def let_decide(
    state: EngineState, now_ns: TsNs, out: list[Output], decide: Callable[[Context, T], None], about: T
) -> None:
    """Let a strategy decide on something, and carry out what it asks for."""
    try:
        decide(state.ctx, about)
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything
        isolate(state, error, now_ns, out)
    carry_out(state, now_ns, out)


def isolate(state: EngineState, error: Exception, now_ns: int, out: list[Output]) -> None:
    """Drop what the strategy asked for, switch entries off, cancel those that rest, and call a person.

    Raises the error itself where no broker is behind the run, and where it is a bug of ours.
    """
    if state.desk is None or isinstance(error, InvariantBroken):
        raise error
    state.ctx.requests.clear()
    state.gate.trading_on = False
    for record in [record for name in state.instruments for record in state.book.open_orders(name)]:
        order = record.order
        if order.purpose is Purpose.SIGNAL and order.origin.strategy == state.origin.strategy:
            cancel(state, record, out)
    what = f"it raised {type(error).__name__}: {error}; it decides nothing until `manjha control start`"
    call(f"strategy {state.origin.strategy}", f"{what}, its stops and targets go on", now_ns, out)
