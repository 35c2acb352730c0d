"""A report in words for people, and as plain values for programs."""

from typing import Any

from manjha.domain.moments import format_ts
from manjha.research.bias.compare import ORDERS, Difference
from manjha.research.bias.findings import BiasReport, Cause, Finding, FindingKind
from manjha.research.bias.watch import moment_text

SCHEMA = 1


def format_bias(report: BiasReport) -> str:
    """Return the verdict, its evidence and what else is worth knowing, as lines of text."""
    where = f" on {', '.join(report.series)}" if report.series else ""
    lines = [
        f"{report.subject}{where} {report.interval}".rstrip()
        + f", {moment_text(report.first_ns)} to {moment_text(report.last_ns)}: {report.bars:,} bars, "
        f"{report.points} points, {report.runs:,} runs, seed {report.seed}",
        "",
    ]
    if report.is_biased:
        lines.append(f"BIASED: {_what(report)}")
    elif not report.is_checked:
        lines.append("NOT CHECKED: there was too little that could be compared to say anything")
    else:
        lines.append("CLEAN: nothing decided or computed up to a point changed with what came after it")
    lines += [f"  {sentence(finding)}" for finding in report.findings]
    for title, entries in (("Assumptions", report.assumptions), ("Warnings", report.warnings)):
        if entries:
            lines += ["", title, *(f"  {entry}" for entry in entries)]
    return "\n".join(lines)


def sentence(finding: Finding) -> str:
    """Return one finding as a sentence: what changes, when, and with what."""
    item = "an order" if finding.item == ORDERS else f"`{finding.item}`"
    change = f"{finding.before} → {finding.after}"
    at = moment_text(finding.ts_ns)
    match finding.kind:
        case FindingKind.CHANCE:
            return f"{item} at {at} is another when the same run is repeated ({change}): it uses chance without a seed"
        case FindingKind.STATE:
            return f"{item} at {at} is another in a second run of the same process ({change}): the first left something"
        case FindingKind.SAME_PRICE:
            return f"{item} at {at} changes when only the close that it fills at changes ({change}), {_often(finding)}"
    cause = f" when {_cause(finding.cause)}" if finding.cause is not None else " with later bars"
    arrays = f"; so does {', '.join(f'`{name}`' for name in finding.arrays)}" if finding.arrays else ""
    return f"{item} at {at} changes{cause} ({change}){arrays}, {_often(finding)}"


def quick_sentence(one: Difference, cut_ns: int) -> str:
    """Return the warning of a backtest: what is decided otherwise when later bars are missing."""
    item = "an order" if one.item == ORDERS else f"`{one.item}`"
    return (
        f"looks ahead: {item} at {moment_text(one.ts_ns)} is {one.before}, but {one.after} when the bars after "
        f"{moment_text(cut_ns)} are missing; manjha bias-check finds the bar and the column"
    )


def unchecked_sentence(why: str, cut_ns: int) -> str:
    """Return the warning of a backtest whose beginning does not run alone, so that it could not be compared."""
    return (
        f"could not be checked for looking ahead: when the bars after {moment_text(cut_ns)} are missing it ends with "
        f"{why}; manjha bias-check looks closer"
    )


def to_dict(report: BiasReport) -> dict[str, Any]:
    """Return the report as plain values for JSON; times are ISO 8601 in IST."""
    return {
        "schema": SCHEMA,
        "subject": report.subject,
        "biased": report.is_biased,
        "checked": report.is_checked,
        "series": list(report.series),
        "interval": report.interval,
        "first": format_ts(report.first_ns),
        "last": format_ts(report.last_ns),
        "bars": report.bars,
        "points": report.points,
        "compared": report.compared,
        "broken": report.broken,
        "runs": report.runs,
        "seed": report.seed,
        "decisions": report.decisions,
        "lines": report.lines,
        "findings": [_finding(finding) for finding in report.findings],
        "warnings": list(report.warnings),
        "assumptions": list(report.assumptions),
    }


def _what(report: BiasReport) -> str:
    kinds = dict.fromkeys(finding.kind for finding in report.findings)
    words = {
        FindingKind.LOOK_AHEAD: "it looks ahead",
        FindingKind.SAME_PRICE: "it decides by the price that it fills at",
        FindingKind.STATE: "a run leaves something to the next one",
        FindingKind.CHANCE: "it cannot be repeated, and so not be judged",
    }
    return "; ".join(words[kind] for kind in kinds)


def _cause(cause: Cause) -> str:
    one = cause.first_ns == cause.last_ns
    bars = (
        f"the bar of {moment_text(cause.last_ns)}"
        if one
        else f"the bars of {moment_text(cause.first_ns)} to {moment_text(cause.last_ns)}"
    )
    whose = f" of {', '.join(cause.series)}" if any(cause.series) else ""
    interval = f" ({cause.interval})" if cause.interval else ""
    verb = "change" if len(cause.columns) > 1 or not (one or cause.columns) else "changes"
    if cause.is_missing:
        return f"{bars}{whose}{interval} {'is' if one else 'are'} missing"
    if len(cause.columns) == 1:
        return f"the {cause.columns[0]} of {bars}{whose}{interval} {verb}"
    return f"{bars}{whose}{interval} {'changes' if one else 'change'}"


def _often(finding: Finding) -> str:
    return f"seen at {finding.points} point{'' if finding.points == 1 else 's'}"


def _finding(finding: Finding) -> dict[str, Any]:
    cause = finding.cause
    return {
        "kind": finding.kind,
        "item": finding.item,
        "at": format_ts(finding.ts_ns),
        "before": finding.before,
        "after": finding.after,
        "points": finding.points,
        "shown_by": finding.how,
        "arrays": list(finding.arrays),
        "says": sentence(finding),
        "cause": None
        if cause is None
        else {
            "series": list(cause.series),
            "interval": cause.interval,
            "columns": list(cause.columns),
            "first": format_ts(cause.first_ns),
            "last": format_ts(cause.last_ns),
            "missing": cause.is_missing,
        },
    }
