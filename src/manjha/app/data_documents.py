"""Imports and downloads as documents: plain values for programs, whoever asked."""

from typing import Any

import msgspec

from manjha.domain.bars import format_interval
from manjha.domain.moments import format_day, format_ts
from manjha.domain.money import format_px
from manjha.ports.market_data import Conflict
from manjha.services.reports import FetchSummary, FileReport, ImportSummary, Step

_PRICES = ("open", "high", "low", "close")


def summary_json(summary: ImportSummary) -> dict[str, Any]:
    """Return an import for JSON."""
    return {
        "files": [_file_json(report) for report in summary.files],
        "failed": summary.failed,
        "steps": [_step_json(step) for step in summary.steps],
    }


def fetch_json(summary: FetchSummary) -> dict[str, Any]:
    """Return a download for JSON."""
    return {
        "source": summary.source,
        "missing_days": summary.missing_days,
        "requests": summary.requests,
        "files": [_file_json(report) for report in summary.files],
        "steps": [_step_json(step) for step in summary.steps],
        "problem": summary.problem,
    }


def _file_json(report: FileReport) -> dict[str, Any]:
    fields = msgspec.structs.asdict(report)
    return fields | {"outcome": report.outcome, "conflicts": [_conflict_json(c) for c in report.conflicts]}


def _conflict_json(conflict: Conflict) -> dict[str, Any]:
    return {
        "instrument": conflict.instrument,
        "interval": format_interval(conflict.interval),
        "time": format_ts(conflict.ts_open_ns),
        "field": conflict.field,
        "stored": value_text(conflict.field, conflict.stored),
        "offered": value_text(conflict.field, conflict.offered),
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "id": step.instrument,
        "instrument": step.name,
        "day": format_day(step.day),
        "close_before": format_px(step.close_before),
        "open_after": format_px(step.open_after),
        "ratio": f"{step.ratio / 1000:.3f}",
        "guess": step.guess,
    }


def value_text(field: str, value: int) -> str:
    """Write a value of a bar's column."""
    if field in _PRICES:
        return format_px(value)
    return format_ts(value) if field.startswith("ts_") else str(value)
