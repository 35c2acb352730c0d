"""What the page's script draws: compact columns, at most a few megabytes whatever the size of the run.

Money stays an integer of 1e-4 rupee (exact in JavaScript up to ₹90,000 crore); times are whole seconds UTC.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from manjha.domain.bars import BarColumns
from manjha.domain.charges import LINES
from manjha.domain.commands import Refused
from manjha.domain.moments import SECOND_NS
from manjha.research.metrics.analysis import Analysis, Band
from manjha.research.metrics.daily import Floats
from manjha.research.metrics.drawdown import underwater
from manjha.research.metrics.ratios import rolling_sharpe
from manjha.research.metrics.registry import METRICS
from manjha.research.report.candles import CANDLES_MAX, overview, windows
from manjha.research.result import BacktestResult, Int64s, OrderRecord, describe_subject
from manjha.research.round_trips import RoundTrip

TRIPS_MAX = 20_000
ORDERS_MAX = 10_000
CHARTS_MAX = 6
CANDLES_ALL = 12_000
WINDOWS_MAX = 36
CURVE_BUCKETS = 1_200
ROLLING_DAYS = 63
BINS = 41
STEPS = (1.0, 2.0, 5.0)
"""Widths of a histogram's bins, times a power of ten: their middles are round numbers, one of them is zero."""


def payload(analysis: Analysis, bands: Sequence[Band] = ()) -> dict[str, Any]:
    """Return everything that the charts and the long tables need."""
    result = analysis.result
    trips = shown_trips(analysis)
    columns = charted(result, trips)
    return {
        "initial": result.initial,
        "names": {item.id: item.display for item in result.instruments},
        "trips": [_trip(row) for row in trips],
        "orders": [_order(record) for record in shown_orders(result)],
        "refusals": [
            [row.ts_ns // SECOND_NS, describe_subject(result, row.subject), row.reason, row.detail]
            for row in shown_refusals(result)
        ],
        "equity": _equity(result),
        "rolling": _rolling(analysis),
        "histogram": histogram(analysis.run.returns),
        "charges": charge_rows(result),
        "bands": [{"intrabar": row.intrabar, "slippage": row.slippage, "net": row.net} for row in bands],
        "groups": {way.name: [[group.key, group.net] for group in way.groups] for way in analysis.breakdowns},
        "price": [
            {"instrument": bars.instrument, **overview(bars, min(CANDLES_MAX, CANDLES_ALL // len(columns))).plain()}
            for bars in columns
        ],
        "windows": [{"trip": row, **candles.plain()} for row, candles in windows(columns, trips, WINDOWS_MAX)],
    }


def charge_rows(result: BacktestResult) -> list[tuple[str, int]]:
    """Return the lines of the bill, named as in the metrics, with their sums."""
    titles = {metric.name: metric.title.removeprefix("Charges: ") for metric in METRICS}
    return [(_capital(titles[f"charges_{line}"]), getattr(result.charges, line)) for line in LINES]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def shown_trips(analysis: Analysis) -> Sequence[RoundTrip]:
    """Return the trips that the page lists: open ones, then the newest closed ones, in order of time."""
    trips = (*analysis.run.trips.closed, *analysis.run.trips.open)
    return trips[-TRIPS_MAX:]


def shown_orders(result: BacktestResult) -> Sequence[OrderRecord]:
    """Return the orders that the page lists: the newest."""
    return result.orders[-ORDERS_MAX:]


def shown_refusals(result: BacktestResult) -> Sequence[Refused]:
    """Return the refusals that the page lists: the newest."""
    return result.refusals[-ORDERS_MAX:]


def charted(result: BacktestResult, trips: Sequence[RoundTrip]) -> list[BarColumns]:
    """Return the columns to draw: the finest of each of the most traded instruments."""
    finest = {bars.instrument: bars for bars in sorted(result.bars, key=lambda bars: -bars.interval) if len(bars)}
    counts = Counter(trip.instrument for trip in trips)
    chosen = sorted(finest, key=lambda instrument: (-counts[instrument], instrument))
    return [finest[instrument] for instrument in chosen[:CHARTS_MAX]]


def histogram(daily: Floats) -> dict[str, Any]:
    """Count daily returns (fractions) in bins of `step` percent, the first of which has its middle at `first` steps."""
    # Days without a position would make a bar so high that no other is seen: they are counted apart.
    returns = daily[daily != 0] * 100
    still = len(daily) - len(returns)
    if not len(returns):
        return {"first": 0, "step": 1.0, "counts": [], "still": still}
    step = _bin_width(float(np.ptp(returns)), min(BINS, max(5, len(returns) // 3)))
    # Rounded to the nearest multiple of the step: the bin of zero lies on both sides of it.
    rows = np.floor(returns / step + 0.5).astype(np.int64)
    first = int(rows.min())
    counts = np.bincount(rows - first)
    return {"first": first, "step": step, "counts": counts.tolist(), "still": still}


def _bin_width(span: float, bins: int) -> float:
    """Return the smallest round width with which `span` needs at most `bins` bins; 0.1 % where all are equal."""
    if span < 1e-6:
        return 0.1
    power = 10.0 ** math.floor(math.log10(span / bins))
    return float(f"{next(step for step in (*STEPS, 10.0, 20.0) if span / (step * power) <= bins - 1) * power:.12g}")


def curve_rows(equity: Int64s, below: Floats, buckets: int = CURVE_BUCKETS) -> Int64s:
    """Return rows that keep the curve's look: of each stretch the highest, lowest, deepest and last."""
    count = len(equity)
    if count <= 3 * buckets:
        return np.arange(count)
    size = -(-count // buckets)
    rows = {0, count - 1}
    for start in range(0, count, size):
        part = equity[start : start + size]
        deepest = int(below[start : start + size].argmin())
        rows |= {start + int(part.argmin()), start + int(part.argmax()), start + deepest, start + len(part) - 1}
    return np.array(sorted(rows), np.int64)


def _equity(result: BacktestResult) -> dict[str, Any]:
    curve = result.curve
    below = underwater(result.initial, curve.equity)
    rows = curve_rows(curve.equity, below)
    return {
        "ts": (curve.ts_ns[rows] // SECOND_NS).tolist(),
        "equity": curve.equity[rows].tolist(),
        "drawdown": np.round(below[rows] * 100, 4).tolist(),
        "benchmark": curve.benchmark[rows].tolist() if len(curve.benchmark) else [],
        "all": len(curve),
    }


def _rolling(analysis: Analysis) -> dict[str, Any]:
    run = analysis.run
    window = ROLLING_DAYS if len(run.returns) >= 2 * ROLLING_DAYS else max(len(run.returns) // 3, 2)
    values = np.round(rolling_sharpe(run.returns, window, run.year), 4)
    return {
        "window": window,
        "day": run.day[: len(values)].tolist(),
        "value": [None if np.isnan(value) else value for value in values.tolist()],
    }


def _trip(trip: RoundTrip) -> list[Any]:
    return [
        *(trip.instrument, int(trip.side), trip.qty, trip.entry_ns // SECOND_NS, trip.exit_ns // SECOND_NS),
        *(trip.entry_px, trip.exit_px, trip.gross + trip.income, trip.charges.total, trip.net, trip.mae, trip.mfe),
        *(trip.bars, trip.exit_purpose, trip.tag, int(trip.is_open)),
    ]


def _order(record: OrderRecord) -> list[Any]:
    order = record.order
    return [
        *(record.placed_ns // SECOND_NS, order.instrument, int(order.side), order.qty, order.type, order.product),
        *(order.limit, order.trigger, order.purpose, record.phase, record.filled, record.average_px, record.reason),
    ]
