"""What a run assumes, in words for the report: nothing that moves a result may hide in a default."""

from typing import TYPE_CHECKING

from manjha.domain.sizing import NANO, CapitalFraction, FixedQty, RiskPerTrade, SizingPolicy
from manjha.simulator.fills import LimitFill, MarketFill, Path
from manjha.simulator.slippage import BasisPoints, FixedTicks, NoSlippage, SlippageModel

if TYPE_CHECKING:
    from manjha.research.backtest import BacktestSpec

_MARKET = {MarketFill.NEXT_OPEN: "at the next bar's open", MarketFill.DECIDING_CLOSE: "at the close that decided them"}
_LIMIT = {LimitFill.TOUCH: "when the range touches them", LimitFill.PENETRATION: "when the range goes a tick through"}
_PATH = {Path.WORST: "worst case: stop before target", Path.BEST: "best case: target before stop"}


def assumptions_of(spec: "BacktestSpec") -> tuple[tuple[str, str], ...]:
    """Return what the run assumes, as (name, value) pairs."""
    fills = spec.fills
    share = "any quantity" if fills.participation_ppm == 0 else f"{fills.participation_ppm / 10_000:g} % of the bar"
    return (
        ("market orders", _MARKET[fills.market]),
        ("limit orders", _LIMIT[fills.limit]),
        ("inside a bar", _PATH[fills.path]),
        ("liquidity", share),
        ("orders rest", "until the day ends" if fills.orders_end_with_day else "until cancelled"),
        ("slippage", _slippage(spec.slippage)),
        ("latency", f"{spec.latency_ns / 1e6:g} ms" if spec.latency_ns else "none"),
        ("charges", "one rate card for every fill" if spec.rates else "dated table by instrument and product"),
        ("day-end rounding", "as the contract note" if spec.contract_notes else "none, exact by fill"),
        ("sizing", _sizing(spec.sizing)),
        ("funds", "a sale at the market pays for a purchase decided with it, as far as it is not held back"),
        ("sessions", "taken from the data" if spec.sessions_from_data else "exchange calendar by date"),
        ("square-off", "one minute before the broker's time, market order"),
        ("rights and demergers", "paid out in cash at their value"),
        ("stock derivatives", "closed in cash at expiry; physical delivery is not simulated"),
        *(("bars", note) for note in spec.notes[:1]),
        *((f"bars ({number})", note) for number, note in enumerate(spec.notes[1:], 2)),
    )


def assumptions_over_ticks(spec: "BacktestSpec") -> tuple[tuple[str, str], ...]:
    """Return what a run over ticks assumes: where orders trade it differs from one over bars."""
    penetrates = spec.fills.limit is LimitFill.PENETRATION
    other = {
        "market orders": "at the next tick",
        "limit orders": "when a tick goes a step through them" if penetrates else "when a tick touches them",
        "inside a bar": "as the ticks went",
    }
    if spec.fills.participation_ppm:
        other["liquidity"] = f"{spec.fills.participation_ppm / 10_000:g} % of the tick"
    return tuple((name, other.get(name, value)) for name, value in assumptions_of(spec))


def slippage_name(model: SlippageModel) -> str:
    """Return a slippage model in a few words."""
    match model:
        case FixedTicks(ticks=ticks):
            return f"{ticks} tick{'s' if ticks != 1 else ''}"
        case BasisPoints(bps=bps):
            return f"{bps} bps"
        case NoSlippage():
            return "none"
    return f"{model.bps_at_full} bps at full volume"


def _slippage(model: SlippageModel) -> str:
    if isinstance(model, NoSlippage):
        return "none"
    if isinstance(model, FixedTicks):
        return f"{model.ticks} tick{'' if model.ticks == 1 else 's'} on market and stop orders"
    if isinstance(model, BasisPoints):
        return f"{model.bps} bps on market and stop orders, up to the tick"
    return f"up to {model.bps_at_full} bps on market and stop orders, by their share of the bar's volume"


def _sizing(policy: SizingPolicy) -> str:
    if isinstance(policy, FixedQty):
        return f"{policy.qty:,} units an entry"
    if isinstance(policy, CapitalFraction):
        return f"{policy.fraction * 100 / NANO:g} % of equity an entry"
    if isinstance(policy, RiskPerTrade):
        return f"{policy.fraction * 100 / NANO:g} % of equity lost if the stop is hit"
    return f"{policy.annual * 100 / NANO:g} % annualised volatility, from {policy.lookback} days"
