"""Time. Inside, UTC nanoseconds as `int`; the trading day counts days since 1970-01-01 on the Indian calendar.

IST exists here, in `market.calendar` and on screens, nowhere else. India keeps no daylight saving, so the offset is a
constant for every day this platform covers.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import NewType

from manjha.domain.errors import DataError

TsNs = NewType("TsNs", int)
TradingDay = NewType("TradingDay", int)

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
IST_OFFSET_NS = 5 * HOUR_NS + 30 * MINUTE_NS
IST = timezone(timedelta(hours=5, minutes=30), "IST")

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def day_of(ts_ns: int) -> TradingDay:
    """Return the Indian calendar day that a moment falls on (not a promise that it trades)."""
    return TradingDay((ts_ns + IST_OFFSET_NS) // DAY_NS)


def clock_ns(ts_ns: int) -> int:
    """Return nanoseconds since midnight IST."""
    return (ts_ns + IST_OFFSET_NS) % DAY_NS


def at(day: int, clock: int) -> TsNs:
    """Return the moment of a day's clock time; `clock` in nanoseconds since midnight IST."""
    return TsNs(day * DAY_NS + clock - IST_OFFSET_NS)


def day_from_date(value: date) -> TradingDay:
    """Return the day number of a calendar date."""
    return TradingDay(value.toordinal() - _EPOCH_ORDINAL)


def date_from_day(day: int) -> date:
    """Return the calendar date of a day number."""
    return date.fromordinal(day + _EPOCH_ORDINAL)


def parse_day(text: str) -> TradingDay:
    """Read an ISO date, "2026-11-22". Raises `DataError` on anything else."""
    try:
        return day_from_date(date.fromisoformat(text.strip()))
    except ValueError:
        raise DataError(f"expected a date like 2026-11-22, was {text!r}") from None


def format_day(day: int) -> str:
    """Write a day as an ISO date."""
    return date_from_day(day).isoformat()


def parse_clock(text: str) -> int:
    """Read "HH:MM" or "HH:MM:SS" as nanoseconds since midnight IST. Raises `DataError`."""
    parts = text.strip().split(":")
    if len(parts) in (2, 3) and all(part.isdigit() for part in parts):
        hours, minutes, seconds = (*map(int, parts), 0)[:3]
        if hours < 24 and minutes < 60 and seconds < 60:
            return (hours * 3600 + minutes * 60 + seconds) * SECOND_NS
    raise DataError(f"expected a time like 15:30, was {text!r}")


def format_clock(clock: int) -> str:
    """Write nanoseconds since midnight as "HH:MM" or, where seconds are not zero, "HH:MM:SS"."""
    minutes, seconds = divmod(clock // SECOND_NS, 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{seconds:02d}" if seconds else text


def ts_from_datetime(value: datetime) -> TsNs:
    """Take an aware datetime exactly (microseconds). Raises `DataError` for a naive one."""
    if value.tzinfo is None:
        raise DataError(f"expected a time with a zone, was {value.isoformat()}")
    delta = value.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return TsNs(((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1_000)


def ist_datetime(ts_ns: int) -> datetime:
    """Return the moment as an aware IST datetime, truncated to the microsecond. For screens."""
    return datetime(1970, 1, 1, tzinfo=UTC).astimezone(IST) + timedelta(microseconds=ts_ns // 1_000)


def format_ts(ts_ns: int) -> str:
    """Write a moment for a person: ISO 8601 with the IST offset, "2026-11-22T09:15:00+05:30"."""
    return ist_datetime(ts_ns).isoformat()
