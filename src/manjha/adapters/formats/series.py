"""Open, high, low, close over time, of one or many instruments: what is left to find out once columns are known."""

from collections.abc import Callable, Sequence

import msgspec
import polars as pl

from manjha.adapters.formats.assembly import PRICES, daily_batch, day_expr, intraday_batch, sift
from manjha.adapters.formats.reading import Reading
from manjha.adapters.formats.sessions import Sessions
from manjha.adapters.formats.stamps import Stamps, on_utc
from manjha.domain.bars import DAY, Interval, format_interval, interval_ns
from manjha.domain.errors import DataError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import DAY_NS, HOUR_NS, IST_OFFSET_NS, SECOND_NS
from manjha.domain.money import PAISA, RUPEE
from manjha.ports.market_data import BarBatch

Identify = Callable[[pl.DataFrame], tuple[pl.DataFrame, Sequence[Instrument]]]
"""Adds `inst` to sifted rows and gives the instruments; may ask the user by a `DataError`."""


class Conventions(msgspec.Struct, frozen=True):
    """What a source is known to do; "" and False where it must be found out.

    `unit` is "rupees" or ""; `stamps` is "open" or ""; `single` says that prices went through float32.
    """

    unit: str = ""
    stamps: str = ""
    single: bool = False


def read_series(
    reading: Reading, frame: pl.DataFrame, stamps: Stamps, identify: Identify, known: Conventions
) -> tuple[BarBatch, tuple[Instrument, ...]]:
    """Read rows with `row`, `ts` as read (not yet on UTC), prices, `volume`, `oi` as float64 into one batch.

    Rows that no unit, zone or name can help are sorted out before anything is asked.
    """
    single = known.single or _went_through_single(frame)
    if single:
        reading.findings.note("prices went through float32: rounded to 0.0001, 0.001, 0.01 or 0.05 by their size")
    unit = reading.hints.unit or known.unit
    scale = PAISA if unit == "paise" else RUPEE
    good = sift(frame, reading.findings, unit=scale, single=single)
    if not good.height:
        raise DataError(f"{reading.file}: no row can be used")
    good, instruments = identify(good)
    if not unit:
        _ask_for_unit(reading, good)
    good = good.with_columns(ts=on_utc(stamps, good["ts"], reading))
    interval = find_interval(reading, good, dates_only=stamps.dates_only)
    if interval == DAY:
        days = good.with_columns(day=day_expr())
        return daily_batch(days, instruments, reading.findings, reading.clock), tuple(instruments)
    opened = bar_opens(reading, good, instruments, interval, known.stamps)
    batch = intraday_batch(opened, instruments, reading.findings, reading.clock, interval)
    return batch, tuple(instruments)


def _went_through_single(frame: pl.DataFrame) -> bool:
    """Tell whether float64 prices are float32 values that no decimal of four places gives."""
    prices = frame.select(pl.concat_list(PRICES).explode().drop_nulls()).to_series()
    same = bool((prices.cast(pl.Float32).cast(pl.Float64) == prices).all())
    scaled = prices * RUPEE
    return same and prices.len() > 0 and bool(((scaled - scaled.round()).abs() > 0.01).any())


def _ask_for_unit(reading: Reading, good: pl.DataFrame) -> None:
    """Ask where every price is a whole number: a file in paise and one in rupees look the same then."""
    fractions = good.select(pl.any_horizontal((pl.col(name) % RUPEE != 0).any() for name in PRICES)).item()
    if not fractions:
        low, high = good.select(low=pl.col("low").min() // RUPEE, high=pl.col("high").max() // RUPEE).row(0)
        raise DataError(
            f"{reading.file}: all prices are whole numbers, {low:,} to {high:,}: they may be rupees or paise",
            hint="Say which: --unit rupees or --unit paise.",
        )


def find_interval(reading: Reading, frame: pl.DataFrame, *, dates_only: bool) -> Interval:
    """Return the interval that the user gave, or the most frequent step between stamps.

    Raises
    ------
    DataError
        There is a single time, the steps are of a week and more, or shorter than what the user said; the hint names
        `--interval`.
    """
    given = reading.hints.interval
    steps = _steps(frame)
    if dates_only or given == DAY:
        _refuse_weeks(reading, steps)
        return DAY
    if not steps.len():
        if not given and bool(((frame["ts"] + IST_OFFSET_NS) % DAY_NS == 0).all()):
            return DAY
        if not given:
            raise DataError(
                f"{reading.file}: one time only, so the length of a bar cannot be seen",
                hint="Give it: --interval 5m or 1d.",
            )
        return given
    usual = int(steps.mode().sort()[0])
    if given:
        if usual < interval_ns(given):
            raise DataError(
                f"{reading.file}: rows are {usual // SECOND_NS} s apart, --interval says {format_interval(given)}",
                hint="Leave --interval out; longer bars are made from shorter ones where they are needed.",
            )
        return given
    if usual >= 20 * HOUR_NS:
        _refuse_weeks(reading, steps)
        return DAY
    seconds, rest = divmod(usual, SECOND_NS)
    if rest or seconds > 6 * 3600:
        raise DataError(f"{reading.file}: the usual step of {usual} ns is no interval", hint="Give --interval.")
    reading.findings.note(f"bars of {format_interval(seconds)} by the usual step between stamps")
    return Interval(seconds)


def _steps(frame: pl.DataFrame) -> pl.Series:
    """Return the steps between the different stamps of each instrument."""
    ordered = frame.select("inst", "ts").sort("inst", "ts")
    steps = ordered.select((pl.col("ts") - pl.col("ts").shift(1)).over("inst").alias("step")).to_series().drop_nulls()
    return steps.filter(steps > 0)


def _refuse_weeks(reading: Reading, steps: pl.Series) -> None:
    usual = steps.median()
    if steps.len() >= 3 and isinstance(usual, int | float) and usual > 6 * DAY_NS:
        raise DataError(
            f"{reading.file}: the usual step between rows is {usual / DAY_NS:.0f} days",
            hint="Weekly and monthly bars are not taken; import daily ones.",
        )


def bar_opens(
    reading: Reading, frame: pl.DataFrame, instruments: Sequence[Instrument], interval: Interval, known: str
) -> pl.DataFrame:
    """Make `ts` the open of each bar, where stamps may label the close.

    Raises
    ------
    DataError
        The stamps fit both; the hint names `--stamps`.
    """
    label = reading.hints.stamps or known
    if label == "open":
        return frame
    placed = Sessions(reading.clock, tuple(instruments)).join(frame.with_columns(day=day_expr()))
    if not label:
        label = _label(reading, placed, interval)
    if label == "open":
        return frame
    # The last bar of an hourly day is shorter than the interval, and so begins later.
    span = interval * SECOND_NS
    rest = (pl.col("session_close") - pl.col("session_open")) % span
    shorter = (pl.col("ts") == pl.col("session_close")) & (rest > 0)
    opened = placed.with_columns(ts=pl.col("ts") - pl.when(shorter).then(rest).otherwise(span))
    return opened.drop("session_open", "session_close", "day", "fault")


def _label(reading: Reading, placed: pl.DataFrame, interval: Interval) -> str:
    """Find by the first and the last stamp of the days whether stamps label the open or the close."""
    if placed["session_open"].null_count() == placed.height:
        return "open"  # No day of theirs had a session: they are quarantined as that, whatever they label.
    at_open = (pl.col("ts") == pl.col("session_open")).any()
    at_close = (pl.col("ts") == pl.col("session_close")).any()
    last = (pl.col("ts") == pl.col("session_close") - interval * SECOND_NS).any()
    days = placed.group_by("inst", "day").agg(at_open=at_open, at_close=at_close, last=last)
    opens, closes = days.select(
        opens=(pl.col("at_open") | (pl.col("last") & ~pl.col("at_close"))).sum(),
        closes=(pl.col("at_close") & ~pl.col("at_open")).sum(),
    ).row(0)
    if opens > closes:
        return "open"
    if closes > opens:
        reading.findings.note("stamps label the close of a bar, as the days' first and last ones show")
        return "close"
    raise DataError(
        f"{reading.file}: it cannot be seen whether stamps label the open or the close of a bar",
        hint="Say it: --stamps open or --stamps close.",
    )
