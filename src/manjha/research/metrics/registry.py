"""The one list of metrics: the report, the JSON, the summary and docs/metrics.md are made from it."""

from manjha.research.metrics.metric import Metric, in_group
from manjha.research.metrics.sample import Sample
from manjha.research.metrics.time_table import BENCHMARK, DRAWDOWN, PERIOD, RATIOS, RETURN, RISK
from manjha.research.metrics.trade_table import COSTS, ORDERS, TRADES

GROUPS = ("Return", "Period", "Benchmark", "Risk", "Drawdown", "Ratios", "Trades", "Costs", "Orders")

METRICS: tuple[Metric, ...] = tuple(
    metric
    for group, rows in zip(
        GROUPS,
        (RETURN, PERIOD, BENCHMARK, RISK, DRAWDOWN, RATIOS, TRADES, COSTS, ORDERS),
        strict=True,
    )
    for metric in in_group(group, rows)
)
"""Every metric, by group, in the order of reports."""


def compute(run: Sample) -> dict[str, float]:
    """Return every metric of a run by name; money as int in 1e-4 rupee where it is a sum, NaN where undefined."""
    return {metric.name: metric.of(run) for metric in METRICS}
