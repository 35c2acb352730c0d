"""The rules of the core, compiled: the very same functions, not copies of them.

A rule is a function on plain integers in `market`, `portfolio`, `risk`, `orders` or `simulator`. `compiled` wraps it
for the kernel together with every rule that it calls; a `NewType` that it mentions does nothing there, as in Python.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple, NewType, TypeVar, cast

import numba

from manjha.domain import moments, money
from manjha.market import adjustment, bands, charges, fees, margin_rules
from manjha.orders import planning
from manjha.portfolio import corporate, positions, settlement
from manjha.research.kernel.linking import InnerCompiler, without_literals
from manjha.risk import funds, sizing
from manjha.simulator import fills, slippage

Function = TypeVar("Function", bound=Callable[..., Any])
Rec = Any
"""A record or an array of records of `records`: compiled code reads and writes its integers by name."""

OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "_nrt": False}
"""How kernel code is compiled: integers and IEEE floats in the order written; it makes no arrays, so references to
arrays are not counted."""

_INNER: dict[str, Any] = {"pipeline_class": InnerCompiler}
"""Inner functions are called by compiled code only."""

_MADE: dict[Callable[..., Any], Any] = {}


def njit(function: Function) -> Function:
    """Compile a function of the kernel on its first use. Its code is cached with the entry that uses it (`cache`)."""
    return cast("Function", without_literals(numba.njit(**OPTIONS, **_INNER)(function)))


def inline(function: Function) -> Function:
    """Compile a small function of the kernel into each place that calls it."""
    return cast("Function", numba.njit(forceinline=True, **OPTIONS, **_INNER)(function))


@inline
def _same(value: Any) -> Any:
    return value


def compiled(rule: Function) -> Function:
    """Return a compiled rule of the core, whose calls of other rules are compiled too."""
    found = _MADE.get(rule)
    if found is None:
        inner = {name: _inner(value) for name, value in rule.__globals__.items() if name in rule.__code__.co_names}
        bound = FunctionType(rule.__code__, rule.__globals__ | inner, rule.__name__, rule.__defaults__)
        found = _MADE[rule] = inline(cast("Function", bound))
    return cast("Function", found)


def _inner(value: Any) -> Any:
    if isinstance(value, NewType):
        return _same
    return compiled(value) if isinstance(value, FunctionType) else value


def wrapped_rules() -> list[FunctionType]:
    """Return every rule that was compiled, those that others call included."""
    return [cast("FunctionType", rule) for rule in _MADE]


class Card(NamedTuple):
    """`market.charges.RateCard` as compiled code sees it; the same fields."""

    brokerage_kind: int
    brokerage_rate: int
    brokerage_cap: int
    stt_buy: int
    stt_sell: int
    exchange: int
    ipft: int
    sebi: int
    stamp_buy: int
    stamp_sell: int
    gst: int
    gst_on_sebi: int


fill_charges = compiled(charges.fill_charges)
line_amount = compiled(charges.line_amount)
order_brokerage = compiled(charges.order_brokerage)
scaled_up = compiled(margin_rules.scaled_up)
proportion = compiled(money.proportion)
futures_requirement = compiled(margin_rules.futures_requirement)
futures_exposure = compiled(margin_rules.futures_exposure)
spread_requirement = compiled(margin_rules.spread_requirement)
paired = compiled(margin_rules.paired)
band_low = compiled(bands.band_low)
band_high = compiled(bands.band_high)
protected_limit = compiled(bands.protected_limit)
fee_amount = compiled(fees.fee_amount)
day_of = compiled(moments.day_of)
slice_size = compiled(planning.slice_size)
to_lots = compiled(planning.to_lots)
needed = compiled(planning.needed)
closing_part = compiled(positions.closing_part)
traded = compiled(positions.traded)
rescaled = compiled(corporate.rescaled)
entitlement = compiled(corporate.entitlement)
rights_ratio = compiled(adjustment.rights_ratio)
adjusted = compiled(adjustment.adjusted)
held_back = compiled(settlement.held_back)
spendable = compiled(funds.spendable)
annual_ppm = compiled(sizing.annual_ppm)
qty_for_fraction = compiled(sizing.qty_for_fraction)
qty_for_risk = compiled(sizing.qty_for_risk)
qty_for_signal = compiled(sizing.qty_for_signal)
qty_for_value = compiled(sizing.qty_for_value)
qty_for_weight = compiled(sizing.qty_for_weight)
return_ppm = compiled(sizing.return_ppm)
value_for_volatility = compiled(sizing.value_for_volatility)
whole_root = compiled(sizing.whole_root)
whole_units = compiled(sizing.whole_units)
locked = compiled(fills.locked)
fillable = compiled(fills.fillable)
limit_at_open = compiled(fills.limit_at_open)
limit_in_range = compiled(fills.limit_in_range)
stop_at_open = compiled(fills.stop_at_open)
stop_in_range = compiled(fills.stop_in_range)
stop_price = compiled(fills.stop_price)
ticks_worse = compiled(slippage.ticks_worse)
bps_in_ticks = compiled(slippage.bps_in_ticks)
volume_bps_in_ticks = compiled(slippage.volume_bps_in_ticks)
