"""What trading cost, and what became of the orders."""

import math

from manjha.domain.commands import RefusalReason, SubmitOrder
from manjha.domain.orders import LegGroup, Phase
from manjha.research.metrics.tax import tax_estimate
from manjha.research.metrics.trading import Trips
from manjha.research.result import BacktestResult
from manjha.research.round_trips import RoundTrips

BPS = 10_000


def in_bps(cost: int, traded: int) -> float:
    """cost ÷ value traded × 10,000. Basis points. NaN where nothing was traded."""
    return cost / traded * BPS if traded else math.nan


def charges_share(result: BacktestResult, trips: RoundTrips) -> float:
    """Charges ÷ profit before charges (price differences and income of all trips). Fraction. NaN without profit."""
    before = sum(trip.gross + trip.income for trip in (*trips.closed, *trips.open)) + trips.income
    return result.charges.total / before if before > 0 else math.nan


def slippage(result: BacktestResult) -> int:
    """Σ side × (price − reference price) × quantity of all fills. 1e-4 rupee; positive is a cost."""
    return result.slippage


def tax_total(result: BacktestResult, trips: Trips, slab: float) -> int:
    """Σ of the estimated income tax on closed trips by year and kind of income (assumptions: `metrics.tax`).

    1e-4 rupee.
    """
    return sum(line.tax for line in tax_estimate(result, trips, slab))


def in_phase(result: BacktestResult, phase: Phase) -> int:
    """Orders that ended in a phase. Count."""
    return sum(record.phase is phase for record in result.orders)


def refused(result: BacktestResult, reason: RefusalReason | None = None) -> int:
    """Orders that were refused, for a reason or any; not changes of orders, which leave an order as it is. Count."""
    return sum(
        (reason is None or refusal.reason is reason) and isinstance(refusal.subject, SubmitOrder | LegGroup)
        for refusal in result.refusals
    )
