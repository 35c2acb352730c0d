"""How values are written in answers and read in requests: money in rupees, times in ISO 8601 with an offset."""

from typing import Annotated

from pydantic import Field, StringConstraints

from manjha.domain.errors import DataError
from manjha.domain.moments import TradingDay, parse_day

Rupees = Annotated[str, Field(examples=["1234.50"], description="Rupees as a decimal string, never a float.")]
AskedRupees = Annotated[
    str,
    StringConstraints(pattern=r"^-?[0-9]{1,13}(\.[0-9]{1,4})?$"),
    Field(examples=["1234.50"], description="Rupees as a decimal string with at most four decimals."),
]
Moment = Annotated[str, Field(examples=["2026-11-24T09:15:00+05:30"], description="ISO 8601 with the offset.")]
Day = Annotated[str, Field(examples=["2026-11-24"], description="A day in India, ISO 8601.")]
AskedDay = Annotated[
    str,
    StringConstraints(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"),
    Field(examples=["2026-11-24"], description="A day in India, ISO 8601; empty is open."),
]
StoredInstrument = Annotated[str, Field(examples=["NSE:INE002A01018"], description="Its id.")]
StoredInterval = Annotated[str, Field(examples=["1m"])]
InstrumentName = Annotated[
    str, StringConstraints(min_length=1, max_length=200), Field(examples=["NSE:RELIANCE"], description="Or its id.")
]
IntervalText = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{0,5}(s|m|min|minute|h|hour|d|day)s?$"),
    Field(examples=["1m"], description="Like 1m, 15m, 1h, 1d."),
]


def asked_day(text: str) -> TradingDay | None:
    """Return a day that was asked for; None where it is open. Raises `DataError`."""
    if not text:
        return None
    try:
        return parse_day(text)
    except (DataError, OverflowError):
        raise DataError(
            f"expected a day like 2026-11-24, was {text!r}", hint="Give a day that the calendar has, as YYYY-MM-DD."
        ) from None
