"""From a table's rows to exact bars: prices to integers, bad rows out, sessions on, columns packed.

A draft is a frame with the columns `row` (1-based), `inst` (place in the tuple of instruments), `open`, `high`, `low`,
`close`, `volume`, `oi` as float64 in rupees and units, null where unreadable, and either `day` (a daily file) or `ts`
(UTC nanoseconds of the bar's open).
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from manjha.adapters.formats.quarantine import Findings
from manjha.adapters.formats.sessions import SessionClock, Sessions
from manjha.domain.bars import DAY, Interval
from manjha.domain.errors import DataError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, SECOND_NS, format_day
from manjha.domain.money import PX_MAX, RUPEE
from manjha.ports.market_data import BarBatch

PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume", "oi")
UNIT_MAX = 2**53
"""Largest volume that a float64 column carries exactly."""
DAY_MIN, DAY_MAX = 7305, 47482
"""1990-01-01 to 2100-01-01: electronic trading began at NSE in 1994; a stamp outside is none."""

_STRUCTURE = ("row", "inst", "day", "ts")


def exact(name: str, unit: int = RUPEE) -> pl.Expr:
    """Return a price column as an integer of 1e-4 rupee, rounded to nearest.

    For decimals of at most four places below ₹10 crore this is exact: reading the text and the product each err by at
    most half a unit in the last of 53 bits, together below 0.0003 of a unit at 1e12.
    """
    return (pl.col(name) * unit).round().cast(pl.Int64, strict=False)


def exact_from_single(name: str, unit: int = RUPEE) -> pl.Expr:
    """Return a price that passed through float32 as an integer of 1e-4 rupee.

    Float32 carries 24 bits, so the price is rounded to the finest of 0.0001, 0.001, 0.01 and 0.05 that is above the
    spacing of float32 at that size: paise survive below ₹131,072.
    """
    rupees = pl.col(name) * unit / RUPEE
    grid = pl.when(rupees < 1024).then(1).when(rupees < 16384).then(10).when(rupees < 131072).then(100).otherwise(500)
    return ((rupees * RUPEE / grid).round().cast(pl.Int64, strict=False) * grid).cast(pl.Int64)


def price_fault() -> pl.Expr:
    """Return what is wrong with a row of exact prices, null where nothing is."""
    prices = [pl.col(name) for name in PRICES]
    low, high = pl.col("low"), pl.col("high")
    return (
        pl.when(pl.any_horizontal(price.is_null() for price in prices))
        .then(pl.lit("a price is missing or no number"))
        .when(pl.any_horizontal(price <= 0 for price in prices))
        .then(pl.lit("a price is zero or negative"))
        .when(pl.any_horizontal(price > PX_MAX for price in prices))
        .then(pl.lit("a price is beyond ₹10 crore"))
        .when(high < low)
        .then(pl.lit("high is below low"))
        .when((pl.col("open") < low) | (pl.col("open") > high))
        .then(pl.lit("open is outside low to high"))
        .when((pl.col("close") < low) | (pl.col("close") > high))
        .then(pl.lit("close is outside low to high"))
        .when(~pl.col("volume").is_between(0, UNIT_MAX))
        .then(pl.lit("volume is negative or beyond 2^53"))
        .when(~pl.col("oi").is_between(0, UNIT_MAX))
        .then(pl.lit("open interest is negative or beyond 2^53"))
        .otherwise(pl.lit(None, dtype=pl.String))
    )


def sift(draft: pl.DataFrame, findings: Findings, *, unit: int = RUPEE, single: bool = False) -> pl.DataFrame:
    """Make prices, volume and open interest exact and quarantine rows whose numbers cannot be.

    Raises
    ------
    DataError
        More than half of the rows are bad.
    """
    convert = exact_from_single if single else exact
    missing = draft["volume"].null_count()
    if missing and missing < draft.height:
        findings.note(f"{missing:,} rows without a volume are taken with volume 0")
    frame = draft.with_columns(
        *(convert(name, unit) for name in PRICES),
        *(pl.col(name).fill_null(0).round() for name in ("volume", "oi")),
    )
    good = findings.split(frame.with_columns(reason=_stamp_fault(frame).fill_null(price_fault())))
    findings.refuse_if_mostly_bad(draft.height)
    return good.with_columns(pl.col("volume").cast(pl.Int64), pl.col("oi").cast(pl.Int64))


def _stamp_fault(frame: pl.DataFrame) -> pl.Expr:
    stamp = "ts" if "ts" in frame.columns else "day"
    day = day_expr() if stamp == "ts" else pl.col("day")
    return (
        pl.when(pl.col(stamp).is_null())
        .then(pl.lit("the date or time cannot be read"))
        .when(day == 0)
        .then(pl.lit("the time is zero (1970-01-01)"))
        .when(~day.is_between(DAY_MIN, DAY_MAX))
        .then(pl.lit("the date is out of range"))
        .otherwise(pl.lit(None, dtype=pl.String))
    )


def day_expr(stamp: str = "ts") -> pl.Expr:
    """Return the Indian calendar day of a column of UTC nanoseconds."""
    return ((pl.col(stamp) + IST_OFFSET_NS) // DAY_NS).cast(pl.Int32)


def settle_duplicates(frame: pl.DataFrame, findings: Findings, stamp: str) -> pl.DataFrame:
    """Drop rows that repeat another exactly; quarantine all rows of one instrument and time that contradict."""
    key = ["inst", stamp]
    if not frame.select(pl.struct(key).is_duplicated().any()).item():
        return frame
    once = frame.unique([*key, *VALUES], keep="first", maintain_order=True)
    findings.leave_out(frame.height - once.height, "rows that repeat another exactly")
    clash = pl.struct(key).is_duplicated()
    reason = pl.when(clash).then(pl.lit("contradicts another row of the same time"))
    good = findings.split(once.with_columns(reason=reason))
    findings.refuse_if_mostly_bad(frame.height)
    return good


def daily_batch(
    frame: pl.DataFrame, instruments: Sequence[Instrument], findings: Findings, clock: SessionClock
) -> BarBatch:
    """Pack sifted rows with a `day` into daily bars from the session's open to its close."""
    frame = settle_duplicates(frame, findings, "day")
    frame = Sessions(clock, tuple(instruments)).join(frame)
    frame = findings.split(frame.with_columns(reason=pl.col("fault")))
    frame = frame.with_columns(ts=pl.col("session_open"), ts_close=pl.col("session_close"))
    return pack(frame, instruments, DAY, findings)


def intraday_batch(
    frame: pl.DataFrame, instruments: Sequence[Instrument], findings: Findings, clock: SessionClock, interval: Interval
) -> BarBatch:
    """Pack sifted rows with a `ts` (the open) into bars that end with the interval, the session or the next bar."""
    frame = settle_duplicates(frame.with_columns(day=day_expr()), findings, "ts")
    frame = Sessions(clock, tuple(instruments)).join(frame)
    grid = min(interval, 60) * SECOND_NS
    off = pl.when(pl.col("ts") % grid != 0).then(pl.lit("the time is not on the interval's grid"))
    frame = findings.split(frame.with_columns(reason=pl.col("fault").fill_null(off)))
    frame = inside_session(frame, findings).sort("inst", "ts")
    following = pl.col("ts").shift(-1).over("inst")
    end = pl.min_horizontal(pl.col("ts") + interval * SECOND_NS, "session_close", following)
    return pack(frame.with_columns(ts_close=end), instruments, interval, findings)


def inside_session(frame: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    """Leave out rows before the session's open and from its close on.

    A day with no row inside keeps its rows, its session ending with them: without a calendar a Muhurat evening must
    not vanish. With a calendar such a day is known, and its hours hold.
    """
    inside = (pl.col("ts") >= pl.col("session_open")) & (pl.col("ts") < pl.col("session_close"))
    frame = frame.with_columns(inside=inside)
    special = ~pl.col("inside").any().over("inst", "day")
    odd_days = frame.filter(special)["day"].unique().sort()
    if odd_days.len():
        shown = ", ".join(format_day(day) for day in odd_days.head(5))
        findings.note(f"{odd_days.len()} days lie outside the session's hours as a whole and were kept: {shown}")
    frame = frame.with_columns(
        inside=pl.col("inside") | special,
        session_close=pl.when(special).then(pl.lit(None, dtype=pl.Int64)).otherwise(pl.col("session_close")),
    )
    kept = frame.filter("inside")
    findings.leave_out(frame.height - kept.height, "rows before the open or after the close of the session")
    return kept.drop("inside")


def pack(frame: pl.DataFrame, instruments: Sequence[Instrument], interval: Interval, findings: Findings) -> BarBatch:
    """Pack exact rows with `ts` and `ts_close` into a batch, by instrument and time, of the instruments that occur.

    Raises
    ------
    DataError
        No row is left.
    """
    if not frame.height:
        said = "; ".join(
            [*(f"{count:,} times: {why}" for why, count in findings.reasons.most_common(3)), *findings.notes]
        )
        raise DataError(
            f"{findings.file}: no row can be used ({said or 'the table is empty'})",
            hint="Check the instrument, its expiry, and the days and zone of the file.",
        )
    frame = frame.sort("inst", "ts")
    used = frame["inst"].unique().sort()
    places = pl.Series(np.searchsorted(used.to_numpy(), frame["inst"].to_numpy()), dtype=pl.Int64)
    return BarBatch(
        interval=interval,
        instruments=tuple(instruments[place] for place in used),
        instrument=column(places),
        ts_open_ns=column(frame["ts"]),
        ts_close_ns=column(frame["ts_close"]),
        open=column(frame["open"]),
        high=column(frame["high"]),
        low=column(frame["low"]),
        close=column(frame["close"]),
        volume=column(frame["volume"]),
        oi=column(frame["oi"]),
    )


def column(values: pl.Series) -> memoryview:
    """Return an int64 column as a memoryview of format "q"."""
    array = np.ascontiguousarray(values.to_numpy(), dtype=np.int64)
    return memoryview(array.tobytes()).cast("q")
