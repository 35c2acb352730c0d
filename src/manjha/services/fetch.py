"""Downloading history: only what is missing, piece by piece, each stored as it arrives."""

from collections.abc import Iterator, Sequence

import msgspec

from manjha.domain.errors import DataError, OutsideTable, SourceError, UsageError
from manjha.domain.moments import TradingDay, day_of, format_day
from manjha.market.sessions import session
from manjha.ports.market_data import Fetched, FetchRequest, HistorySource
from manjha.services.data_jobs import DataServices, Progress, Terms, Touched, import_one, no_progress
from manjha.services.gaps import held_days, missing_spans
from manjha.services.price_steps import find_steps
from manjha.services.rate_limit import TokenBucket
from manjha.services.reports import FetchSummary, FileReport, Problem

Spans = Sequence[tuple[TradingDay, TradingDay]]


def fetch(
    services: DataServices,
    source: HistorySource,
    requests: Sequence[FetchRequest],
    bucket: TokenBucket,
    progress: Progress = no_progress,
) -> FetchSummary:
    """Download what is missing of each request and import every piece as it arrives.

    Today is left out until its session is over. A source that fails ends the job with a `problem`; what came before is
    stored, and the next call goes on from there.

    Raises
    ------
    UsageError
        A span is empty.
    OutsideTable
        A span lies outside the market calendar.
    """
    plans = [(request, _missing(services, request)) for request in requests]
    days = sum(
        len(held_days(services.rules, request.instrument, *span)) for request, missing in plans for span in missing
    )
    total = sum(source.plan(request, missing) for request, missing in plans if missing)
    touched = Touched()
    reports: list[FileReport] = []
    problem: Problem | None = None
    try:
        for piece in _pieces(source, plans, bucket):
            hints = msgspec.structs.replace(piece.hints, format=piece.format)
            terms = Terms(hints=hints, source=source.name)
            reports.append(import_one(services, piece.file, piece.data, terms, touched))
            progress(piece.file, len(reports), max(total, len(reports)))
    except SourceError as error:
        problem = Problem(error.message, error.hint)
    steps = find_steps(services.store, services.instruments, services.actions, touched)
    return FetchSummary(source.name, days, total, tuple(reports), steps, problem)


def _missing(services: DataServices, request: FetchRequest) -> Spans:
    if request.start > request.end:
        raise UsageError(
            f"the span {format_day(request.start)} to {format_day(request.end)} is empty",
            hint="Swap --from and --to.",
        )
    end = _last_complete_day(services, request)
    if request.start > end:
        return ()
    return missing_spans(services.store, services.rules, request.instrument, request.interval, (request.start, end))


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


def _pieces(
    source: HistorySource, plans: Sequence[tuple[FetchRequest, Spans]], bucket: TokenBucket
) -> Iterator[Fetched]:
    """Yield what the source gives, one request at a time at the pace of the bucket."""
    for request, missing in plans:
        if not missing:
            continue
        pieces = source.fetch(request, missing)
        while True:
            bucket.take()
            piece = next(pieces, None)
            if piece is None:
                break
            yield piece
