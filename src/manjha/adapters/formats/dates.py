"""Dates as exchanges write them, to day numbers."""

import re
from datetime import date

import polars as pl

from manjha.adapters.formats.reading import Reading
from manjha.domain.errors import DataError
from manjha.domain.moments import TradingDay, day_from_date

_FORMATS = ("%Y-%m-%d", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d%b%Y", "%Y%m%d", "%d-%m-%Y", "%d/%m/%Y")


def days(texts: pl.Series) -> pl.Series:
    """Read dates as Int32 day numbers, null where none. One way of writing for the whole column, day before month."""
    wanted = texts.filter(texts != "")
    for pattern in _FORMATS:
        if wanted.len() and wanted.head(1).str.to_date(pattern, strict=False).null_count() == 0:
            return texts.str.to_date(pattern, strict=False).cast(pl.Int32)
    return _best(texts)


def _best(texts: pl.Series) -> pl.Series:
    tried = [texts.str.to_date(pattern, strict=False) for pattern in _FORMATS]
    return min(tried, key=lambda found: found.null_count()).cast(pl.Int32)


def single_day(days_read: pl.Series) -> TradingDay | None:
    """Return the day of a day's file: the one that nine of ten rows have, None for a history."""
    found = days_read.drop_nulls()
    if not found.len():
        return None
    top = int(found.mode().sort()[0])
    return TradingDay(top) if 10 * int((found == top).sum()) >= 9 * found.len() else None


_IN_NAME = (
    (re.compile(r"(?<!\d)(\d{4})-?(\d{2})-?(\d{2})(?!\d)"), ("y", "m", "d")),
    (re.compile(r"(?<!\d)(\d{2})-?(\d{2})-?(\d{4})(?!\d)"), ("d", "m", "y")),
    (re.compile(r"(?<!\d)(\d{2})-?(\d{2})-?(\d{2})(?!\d)"), ("d", "m", "y")),
)


def day_of_file(reading: Reading) -> TradingDay:
    """Return the day that the user gave, else the one in the file's name ("EQ200421.CSV", "fo14112025.csv").

    Raises
    ------
    DataError
        Neither gives one; the hint names `--day`.
    """
    if reading.hints.day is not None:
        return reading.hints.day
    name = re.split(r"[/\\!]", reading.file)[-1]
    for pattern, order in _IN_NAME:
        for found in pattern.finditer(name):
            part = dict(zip(order, map(int, found.groups()), strict=True))
            day = _day(part["y"] + (2000 if part["y"] < 100 else 0), part["m"], part["d"])
            if day is not None:
                reading.findings.note(f"the day is taken from the file's name: {name}")
                return day
    raise DataError(
        f"{reading.file}: a {reading.format} file does not say its day",
        hint="Give it: --day 2021-04-20 (the name may hold it too, as in EQ200421.CSV).",
    )


def _day(year: int, month: int, day: int) -> TradingDay | None:
    try:
        found = date(year, month, day)
    except ValueError:
        return None
    return day_from_date(found) if 1990 <= year < 2100 else None
