"""Downloading history: only what is missing, piece by piece, each stored as it arrives."""

from collections.abc import Sequence

import msgspec

from manjha.domain.bars import Interval
from manjha.domain.errors import DataError, OutsideTable, SourceError, UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import TradingDay, day_of, format_day
from manjha.market.sessions import session
from manjha.ports.market_data import Fetched, FetchRequest, HistorySource
from manjha.services.data_jobs import DataServices, Progress, Terms, Touched, import_one, no_progress
from manjha.services.gaps import held_days, missing_spans
from manjha.services.price_steps import find_steps
from manjha.services.reports import FetchSummary, FileReport, Problem

Spans = Sequence[tuple[TradingDay, TradingDay]]


class Wanted(msgspec.Struct, frozen=True):
    """What a person asks for: names as they type them, an interval, the first and the last day."""

    names: Sequence[str]
    interval: Interval
    start: TradingDay
    end: TradingDay


def fetch_named(
    services: DataServices, source: HistorySource, wanted: Wanted, progress: Progress = no_progress
) -> FetchSummary:
    """Download what is missing of instruments by name. Those not known yet are asked of the source first.

    Raises
    ------
    UsageError
        A name is known neither here nor to the source; or see `fetch`.
    SourceError
        The source fails before every instrument is known.
    """
    before: list[FileReport] = []
    known = [_find(services, source, name, wanted.end, before) for name in wanted.names]
    requests = [FetchRequest(one, wanted.interval, wanted.start, wanted.end) for one in known]
    summary = fetch(services, source, requests, progress)
    return msgspec.structs.replace(summary, files=(*before, *summary.files))


def fetch(
    services: DataServices,
    source: HistorySource,
    requests: Sequence[FetchRequest],
    progress: Progress = no_progress,
) -> FetchSummary:
    """Download what is missing of each request and import every piece as it arrives.

    Today is left out until its session is over. A source that fails ends the job with a `problem`; what came before is
    stored, and the next call goes on from there.

    Raises
    ------
    UsageError
        A span is empty or has not come yet, or the source never has what is asked for.
    OutsideTable
        A span lies outside the market calendar.
    """
    plans = [(request, _missing(services, request, source.adjustment)) for request in requests]
    days = sum(
        len(held_days(services.rules, request.instrument, *span)) for request, missing in plans for span in missing
    )
    total = sum(source.plan(request, missing) for request, missing in plans if missing)
    touched = Touched()
    reports: list[FileReport] = []
    problem: Problem | None = None
    progress(source.name, 0, total)
    try:
        for place, (request, missing) in enumerate(plans):
            for piece in source.fetch(request, missing) if missing else ():
                reports.append(_import(services, source.name, piece, touched))
                progress(piece.file, len(reports), max(total, len(reports)))
            # What was downloaded for this request may be all that the others wanted.
            total = len(reports) + sum(source.plan(*later) for later in plans[place + 1 :] if later[1])
    except SourceError as error:
        problem = Problem(error.message, error.hint)
    steps = find_steps(services.store, services.instruments, services.actions, touched)
    return FetchSummary(source.name, days, total, tuple(reports), steps, problem)


def _find(
    services: DataServices, source: HistorySource, name: str, day: TradingDay, reports: list[FileReport]
) -> Instrument:
    """Return an instrument by name; if need be, import what the source has that may hold it, until it does."""
    try:
        return services.instruments.find(name)
    except UsageError:
        for piece in source.introduce(name, day):
            reports.append(_import(services, source.name, piece, Touched()))
            try:
                return services.instruments.find(name)
            except UsageError:
                continue
    return services.instruments.find(name)


def _import(services: DataServices, source: str, piece: Fetched, touched: Touched) -> FileReport:
    if not piece.data:
        return FileReport(piece.file, notes=(piece.note,))
    hints = msgspec.structs.replace(piece.hints, format=piece.format)
    return import_one(services, piece.file, piece.data, Terms(hints=hints, source=source), touched)


def _missing(services: DataServices, request: FetchRequest, adjustment: str) -> Spans:
    if request.start > request.end:
        raise UsageError(
            f"the span {format_day(request.start)} to {format_day(request.end)} is empty",
            hint="Swap --from and --to.",
        )
    today = day_of(services.clock.now_ns())
    if request.start > today:
        raise UsageError(
            f"the span {format_day(request.start)} to {format_day(request.end)} has not come yet: today is"
            f" {format_day(today)}",
            hint="Give --from a day of the past, or set this machine's clock.",
        )
    end = _last_complete_day(services, request)
    if request.start > end:
        return ()
    span = (request.start, end)
    return missing_spans(services.store, services.rules, request.instrument, request.interval, span, adjustment)


def _last_complete_day(services: DataServices, request: FetchRequest) -> int:
    """Return the request's end, or yesterday if that has not come or its session is not over."""
    now = services.clock.now_ns()
    today = day_of(now)
    if request.end < today:
        return request.end
    try:
        is_over = session(services.rules, request.instrument, today).day_close_ns <= now
    except OutsideTable:
        raise
    except DataError:
        return today  # Closed today: there is nothing to wait for.
    return today if is_over else today - 1
