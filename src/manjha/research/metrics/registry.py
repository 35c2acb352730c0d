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


def as_markdown() -> str:
    """Return the list of metrics as Markdown: a table for each group. docs/metrics.md holds it."""
    parts = []
    for group in GROUPS:
        rows = [metric for metric in METRICS if metric.group == group]
        lines = [f"| {row.title} | `{row.name}` | {row.unit} | {_cell(row.doc)} |" for row in rows]
        parts.append("\n".join((f"## {group}", "", "| Metric | Name | Unit | Meaning |", "|---|---|---|---|", *lines)))
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
