"""A run in a few lines for the terminal."""

from collections import Counter

from manjha.domain.moments import format_day
from manjha.research.metrics.analysis import Analysis, analyse, rupees, written
from manjha.research.metrics.registry import METRICS
from manjha.research.result import BacktestResult

_LINES = (
    ("initial", "final", "net_profit", "total_return", "cagr", "buy_and_hold"),
    ("max_drawdown", "max_drawdown_cash", "longest_underwater", "volatility", "sharpe", "sortino", "calmar"),
    ("trades", "win_rate", "profit_factor", "expectancy", "average_win", "average_loss", "average_holding"),
    ("charges", "charges_bps", "slippage", "exposure_time", "refusals"),
)
_REASONS = 3
"""How many reasons of refusals are named; the report lists every refusal."""


def format_summary(result: BacktestResult | Analysis) -> str:
    """Write the 25 figures that a trader looks at first, aligned, with Indian grouping."""
    analysis = result if isinstance(result, Analysis) else analyse(result)
    by_name = {metric.name: metric for metric in METRICS}
    rows: list[tuple[str, str]] = []
    for group in _LINES:
        rows += [(by_name[name].title, written(by_name[name], analysis.values[name])) for name in group]
        rows.append(("", ""))
    wide = max(len(title) for title, _ in rows)
    deep = max(len(value) for _, value in rows)
    body = "\n".join(f"{title:<{wide}}  {value:>{deep}}".rstrip() for title, value in rows[:-1])
    return f"{_title(analysis)}\n\n{body}{_footer(analysis)}\n"


def _title(analysis: Analysis) -> str:
    result, days = analysis.result, analysis.run.day
    names = [item.display for item in result.instruments]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    span = f"{format_day(int(days[0]))} to {format_day(int(days[-1]))}" if len(days) else "no bars"
    return f"{result.strategy} on {shown or 'nothing'}, {span} (simulated)"


def _footer(analysis: Analysis) -> str:
    reasons = Counter(str(refusal.reason) for refusal in analysis.result.refusals)
    lines = [f"refused by risk: {reason} ({count})" for reason, count in reasons.most_common(_REASONS)]
    lines += [f"warning: {warning}" for warning in analysis.result.warnings]
    trips = analysis.run.trips.open
    if trips:
        lines.insert(
            0, f"{len(trips)} open at the end, worth {rupees(sum(trip.net for trip in trips))} net at the last close"
        )
    return "\n\n" + "\n".join(lines) if lines else ""
