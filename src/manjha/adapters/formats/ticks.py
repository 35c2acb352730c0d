"""Ticks to bars: a time, a last price and the day's volume so far become one-minute bars (or longer ones)."""

import polars as pl

from manjha.adapters.formats.assembly import day_expr, exact, inside_session, pack
from manjha.adapters.formats.generic import SYMBOL, identify
from manjha.adapters.formats.quarantine import Findings
from manjha.adapters.formats.reading import Reading, TableFormat, honest_errors, numbered, values
from manjha.adapters.formats.sessions import SessionClock, Sessions, regular_session
from manjha.adapters.formats.sketch import Sketch
from manjha.adapters.formats.stamps import has_time, on_utc, read_stamps
from manjha.adapters.formats.tabular import read_table
from manjha.domain.bars import DAY, MINUTE, Interval
from manjha.domain.errors import DataError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import SECOND_NS, format_day
from manjha.domain.money import PAISA, PX_MAX, RUPEE
from manjha.domain.ticks import TickColumns
from manjha.ports.market_data import Imported, ImportHints

_PRICE = ("ltp", "lasttradedprice", "lastprice", "price", "lp")
_VOLUME = ("volume", "volumetraded", "cumulativevolume", "totaltradedvolume", "vol", "ttq")
_OI = ("openinterest", "oi")


def _is_ticks(sketch: Sketch) -> bool:
    priced = any(name in sketch.columns for name in _PRICE)
    # A table of option chains or quotes has prices too, but strikes and days of their own.
    return has_time(sketch.columns) and priced and not sketch.has("high") and not sketch.has("strikeprice")


def _read(reading: Reading) -> Imported:
    """Missing minutes are not filled; the first bar's volume is what was traded since the day began."""
    interval = reading.hints.interval or MINUTE
    if interval == DAY:
        raise DataError(f"{reading.file}: ticks make intraday bars", hint="Give --interval 1m or leave it out.")
    inside, instruments = _inside(reading)
    return reading.imported([pack(_bars(inside, interval), instruments, interval, reading.findings)], instruments)


def _inside(reading: Reading) -> tuple[pl.DataFrame, list[Instrument]]:
    """Return the good ticks inside sessions, by instrument and time, each with the day's volume so far."""
    table = reading.table
    _refuse_many(reading)
    if table.any_of(*_OI) and not reading.hints.instrument and not table.has("expiry"):
        raise DataError(
            f"{reading.file}: ticks with open interest are of derivatives, but no expiry is told",
            hint="Import one contract at a time, a file each: --instrument NFO:MCX:2025-11-25:FUT.",
        )
    stamps = read_stamps(table)
    columns = {"price": table.any_of(*_PRICE), "total": table.any_of(*_VOLUME), "oi": table.any_of(*_OI)}
    frame = numbered(table, {"ts": stamps.ns, **values(table, columns)})
    good = _sift(frame, reading)
    good, instruments = identify(reading)(good)
    good = good.with_columns(ts=on_utc(stamps, good["ts"], reading)).with_columns(day=day_expr())
    placed = Sessions(reading.clock, tuple(instruments)).join(_majority_day(good, reading.findings))
    placed = reading.findings.split(placed.with_columns(reason=pl.col("fault")))
    # Ticks of one second are stored in any order; the day's volume so far tells it.
    ordered = placed.sort("inst", "ts", "total", "row")
    rising = _rising(ordered, reading.findings)
    reading.findings.refuse_if_mostly_bad(frame.height)
    return inside_session(rising, reading.findings), list(instruments)


def read_ticks(data: bytes, file: str, hints: ImportHints, clock: SessionClock = regular_session) -> list[TickColumns]:
    """Return the ticks of a decompressed file, those of each instrument in the order of time.

    The bars that an import makes of the file are those of these ticks. Raises `DataError` for a file of something else.
    """
    table = read_table(data, file)
    if not _is_ticks(table.sketch):
        raise DataError(f"{file}: no file of ticks", hint="It needs a time, a price and, where known, a volume.")
    reading = Reading("ticks", file, table, hints, clock, Findings(table, file))
    with honest_errors(file, "ticks"):
        inside, instruments = _inside(reading)
        # What was traded before the first tick of the session (the opening auction) belongs to that tick.
        before = pl.col("total").shift(1).over("inst", "day").fill_null(0)
        traded = inside.sort("inst", "ts", "total", "row").with_columns(volume=pl.col("total") - before)
        return [_columns(one.id, traded.filter(pl.col("inst") == at)) for at, one in enumerate(instruments)]


def _columns(name: InstrumentId, frame: pl.DataFrame) -> TickColumns:
    held = (frame[column].to_numpy().astype("int64").data for column in ("ts", "price", "volume"))
    return TickColumns(name, *held)


def _refuse_many(reading: Reading) -> None:
    name = reading.table.any_of(*SYMBOL)
    if name and reading.hints.instrument and reading.table.text(name).n_unique() > 1:
        raise DataError(
            f"{reading.file}: ticks of {reading.table.text(name).n_unique()} symbols, --instrument names one",
            hint="Split the file by symbol" + ("." if reading.table.any_of(*_OI) else ", or leave --instrument out."),
        )


def _sift(frame: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    unit = PAISA if reading.hints.unit == "paise" else RUPEE
    whole = frame["price"].drop_nulls()
    if not reading.hints.unit and whole.len() and bool((whole == whole.round()).all()):
        raise DataError(
            f"{reading.file}: all prices are whole numbers: they may be rupees or paise",
            hint="Say which: --unit rupees or --unit paise.",
        )
    day = day_expr()
    reason = (
        pl.when(pl.col("ts").is_null())
        .then(pl.lit("the date or time cannot be read"))
        .when(day == 0)
        .then(pl.lit("the time is zero (1970-01-01)"))
        .when(pl.col("price").is_null())
        .then(pl.lit("the price is missing or no number"))
        .when(~(pl.col("price") > 0))
        .then(pl.lit("the price is zero or negative"))
        .when(pl.col("price") > PX_MAX)
        .then(pl.lit("the price is beyond ₹10 crore"))
        .when(pl.col("total") < 0)
        .then(pl.lit("volume is negative"))
        .otherwise(pl.lit(None, dtype=pl.String))
    )
    exacted = frame.with_columns(
        price=exact("price", unit),
        total=pl.col("total").fill_null(0).round().cast(pl.Int64, strict=False),
        oi=pl.col("oi").fill_null(0).round().cast(pl.Int64, strict=False),
    )
    good = reading.findings.split(exacted.with_columns(reason=frame.select(reason.alias("r")).to_series()))
    reading.findings.refuse_if_mostly_bad(frame.height)
    return good


def _majority_day(frame: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    """Quarantine the odd ticks of another day that stand in a day's file: mock sessions, the next morning."""
    days = frame["day"].value_counts(sort=True)
    if days.height < 2:
        return frame
    top, count = days.row(0)
    if 2 * count <= frame.height:
        return frame
    other = pl.when(pl.col("day") != top).then(pl.format("of another day than the file's {}", pl.lit(format_day(top))))
    return findings.split(frame.with_columns(reason=other))


def _rising(frame: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    """Quarantine ticks whose total of the day contradicts the others: it can only rise.

    Either those below an earlier total are wrong or those above a later one: the fewer ones are.
    """
    key = ["inst", "day"]
    marked = frame.with_columns(
        below=pl.col("total") < pl.col("total").cum_max().over(key),
        above=pl.col("total") > pl.col("total").reverse().cum_min().reverse().over(key),
    )
    wrong = "below" if marked["below"].sum() <= marked["above"].sum() else "above"
    reason = pl.when(wrong).then(pl.lit("the day's volume so far falls"))
    return findings.split(marked.with_columns(reason=reason).drop("below", "above"))


def _bars(frame: pl.DataFrame, interval: Interval) -> pl.DataFrame:
    """Fold ticks into bars counted from the session's open; days kept without known hours count from midnight."""
    span = interval * SECOND_NS
    start = pl.when(pl.col("session_close").is_null()).then(0).otherwise(pl.col("session_open"))
    bars = (
        frame.with_columns(ts=start + (pl.col("ts") - start) // span * span)
        .group_by("inst", "day", "ts", maintain_order=True)
        .agg(
            open=pl.col("price").first(),
            high=pl.col("price").max(),
            low=pl.col("price").min(),
            close=pl.col("price").last(),
            total=pl.col("total").last(),
            oi=pl.col("oi").last(),
            session_close=pl.col("session_close").first(),
        )
    )
    # What was traded before the first tick of the session (the opening auction) belongs to the first bar.
    before = pl.col("total").shift(1).over("inst", "day").fill_null(0)
    end = pl.min_horizontal(pl.col("ts") + span, "session_close")
    return bars.with_columns(ts_close=end, volume=pl.col("total") - before)


FORMATS = (TableFormat("ticks", _is_ticks, _read),)
