"""Bars: as rows with paging for programs, as columns for charts, both from one span of one series."""

import hashlib
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field

from manjha.api.auth import Reader
from manjha.api.paging import Cursor, Page, cursor_of, place_of
from manjha.api.parts import Parts
from manjha.api.routes.instruments import named
from manjha.api.words import (
    AskedDay,
    Day,
    InstrumentName,
    IntervalText,
    Moment,
    Rupees,
    StoredInstrument,
    StoredInterval,
    asked_day,
)
from manjha.domain.bars import BarColumns, format_interval, parse_interval
from manjha.domain.instrument import Instrument
from manjha.domain.moments import TradingDay, format_day, format_ts
from manjha.domain.money import format_px
from manjha.services.charts import thinned
from manjha.services.gaps import gaps as find_gaps
from manjha.services.stored import list_series, span_ns

router = APIRouter(tags=["data"])
COLUMNS = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
BINARY = "application/vnd.manjha.columns"
ROWS_MAX, POINTS_MAX = 10_000, 1_000_000
Adjustment = Literal["", "raw", "split", "total"]


class AskedSpan(BaseModel, extra="forbid"):
    """A series, from one day to another, both included."""

    instrument: InstrumentName
    interval: IntervalText
    start: AskedDay = Field(default="", alias="from")
    end: AskedDay = Field(default="", alias="to")

    @property
    def days(self) -> tuple[TradingDay | None, TradingDay | None]:
        """The first and the last day; None is open."""
        return asked_day(self.start), asked_day(self.end)


class AskedBars(AskedSpan):
    """A page of bars."""

    adjustment: Adjustment = Field(default="", description="Empty: raw where there are any.")
    limit: int = Field(default=1000, ge=1, le=ROWS_MAX)
    cursor: Cursor = ""


class AskedChart(AskedSpan):
    """Bars of a chart."""

    adjustment: Adjustment = Field(default="", description="Empty: raw where there are any.")
    points: int = Field(
        default=100_000, ge=1, le=POINTS_MAX, description="Neighbouring bars are joined until so many are left."
    )


class BarRow(BaseModel):
    """One bar, a half-open time from `open_time` to `close_time`."""

    open_time: Moment
    close_time: Moment
    open: Rupees
    high: Rupees
    low: Rupees
    close: Rupees
    volume: int
    oi: int


class ChartBars(BaseModel):
    """Bars as columns of equal length. Times in UTC nanoseconds, prices in 1e-4 rupee: whole numbers, exact."""

    instrument: StoredInstrument
    interval: StoredInterval
    count: int
    ts_open_ns: list[int]
    ts_close_ns: list[int]
    open: list[int]
    high: list[int]
    low: list[int]
    close: list[int]
    volume: list[int]
    oi: list[int]


class Series(BaseModel):
    """A stored series of bars."""

    instrument: StoredInstrument
    name: str = Field(examples=["NSE:RELIANCE"])
    interval: StoredInterval
    adjustment: str = Field(examples=["raw"])
    rows: int
    first: Moment
    last: Moment
    sources: list[Annotated[str, Field(examples=["nse"])]]
    sha256: str = Field(examples=["0" * 64])


class DayWithGap(BaseModel):
    """A day that misses bars."""

    day: Day
    expected: int
    found: int


class Gaps(BaseModel):
    """What the calendar expects of a series and the store does not have."""

    instrument: str = Field(examples=["NSE:RELIANCE"])
    interval: StoredInterval
    adjustment: str = Field(examples=["raw"])
    first: Day
    last: Day
    days: int
    missing_days: int
    missing_bars: int
    gaps: list[DayWithGap]


@router.get("/series", summary="What is stored")
def series(caller: Reader, parts: Parts, instrument: Annotated[str, Query(max_length=200)] = "") -> list[Series]:
    """List the stored series, by name and interval; of one instrument or of all."""
    del caller
    only = named(parts, instrument).display if instrument else ""
    return [
        Series(
            instrument=each.instrument, name=each.name, interval=format_interval(each.interval),
            adjustment=each.adjustment, rows=each.rows, first=format_ts(each.first_ns), last=format_ts(each.last_ns),
            sources=list(each.sources), sha256=each.sha256,
        )
        for each in list_series(parts.bars, parts.instruments, only)
    ]  # fmt: skip


@router.get("/bars", summary="Bars, page by page")
def bars(caller: Reader, parts: Parts, asked: Annotated[AskedBars, Query()]) -> Page[BarRow]:
    """Return stored bars of a span of days, both included, oldest first."""
    del caller
    found, interval = named(parts, asked.instrument), parse_interval(asked.interval)
    first, last = span_ns(asked.days)
    after = place_of(asked.cursor, int)
    kept = asked.adjustment or parts.bars.adjustment(found.id, interval, first, last)
    begins = first if after is None else max(first, after + 1)
    page = parts.bars.read(found.id, interval, begins, last, adjustment=kept)
    count = min(len(page), asked.limit)
    more = cursor_of(page.ts_open_ns[count - 1]) if len(page) > asked.limit else None
    return Page(items=[_row(page, at) for at in range(count)], next=more)


@router.get(
    "/bars/chart", summary="Bars for a chart", response_model=ChartBars,
    responses={
        200: {"content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "The chart that the caller has is still the newest."},
    },
)  # fmt: skip
def chart(
    caller: Reader,
    parts: Parts,
    request: Request,
    asked: Annotated[AskedChart, Query()],
    if_none_match: Annotated[str, Header(max_length=1000)] = "",
) -> Response:
    """Return stored bars as columns, no more than `points`.

    With `Accept: application/vnd.manjha.columns` they come as bytes: four bytes with the length of a JSON head (little
    endian), the head (instrument, interval, count, columns), then each column as int64 little endian, in that order.
    """
    del caller
    found, interval = named(parts, asked.instrument), parse_interval(asked.interval)
    is_binary = BINARY in request.headers.get("accept", "")
    tag = _tag(parts, found, request.url.query, is_binary=is_binary)
    headers = {"etag": tag, "cache-control": "private, no-cache", "vary": "Accept, Authorization"}
    if tag in (each.strip() for each in if_none_match.split(",")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    stored = parts.bars.read(found.id, interval, *span_ns(asked.days), adjustment=asked.adjustment)
    columns = thinned(stored, asked.points)
    head = {"instrument": found.id, "interval": format_interval(interval), "count": len(columns)}
    if is_binary:
        return Response(_packed(head, columns), media_type=BINARY, headers=headers)
    body = head | {name: getattr(columns, name).tolist() for name in COLUMNS}
    return Response(msgspec.json.encode(body), media_type="application/json", headers=headers)


@router.get("/gaps", summary="What is missing of a series")
def gaps(caller: Reader, parts: Parts, asked: Annotated[AskedSpan, Query()]) -> Gaps:
    """Compare a stored series with the market's calendar."""
    del caller
    found = named(parts, asked.instrument)
    told = find_gaps(parts.bars, parts.rules, found, parse_interval(asked.interval), asked.days)
    return Gaps(
        instrument=told.name, interval=format_interval(told.interval), adjustment=told.adjustment,
        first=format_day(told.first), last=format_day(told.last), days=told.days, missing_days=told.missing_days,
        missing_bars=told.missing_bars,
        gaps=[DayWithGap(day=format_day(each.day), expected=each.expected, found=each.found) for each in told.gaps],
    )  # fmt: skip


def _row(columns: BarColumns, at: int) -> BarRow:
    bar = columns.bar(at)
    return BarRow(
        open_time=format_ts(bar.ts_open_ns), close_time=format_ts(bar.ts_close_ns), open=format_px(bar.open),
        high=format_px(bar.high), low=format_px(bar.low), close=format_px(bar.close), volume=bar.volume, oi=bar.oi,
    )  # fmt: skip


def _packed(head: dict[str, Any], columns: BarColumns) -> bytes:
    described = msgspec.json.encode(head | {"columns": COLUMNS})
    return b"".join((len(described).to_bytes(4, "little"), described, *(getattr(columns, name) for name in COLUMNS)))


def _tag(parts: Parts, instrument: Instrument, query: str, *, is_binary: bool) -> str:
    """Return the tag of an answer: of what was asked, and of the stored series that it is made of."""
    stored = "".join(info.sha256 for info in parts.bars.series(instrument.id))
    return f'"{hashlib.sha256(f"{stored}?{query}?{is_binary}".encode()).hexdigest()[:32]}"'
