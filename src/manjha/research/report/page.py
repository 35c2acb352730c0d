"""The report: one HTML file that needs no network, made from a template, a script, a style and ECharts."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from manjha.domain.bars import format_interval
from manjha.domain.moments import format_day, ist_datetime
from manjha.domain.money import format_cash
from manjha.research.metrics.analysis import Analysis, Band, analyse, rupees, written
from manjha.research.metrics.daily import period_returns
from manjha.research.metrics.drawdown import Fall, fall_days
from manjha.research.metrics.registry import GROUPS, METRICS
from manjha.research.report.payload import charge_rows, charted, payload, shown_orders, shown_refusals, shown_trips
from manjha.research.report.shell import embedded, environment, shared_parts, written_page
from manjha.research.result import BacktestResult, order_list_hash

FOLDER = Path(__file__).parent
SCRIPTS = ("charts.js", "price.js", "tables.js")
METRIC_COLUMNS, WAY_COLUMNS = 3, 2
HEADING_ROWS = 2
"""What the title of a group of metrics and the space around it take, in rows."""

Item = TypeVar("Item")

_CARDS = (
    *("net_profit", "total_return", "cagr", "max_drawdown", "sharpe", "sortino"),
    *("trades", "win_rate", "profit_factor", "expectancy", "charges", "slippage"),
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SIGNED = {"net_profit", "total_return", "cagr", "expectancy"}


def write_report(
    result: BacktestResult | Analysis, path: Path, bands: Sequence[Band] = (), *, trials: str = ""
) -> Path:
    """Write the report to `path`, whole or not at all, and return the path.

    `bands` are the rows of the uncertainty table: the same run under other assumptions. `trials` says how many variants
    were tried; empty where that is not known.
    """
    analysis = result if isinstance(result, Analysis) else analyse(result)
    return written_page(render(analysis, bands, trials=trials), path)


def render(analysis: Analysis, bands: Sequence[Band] = (), *, trials: str = "") -> str:
    """Return the page as text."""
    found = environment(FOLDER)
    found.filters |= {
        "rupees": rupees,
        "percent": _percent,
        "day": format_day,
        "ist": lambda ts_ns: f"{ist_datetime(ts_ns):%Y-%m-%d %H:%M}",
        "interval": format_interval,
        "factor": lambda value: "–" if math.isnan(value) else "∞" if math.isinf(value) else f"{value:,.2f}",
        "signed": lambda value: "gain" if value > 0 else "loss" if value < 0 else "",
    }
    return found.get_template("page.html.j2").render(
        **_head(analysis),
        **_sections(analysis),
        **shared_parts([FOLDER / name for name in SCRIPTS]),
        bands=bands,
        trials=trials,
        data=embedded(payload(analysis, bands)),
        lesson=lesson(bands),
    )


def packed(groups: Sequence[Item], heights: Sequence[int], columns: int) -> list[list[Item]]:
    """Share groups out to columns of about one height; each column, and the columns, keep the order of the groups."""
    rows: list[list[int]] = [[] for _ in range(columns)]
    for row in sorted(range(len(groups)), key=lambda row: -heights[row]):
        min(rows, key=lambda column: sum(heights[each] for each in column)).append(row)
    return [[groups[row] for row in column] for column in sorted(sorted(column) for column in rows if column)]


def lesson(bands: Sequence[Band]) -> str:
    """Say in a sentence what the order of prices within a bar is worth, at the slippage reported."""
    reported = next((band for band in bands if band.is_reported), None)
    pair = {band.intrabar: band.net for band in bands if reported and band.slippage == reported.slippage}
    if len(pair) != len({"worst", "best"}):
        return ""
    apart = pair["best"] - pair["worst"]
    if not apart:
        return "The order of prices within a bar made no difference to the profit of this run."
    text = f"The order of prices within a bar moves the net profit by {rupees(apart)}"
    if pair["worst"] < 0 < pair["best"]:
        return f"{text}, from a loss to a profit: bars of this length cannot tell which it was."
    return f"{text}: from {rupees(pair['worst'])} to {rupees(pair['best'])}. Finer bars narrow this."


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value * 100:,.2f} %".replace("-", "−")


def _head(analysis: Analysis) -> dict[str, Any]:
    result, run = analysis.result, analysis.run
    names = [item.display for item in result.instruments]
    by_name = {metric.name: metric for metric in METRICS}
    cards = [
        {
            "title": by_name[name].title,
            "value": written(by_name[name], analysis.values[name]),
            "doc": by_name[name].doc,
            "sign": analysis.values[name] if name in _SIGNED else 0,
        }
        for name in _CARDS
    ]
    return {
        "result": result,
        "instruments": ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else ""),
        "first_day": format_day(int(run.day[0])) if len(run.day) else "–",
        "last_day": format_day(int(run.day[-1])) if len(run.day) else "–",
        "cards": cards,
        "intervals": ", ".join(format_interval(interval) for interval in result.intervals),
        "orders_hash": order_list_hash(result),
    }


def _sections(analysis: Analysis) -> dict[str, Any]:
    result, trips = analysis.result, analysis.run.trips
    shown = shown_trips(analysis)
    groups = [
        (
            group,
            [(row.title, written(row, analysis.values[row.name]), row.doc) for row in METRICS if row.group == group],
        )
        for group in GROUPS
    ]
    ways = [way for way in analysis.breakdowns if len(way.groups) > 1]
    return {
        "groups": groups,
        "metric_columns": packed(groups, [len(rows) + HEADING_ROWS for _, rows in groups], METRIC_COLUMNS),
        "months": _MONTHS,
        "heat": _heat(analysis),
        "falls": _falls(analysis),
        "way_columns": packed(ways, [len(way.groups) + HEADING_ROWS for way in ways], WAY_COLUMNS),
        "tax": analysis.tax,
        "slab": analysis.run.options.slab,
        "year_days": analysis.run.options.year_days,
        "risk_free": analysis.run.options.risk_free,
        "trip_count": len(trips.closed) + len(trips.open),
        "trips_shown": len(shown),
        "orders_shown": len(shown_orders(result)),
        "refusals_shown": len(shown_refusals(result)),
        "charted": [result.name_of(bars.instrument) for bars in charted(result, shown)],
        "unassigned": trips.unassigned.total,
        "charge_rows": charge_rows(result),
        "charges_total": result.charges.total,
        "plain_cash": format_cash,
    }


def _heat(analysis: Analysis) -> list[tuple[str, list[float | None], float]]:
    """Years with their twelve months (None: not in the run) and the year's return, oldest first."""
    run = analysis.run
    months = dict(zip(*_periods(analysis, "month"), strict=True))
    return [
        (year, [months.get(f"{year}-{month:02d}") for month in range(1, 13)], total)
        for year, total in zip(*period_returns(run.day, run.returns, "year"), strict=True)
    ]


def _periods(analysis: Analysis, period: str) -> tuple[list[str], list[float]]:
    names, values = period_returns(analysis.run.day, analysis.run.returns, period)
    return names, values.tolist()


def _falls(analysis: Analysis) -> list[dict[str, Any]]:
    """The ten deepest falls."""
    ts = analysis.run.ts

    def row(fall: Fall) -> dict[str, Any]:
        return {
            "depth": fall.depth,
            "cash": fall.cash,
            "start": int(ts[max(fall.peak, 0)]),
            "valley": int(ts[fall.valley]),
            "end": None if fall.recovery is None else int(ts[fall.recovery]),
            "days": fall_days(ts, fall),
        }

    return [row(fall) for fall in sorted(analysis.run.falls, key=lambda fall: fall.depth)[:10]]
