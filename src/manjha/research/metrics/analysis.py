"""A run with everything computed from it: what pages, tables and JSON are written from."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from manjha.domain.moments import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, TsNs, format_day, format_ts, ist_datetime
from manjha.domain.money import Cash, format_cash, format_px
from manjha.research.metrics.breakdown import Breakdown, Group, breakdowns
from manjha.research.metrics.daily import Options
from manjha.research.metrics.metric import Metric, Unit
from manjha.research.metrics.registry import METRICS, compute
from manjha.research.metrics.sample import Sample, sample
from manjha.research.metrics.tax import TaxLine, tax_estimate
from manjha.research.result import BacktestResult, charges_to_dict, summary
from manjha.research.round_trips import RoundTrip


class Band(msgspec.Struct, frozen=True):
    """The same run under another assumption: one row of the uncertainty table. Money in 1e-4 rupee."""

    label: str
    intrabar: str
    slippage: str
    final: Cash
    net: Cash
    total_return: float
    max_drawdown: float
    trades: int
    is_reported: bool = False


class Analysis(msgspec.Struct, frozen=True, eq=False):
    """A result, its metrics by name, and its trips grouped."""

    run: Sample
    values: Mapping[str, float]
    breakdowns: tuple[Breakdown, ...]
    tax: tuple[TaxLine, ...]

    @property
    def result(self) -> BacktestResult:
        """The run's result."""
        return self.run.result


def analyse(result: BacktestResult, options: Options | None = None) -> Analysis:
    """Compute everything once."""
    run = sample(result, options)
    tax = tax_estimate(result, run.closed, run.options.slab)
    return Analysis(run, compute(run), breakdowns(result, run.closed), tax)


def band_of(analysis: Analysis, *, label: str, intrabar: str, slippage: str, is_reported: bool = False) -> Band:
    """Make the row of the uncertainty table for a run."""
    result = analysis.result
    return Band(
        *(label, intrabar, slippage, result.final, Cash(result.final - result.initial)),
        total_return=analysis.values["total_return"],
        max_drawdown=analysis.values["max_drawdown"],
        trades=len(analysis.run.closed),
        is_reported=is_reported,
    )


SCHEMA = 1
"""Version of `document`: it grows when a name changes its meaning or goes, not when one is added."""


def document(analysis: Analysis, bands: Sequence[Band] = (), *, rows: bool = True) -> dict[str, Any]:
    """Return the run and its statistics as plain values for JSON.

    Money is a decimal string in rupees, a moment ISO 8601 in IST, a duration seconds, a fraction a number. What is not
    defined is null, infinity the string "Infinity". With `rows`, orders, fills, trips and daily equity are listed.
    """
    result, daily = analysis.result, analysis.run.daily
    content = (
        {"schema": SCHEMA}
        | summary(result, rows=rows)
        | {
            "metrics": {metric.name: plain(metric, analysis.values[metric.name]) for metric in METRICS},
            "bands": [_band(band) for band in bands],
            "breakdowns": {way.name: [_group(group) for group in way.groups] for way in analysis.breakdowns},
            "tax": [
                {"year": line.year, "kind": line.kind, "income": format_cash(line.income), "tax": format_cash(line.tax)}
                for line in analysis.tax
            ],
        }
    )
    if rows:
        trips = (*analysis.run.trips.closed, *analysis.run.trips.open)
        content["round_trips"] = [_trip(result, trip) for trip in trips]
        content["daily_equity"] = [
            [format_day(day), format_cash(equity)]
            for day, equity in zip(daily.day.tolist(), daily.equity.tolist(), strict=True)
        ]
    return content


def plain(metric: Metric, value: float) -> float | int | str | None:
    """Return a metric's value for JSON (see `document`)."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if metric.unit is Unit.MONEY:
        return format_cash(round(value))
    if metric.unit is Unit.MOMENT:
        return format_ts(int(value))
    return value / SECOND_NS if metric.unit is Unit.DURATION else value


def written(metric: Metric, value: float) -> str:
    """Return a metric's value for people: Indian grouping, "–" where it is not defined, "∞" where it has no bound."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return _WRITERS[metric.unit](value).replace("-", "−" if metric.unit is not Unit.MOMENT else "-")


def rupees(cash: int) -> str:
    """Write an amount for people, to the paisa: "₹12,34,567.89", "−₹5.00"."""
    return f"{'−' if cash < 0 else ''}₹{format_cash(abs(cash), grouping=True)}"


def duration(value_ns: float) -> str:
    """Write a time span in its two largest units: "3 d 4 h", "25 min", "40 s"."""
    left, parts = int(value_ns), []
    for name, size in (("d", DAY_NS), ("h", HOUR_NS), ("min", MINUTE_NS), ("s", SECOND_NS)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def _number(value: float) -> str:
    return f"{value:,.4f}" if 0 < abs(value) < 0.1 else f"{value:,.2f}"


_WRITERS: dict[Unit, Callable[[float], str]] = {
    Unit.MONEY: lambda value: rupees(round(value)),
    Unit.PERCENT: lambda value: f"{value * 100:,.2f} %",
    Unit.NUMBER: _number,
    Unit.COUNT: lambda value: f"{int(value):,}",
    Unit.DAYS: lambda value: f"{value:,.1f} days",
    Unit.MOMENT: lambda value: f"{ist_datetime(TsNs(int(value))):%Y-%m-%d %H:%M}",
    Unit.DURATION: duration,
    Unit.BPS: lambda value: f"{value:,.2f} bps",
}


def _band(band: Band) -> dict[str, Any]:
    plain_band: dict[str, Any] = msgspec.structs.asdict(band)
    return plain_band | {"final": format_cash(band.final), "net": format_cash(band.net)}


def _group(group: Group) -> dict[str, Any]:
    factor = group.profit_factor
    return msgspec.structs.asdict(group) | {
        "net": format_cash(group.net),
        "charges": format_cash(group.charges),
        "profit_factor": None if math.isnan(factor) else "Infinity" if math.isinf(factor) else factor,
    }


def _trip(result: BacktestResult, trip: RoundTrip) -> dict[str, Any]:
    return {
        "instrument": result.name_of(trip.instrument),
        "product": trip.product,
        "strategy": trip.strategy,
        "side": trip.side.name,
        "qty": trip.qty,
        "entry": format_ts(trip.entry_ns),
        "exit": None if trip.is_open else format_ts(trip.exit_ns),
        "entry_price": format_px(trip.entry_px),
        "exit_price": format_px(trip.exit_px),
        "gross": format_cash(trip.gross),
        "income": format_cash(trip.income),
        "charges": charges_to_dict(trip.charges),
        "net": format_cash(trip.net),
        "slippage": format_cash(trip.slippage),
        "bars": trip.bars,
        "mae": None if trip.mae is None else format_cash(trip.mae),
        "mfe": None if trip.mfe is None else format_cash(trip.mfe),
        "entry_purpose": trip.entry_purpose,
        "exit_purpose": trip.exit_purpose,
        "tag": trip.tag,
        "open": trip.is_open,
    }
