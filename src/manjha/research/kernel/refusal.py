"""What the kernel does not do, by name; everything else it does like the event engine, to the last unit."""

from collections.abc import Callable

import numpy as np

from manjha.domain.instrument import Asset, Kind
from manjha.domain.money import PX_MAX
from manjha.domain.orders import Product
from manjha.domain.sizing import NANO, CapitalFraction, RiskPerTrade, TargetUnit, VolatilityTarget
from manjha.research.backtest import BacktestSpec
from manjha.research.kernel.records import BOUND
from manjha.research.result import Int64s
from manjha.research.targets import SAYS_NOTHING
from manjha.simulator.slippage import BasisPoints, NoSlippage, VolumeShare
from manjha.strategy.interface import Strategy, is_entry_strategy, is_target_strategy, overrides

VOLUME_MAX = 9 * 10**12
"""Largest volume of a bar that the share of it is computed for."""
FUTURES_ON = (Asset.EQUITY, Asset.INDEX)
FRACTION_MAX = 9 * 10**9
"""Largest weight or fraction of equity, in 1e-9, whose product with equity stays inside int64."""
DAYS_MAX = 10**6
"""Most days that sizing by volatility may look back, or count a year as."""


def kernel_refusal(spec: BacktestSpec) -> str:
    """Say why the kernel does not run a backtest; empty when it does. Days and amounts may still stop it later."""
    for reason, applies in REASONS.items():
        found = applies(spec)
        if found:
            return f"{reason}: {found}" if isinstance(found, str) else reason
    return ""


def acts_on_bar(strategy: Strategy) -> bool:
    """Tell whether a strategy acts in `on_bar`, which is compiled by `research.compile`."""
    return not (is_target_strategy(strategy) or is_entry_strategy(strategy))


def _outside(spec: BacktestSpec) -> str:
    if not acts_on_bar(spec.strategy):
        return ""
    from manjha.research.compile.run import refusal_of

    return refusal_of(spec)


def _calls(spec: BacktestSpec) -> bool:
    return not acts_on_bar(spec.strategy) and any(
        overrides(spec.strategy, name) for name in ("on_bar", "on_fill", "on_timer", "on_session")
    )


def _chooses_in_events(spec: BacktestSpec) -> bool:
    # It may choose by what it has seen and holds, which nobody knows beforehand.
    return acts_on_bar(spec.strategy) and overrides(spec.strategy, "universe")


def _exotic(spec: BacktestSpec) -> bool:
    return any(
        instrument.kind is Kind.OPTION or (instrument.kind is Kind.FUTURE and instrument.asset not in FUTURES_ON)
        for instrument in spec.instruments
    )


def _one_isin_twice(spec: BacktestSpec) -> bool:
    isins = [instrument.isin or instrument.id for instrument in spec.instruments]
    return len(set(isins)) < len(isins) or len({instrument.id for instrument in spec.instruments}) < len(isins)


def _large(spec: BacktestSpec) -> bool:
    if abs(spec.initial) > BOUND // 4 or spec.latency_ns < 0:
        return True
    volume_counts = spec.fills.participation_ppm > 0 or isinstance(spec.slippage, VolumeShare)
    if any(not 0 <= fraction <= NANO for fraction in spec.bands.values()):
        return True
    if any(min(a.new_shares, a.old_shares) <= 0 or not 0 <= a.cash <= PX_MAX for a in spec.actions):
        return True
    for columns in spec.bars:
        if len(columns) and int(np.asarray(columns.high).max()) > PX_MAX:
            return True
        if len(columns) and volume_counts and int(np.asarray(columns.volume).max()) > VOLUME_MAX:
            return True
    return _slippage_large(spec)


def _slippage_large(spec: BacktestSpec) -> bool:
    if isinstance(spec.slippage, NoSlippage) or not spec.bars:
        return False
    px = max(int(np.asarray(columns.high).max(initial=1)) for columns in spec.bars)
    if isinstance(spec.slippage, VolumeShare):
        volume = max(int(np.asarray(columns.volume).max(initial=1)) for columns in spec.bars)
        return px * spec.slippage.bps_at_full > BOUND // max(volume, 1) or volume > BOUND // 10**10
    by = spec.slippage.bps if isinstance(spec.slippage, BasisPoints) else spec.slippage.ticks
    return px * abs(by) > BOUND // 10**4


def _sized_beyond(spec: BacktestSpec) -> bool:
    policy = spec.sizing
    if isinstance(policy, CapitalFraction | RiskPerTrade):
        return not 0 <= policy.fraction <= FRACTION_MAX
    if isinstance(policy, VolatilityTarget):
        days = (policy.lookback, policy.annual_days)
        return not (0 <= policy.annual <= FRACTION_MAX and all(1 <= count <= DAYS_MAX for count in days))
    return not 0 <= policy.qty <= 10**9


REASONS: dict[str, Callable[[BacktestSpec], bool | str]] = {
    "the strategy is called back beside what it states": _calls,
    "the strategy chooses a universe and acts in on_bar": _chooses_in_events,
    "an option, or a future on a currency or commodity": _exotic,
    "the run has controls": lambda spec: spec.controls is not None,
    "the product is MTF": lambda spec: spec.strategy.product is Product.MTF,
    "the same share twice": _one_isin_twice,
    "a quantity, fraction or number of days of the sizing outside what 64 bits hold": _sized_beyond,
    "prices, volumes or amounts too large for 64 bits": _large,
    "on_bar cannot be compiled": _outside,
}
"""What is refused, and how it is seen; a text is the detail. The last one asks most."""


def target_refusal(strategy: Strategy, wanted: Int64s) -> str:
    """Say why the targets that a strategy has stated, see `research.targets.Stated`, are refused."""
    if is_target_strategy(strategy) and strategy.unit is TargetUnit.WEIGHT:
        said = wanted[wanted != SAYS_NOTHING]
        if int(np.abs(said).max(initial=0)) > FRACTION_MAX:
            return "a weight above 9"
    return ""
