"""Times as sources write them: found in the columns, read to nanoseconds, put onto UTC."""

import msgspec
import polars as pl

from manjha.adapters.formats.dates import days
from manjha.adapters.formats.reading import Reading
from manjha.adapters.formats.tabular import Table
from manjha.domain.errors import DataError
from manjha.domain.moments import DAY_NS, HOUR_NS, IST_OFFSET_NS, MINUTE_NS, SECOND_NS

TIME_COLUMNS = (
    "ts", "timestamp", "datetime", "dateandtime", "datetimeist", "date", "time", "day", "t", "exchangetimestamp",
    "tradedate", "timeist", "epoch", "opentime", "tradingdate", "index",
)  # fmt: skip
_CLOCK_COLUMNS = ("time", "clock")
_DATE_COLUMNS = ("date", "day", "tradedate")
_WHOLE = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d-%b-%Y %H:%M:%S",
          "%d-%b-%Y %H:%M", "%Y%m%d %H:%M:%S", "%Y%m%d %H:%M")  # fmt: skip
_ZONED = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")
_MORNING = 8 * HOUR_NS + 45 * MINUTE_NS
_OPEN, _CLOSE = 9 * HOUR_NS, 15 * HOUR_NS + 45 * MINUTE_NS


class Stamps(msgspec.Struct, frozen=True):
    """Nanoseconds as Int64, null where unreadable: UTC where the source is `zoned`, else the clock on the wall."""

    ns: pl.Series
    zoned: bool = False
    dates_only: bool = False
    counted: bool = False


def has_time(columns: tuple[str, ...]) -> bool:
    """Tell whether a table has a column of times."""
    return any(name in columns for name in TIME_COLUMNS)


def read_stamps(table: Table) -> Stamps:
    """Read the times of all rows from one column, or from a date and a clock.

    Raises
    ------
    DataError
        There is no such column.
    """
    date, clock = table.any_of(*_DATE_COLUMNS), table.any_of(*_CLOCK_COLUMNS)
    if date and clock:
        return _date_and_clock(table, date, clock)
    name = table.any_of(*TIME_COLUMNS)
    if not name:
        table.require("date")
    column = table.frame[name]
    if isinstance(column.dtype, pl.Datetime):
        ns = column.dt.cast_time_unit("ns").cast(pl.Int64)
        return Stamps(ns, zoned=column.dtype.time_zone is not None, dates_only=False)
    if column.dtype == pl.Date:
        return Stamps(column.cast(pl.Int64) * DAY_NS, dates_only=True)
    if column.dtype.is_numeric():
        return _counted(column)
    return _texts(table.text(name))


def on_utc(stamps: Stamps, ns: pl.Series, reading: Reading) -> pl.Series:
    """Return UTC nanoseconds of wall-clock stamps, by what the user said or by where the trading hours fall.

    Raises
    ------
    DataError
        It cannot be known; the hint names `--zone`.
    """
    zone = reading.hints.zone.upper()
    if stamps.zoned and not stamps.counted:
        return ns
    if stamps.counted:
        if zone != "IST" and not (zone == "" and _counts_wall_clock(ns)):
            return ns
        if zone == "IST":
            return ns - IST_OFFSET_NS
        raise DataError(
            f"{reading.file}: the stamps count seconds, and read as UTC all trading would be from 14:30 to 21:15 IST",
            hint="If they count Indian clock time, give --zone IST; if they are right, --zone UTC.",
        )
    if zone in {"IST", "UTC"}:
        return ns - IST_OFFSET_NS if zone == "IST" else ns
    return ns - _offset(ns, reading, dates_only=stamps.dates_only)


def _offset(ns: pl.Series, reading: Reading, *, dates_only: bool) -> int:
    clock = ns.drop_nulls() % DAY_NS
    if dates_only or not clock.len() or bool((clock == 0).all()):
        return IST_OFFSET_NS
    early, late = clock.quantile(0.05) or 0.0, clock.quantile(0.95) or 0.0
    if early >= _MORNING:
        return IST_OFFSET_NS
    if early >= _MORNING - IST_OFFSET_NS and late <= 12 * HOUR_NS:
        reading.findings.note("stamps without a zone lie in the trading hours of UTC and are read as UTC")
        return 0
    raise DataError(
        f"{reading.file}: the stamps have no zone and lie from {_clock(early)} to {_clock(late)}",
        hint="Say what they are: --zone IST or --zone UTC.",
    )


def _clock(ns: float) -> str:
    minutes = int(ns // MINUTE_NS)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _counts_wall_clock(ns: pl.Series) -> bool:
    """Tell whether counted seconds look like Indian clock time: taken as UTC, all trading would be in the evening."""
    clock = ns.drop_nulls() % DAY_NS
    if not clock.len() or bool((clock == 0).all()):
        return False
    return 10 * int(clock.is_between(_OPEN, _CLOSE).sum()) > 9 * clock.len()


def _date_and_clock(table: Table, date: str, clock: str) -> Stamps:
    column = table.frame[date]
    day = column.cast(pl.Int32) if column.dtype == pl.Date else days(table.text(date))
    return Stamps(day.cast(pl.Int64) * DAY_NS + _clocks(table, clock))


def _clocks(table: Table, name: str) -> pl.Series:
    """Read clock times: "09:15", "09:15:00", seconds since midnight, HHMM or HHMMSS."""
    column: pl.Series = table.frame[name]
    if column.dtype == pl.Time:
        return column.cast(pl.Int64)
    texts = table.text(name)
    if bool(texts.str.contains(":", literal=True).any()):
        padded = pl.when(texts.str.count_matches(":", literal=True) == 1).then(texts + ":00").otherwise(texts)
        clocks: pl.Series = pl.select(padded).to_series().str.to_time("%H:%M:%S%.f", strict=False).cast(pl.Int64)
        return clocks
    numbers = table.number(name).cast(pl.Int64, strict=False)
    top = numbers.max()
    most = top if isinstance(top, int) else 0
    if most <= 2359 and bool(((numbers % 100) < 60).all()):
        return ((numbers // 100) * 60 + numbers % 100) * MINUTE_NS
    if most > 86_400:
        return ((numbers // 10_000) * 3600 + (numbers // 100 % 100) * 60 + numbers % 100) * SECOND_NS
    return numbers * SECOND_NS


def _counted(column: pl.Series) -> Stamps:
    """Read numbers: epoch seconds, milli-, micro- or nanoseconds by size, or 20240101 and 202401010915."""
    whole = column.cast(pl.Int64, strict=False)
    if not column.dtype.is_integer():
        numbers = column.cast(pl.Float64, strict=False)
        whole = whole.fill_null(numbers.set(~numbers.is_finite(), None).round().cast(pl.Int64, strict=False))
    seen = whole.filter(whole > 0).median()
    size = seen if isinstance(seen, float) else 0.0
    for low, high, pattern in _WRITTEN:
        if low <= size <= high:
            texts = whole.cast(pl.String)
            if pattern == "%Y%m%d":
                return Stamps(days(texts).cast(pl.Int64) * DAY_NS, dates_only=True)
            return Stamps(texts.str.to_datetime(pattern, strict=False, time_unit="ns").cast(pl.Int64))
    scale = next(factor for bound, factor in _SCALES if size < bound)
    return Stamps(whole.set(whole.abs() > _FAR // scale, None) * scale, zoned=True, counted=True)


_FAR = 9 * 10**18
_WRITTEN = (
    (19_900_101, 21_001_231, "%Y%m%d"),
    (199_001_010_000, 210_012_312_359, "%Y%m%d%H%M"),
    (19_900_101_000_000, 21_001_231_235_959, "%Y%m%d%H%M%S"),
)
_SCALES = ((1e11, SECOND_NS), (1e14, 1_000_000), (1e17, 1_000), (float("inf"), 1))


def _texts(texts: pl.Series) -> Stamps:
    wanted = texts.filter(texts != "")
    if not wanted.len():
        return Stamps(pl.repeat(None, texts.len(), dtype=pl.Int64, eager=True))
    if bool(wanted.head(100).str.contains(r"^-?\d+(\.\d+)?$").all()):
        return _counted(texts)
    plain = (
        texts.str.replace(r"^(\d{4}-\d{2}-\d{2})T", "${1} ")
        .str.replace(r"(\d)(Z| UTC)$", "${1}+00:00")
        .str.replace(r"(\d) IST$", "${1}+05:30")
        .str.replace_all("/", "-", literal=True)
    )
    zoned = _best(plain, _ZONED)
    if zoned.null_count() < zoned.len():
        return Stamps(zoned, zoned=True)
    whole = _best(plain, _WHOLE)
    found = days(plain)
    if whole.null_count() <= found.null_count() and whole.null_count() < whole.len():
        # Histories may give "2020-01-01" beside "2020-01-01 00:00:00".
        return Stamps(whole.fill_null(found.cast(pl.Int64) * DAY_NS))
    return Stamps(found.cast(pl.Int64) * DAY_NS, dates_only=True)


def _best(texts: pl.Series, patterns: tuple[str, ...]) -> pl.Series:
    """Read with the pattern that reads most of the first thousand."""
    sample = texts.filter(texts != "").head(1000)
    return _read(texts, min(patterns, key=lambda pattern: _read(sample, pattern).null_count()))


def _read(texts: pl.Series, pattern: str) -> pl.Series:
    zone = "UTC" if pattern in _ZONED else None
    return texts.str.to_datetime(pattern, strict=False, time_unit="ns", time_zone=zone).cast(pl.Int64)
