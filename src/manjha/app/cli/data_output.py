"""What `manjha data` writes: tables for people, JSON for programs."""

import re
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import msgspec

from manjha.adapters.files.integrity import SetAside
from manjha.app.cli.errors import say, say_error
from manjha.app.cli.output import print_table
from manjha.app.data_documents import value_text
from manjha.domain.bars import format_interval
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import clock_ns, format_clock, format_day, format_ts
from manjha.domain.money import format_px
from manjha.ports.market_data import Conflict
from manjha.services.reports import (
    DayGap,
    FetchSummary,
    FileReport,
    GapReport,
    SeriesView,
    Step,
)
from manjha.services.tick_recorder import DayDone

_SHOWN = 10
_NEXT_TRADING_DAY = 4
# Days: over a weekend with a holiday. Runs of missing days that are closer are shown as one.


def print_files(reports: Sequence[FileReport], named: Callable[[InstrumentId], str] = str) -> None:
    """Write one line a file, the sum, and below it what needs a person's eye; `named` gives what people call an id."""
    headers = ("file", "format", "rows", "added", "unchanged", "conflicts", "quarantined", "")
    rows: list[tuple[str | int, ...]] = [
        (_base(r.file), r.format or "-", r.rows, r.added, r.unchanged, r.conflicting, _quarantined(r), r.outcome)
        for r in reports
    ]
    if len(reports) > 1:
        sums = [sum(int(row[column]) for row in rows) for column in range(2, 7)]
        rows.append((f"{len(reports)} files", "", *sums, ""))
    print_table(headers, rows)
    for note, count in _notes(reports):
        say(f"note: {note}" + (f" (and the like of {count - 1} more files)" if count > 1 else ""))
    _print_problems(reports)
    for report in reports:
        _print_remarks(report, named)


def print_recorded(days: Sequence[DayDone]) -> None:
    """Write one line a day that was recorded, and below it what is missing of it."""
    headers = ("day", "ticks", "kept out", "bars", "torn", "conflicts", "until", "missing")
    print_table(
        headers,
        [
            (
                format_day(one.record.day), one.record.rows, sum(one.record.kept_out.values()), one.bars,
                one.record.torn, one.conflicting, _clock(one.record.last.at_ns if one.record.last else 0),
                len(one.record.missing),
            )
            for one in days
        ],
    )  # fmt: skip
    for one in days:
        for part in one.record.missing[:_SHOWN]:
            say(f"missing {format_day(one.record.day)} {_clock(part.from_ns)} to {_clock(part.until_ns)}: {part.why}")


def recorded_json(days: Sequence[DayDone]) -> list[dict[str, Any]]:
    """Return days that were recorded as names and values, moments in nanoseconds."""
    return [
        {**msgspec.to_builtins(one.record), "day": format_day(one.record.day), "bars": one.bars,
         "conflicting": one.conflicting}
        for one in days
    ]  # fmt: skip


def _clock(ts_ns: int) -> str:
    return format_clock(clock_ns(ts_ns)) if ts_ns else "-"


def _notes(reports: Sequence[FileReport]) -> list[tuple[str, int]]:
    """Return notes with their file; those that differ only in their numbers once, with a count."""
    found: dict[str, list[str]] = {}
    for report in reports:
        for note in report.notes:
            found.setdefault(re.sub(r"[\d,]+", "", note), []).append(f"{_base(report.file)}: {note}")
    return [(notes[0], len(notes)) for notes in found.values()]


def _print_problems(reports: Sequence[FileReport]) -> None:
    """Write what stopped files; what to do next once for all of the same kind."""
    by_hint: dict[str, list[str]] = {}
    for report in reports:
        if report.problem:
            said = report.problem.message
            by_hint.setdefault(report.problem.hint, []).append(
                said if report.file in said else f"{report.file}: {said}"
            )
    for hint, messages in by_hint.items():
        for message in messages[:-1]:
            say_error(message)
        say_error(messages[-1], hint)


def _print_remarks(report: FileReport, named: Callable[[InstrumentId], str]) -> None:
    for tally in report.quarantined:
        say(f"quarantined: {_base(report.file)}: {tally.count:,} rows: {tally.what}")
    if report.quarantine_file:
        say(f"  the rows are in {report.quarantine_file}")
    for conflict in report.conflicts[:_SHOWN]:
        say(f"conflict: {_conflict_text(conflict, named(conflict.instrument))}")
    if report.conflicting:
        kept = "the stored rows were kept; `--replace` overwrites them"
        say(f"  {report.conflicting:,} rows of {_base(report.file)} contradict others: {kept}")


def print_steps(steps: Sequence[Step]) -> None:
    """Write a warning for each price that jumps without a known reason."""
    for step in steps[:_SHOWN]:
        guess = f"; this looks like {step.guess}" if step.guess else ""
        say(
            f"warning: {step.name} steps on {format_day(step.day)} from {format_px(step.close_before)} to"
            f" {format_px(step.open_after)} (×{step.ratio / 1000:.3g}){guess}"
        )
    if len(steps) > _SHOWN:
        say(f"warning: {len(steps) - _SHOWN:,} more steps; `--json` lists them all")
    if steps:
        say("  No corporate action is known for that, and a backtest would trade the jump. Import the action, if any.")


def print_fetch(summary: FetchSummary, named: Callable[[InstrumentId], str] = str) -> None:
    """Write what a download gave."""
    if not summary.missing_days:
        print("nothing is missing (today counts once its session is over)")
    if summary.files:
        print_files(summary.files, named)
        print_steps(summary.steps)
    if summary.problem:
        say_error(summary.problem.message, summary.problem.hint)


def print_series(found: Sequence[SeriesView]) -> None:
    """Write one line a series."""
    if not found:
        say("nothing is stored; `manjha data import PATH` brings data in")
        return
    print_table(("instrument", "interval", "adjustment", "bars", "first", "last", "sources"), _series_rows(found))


def _series_rows(found: Sequence[SeriesView]) -> list[tuple[str | int, ...]]:
    """Return a row a series; the contracts of one underlying make one row, unless there is only one."""
    groups: dict[tuple[str, int, str], list[SeriesView]] = {}
    for view in found:
        parts = view.instrument.split(":")
        name = ":".join(parts[:2]) if len(parts) > 2 else view.name
        groups.setdefault((name, view.interval, view.adjustment), []).append(view)
    return [
        (
            views[0].name if len(views) == 1 else f"{name} ({len(views):,} contracts)",
            format_interval(interval),
            adjustment,
            sum(view.rows for view in views),
            _short(min(view.first_ns for view in views), interval),
            _short(max(view.last_ns for view in views), interval),
            ", ".join(sorted({source for view in views for source in view.sources})),
        )
        for (name, interval, adjustment), views in groups.items()
    ]


def print_gaps(report: GapReport) -> None:
    """Write the missing days and bars of a series."""
    span = f"{format_day(report.first)} to {format_day(report.last)}"
    what = f"{report.name} {format_interval(report.interval)} ({report.adjustment or 'nothing stored'})"
    print(
        f"{what}, {span}: {report.days:,} trading days, {report.missing_days:,} missing, "
        f"{report.missing_bars:,} bars missing in all"
    )
    for is_whole, run in groupby(report.gaps, key=lambda gap: gap.found == 0):
        gaps = list(run)
        if is_whole:
            for first, last, count in _day_runs(gaps):
                print(f"{_days(first, last)}  no bars on {count:,} trading day{'s' if count > 1 else ''}")
            continue
        for gap in gaps:
            spans = ", ".join(_span(start, end) for start, end in gap.spans[:_SHOWN])
            more = f" and {len(gap.spans) - _SHOWN} more" if len(gap.spans) > _SHOWN else ""
            print(f"{_days(gap.day, gap.day)}  {gap.expected - gap.found} of {gap.expected}: {spans}{more}")


def _day_runs(gaps: Sequence[DayGap]) -> list[tuple[int, int, int]]:
    """Return (first, last, count) of missing days without a week of other days between them."""
    runs: list[tuple[int, int, int]] = []
    for gap in gaps:
        if runs and gap.day - runs[-1][1] <= _NEXT_TRADING_DAY:
            runs[-1] = (runs[-1][0], gap.day, runs[-1][2] + 1)
        else:
            runs.append((gap.day, gap.day, 1))
    return runs


def _days(first: int, last: int) -> str:
    return format_day(first) if first == last else f"{format_day(first)} to {format_day(last)}"


def print_verified(files: int, problems: Sequence[str]) -> None:
    """Write what a check of the store found."""
    for problem in problems:
        say(f"wrong: {problem}")
    print(f"{files:,} files checked, {len(problems):,} problems")


def print_set_aside(files: int, aside: Sequence[SetAside]) -> None:
    """Write what was taken out of the store and how to get its rows back."""
    for one in aside:
        say(f"wrong: {one.problem}")
        print(f"{one.rows:,} rows taken out of the store" + (f"; the file lies at {one.kept}" if one.kept else ""))
        print(f"import again: {', '.join(one.sources) or 'the files that it came from'}")
    print(f"{files:,} files checked, {len(aside):,} set aside")


def series_json(found: Sequence[SeriesView]) -> list[dict[str, Any]]:
    """Return series for JSON."""
    return [
        {
            "id": view.instrument,
            "instrument": view.name,
            "interval": format_interval(view.interval),
            "adjustment": view.adjustment,
            "bars": view.rows,
            "first": format_ts(view.first_ns),
            "last": format_ts(view.last_ns),
            "sources": view.sources,
            "sha256": view.sha256,
        }
        for view in found
    ]


def gaps_json(report: GapReport) -> dict[str, Any]:
    """Return gaps for JSON."""
    return {
        "id": report.instrument,
        "instrument": report.name,
        "interval": format_interval(report.interval),
        "adjustment": report.adjustment,
        "from": format_day(report.first),
        "to": format_day(report.last),
        "trading_days": report.days,
        "missing_days": report.missing_days,
        "missing_bars": report.missing_bars,
        "gaps": [
            {
                "day": format_day(gap.day),
                "expected": gap.expected,
                "found": gap.found,
                "spans": [[format_ts(start), format_ts(end)] for start, end in gap.spans],
            }
            for gap in report.gaps
        ],
    }


def _conflict_text(conflict: Conflict, name: str) -> str:
    stored, offered = value_text(conflict.field, conflict.stored), value_text(conflict.field, conflict.offered)
    where = f"{name} {format_interval(conflict.interval)} {_short(conflict.ts_open_ns, conflict.interval)}"
    if conflict.field == "ts_open":
        return f"{where} reaches into the stored bar of {stored}"
    return f"{where} {conflict.field}: stored {stored}, offered {offered}"


def _base(file: str) -> str:
    return re.split("[/!]", file)[-1]


def _quarantined(report: FileReport) -> int:
    return sum(tally.count for tally in report.quarantined)


def _short(ts_ns: int, interval: int) -> str:
    text = format_ts(ts_ns)
    return text[:10] if interval == 86_400 else text[:16].replace("T", " ")


def _span(start: int, end: int) -> str:
    first, last = format_clock(clock_ns(start)), format_clock(clock_ns(end))
    return first if start == end else f"{first}–{last}"
