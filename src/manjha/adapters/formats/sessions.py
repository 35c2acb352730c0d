"""When a session opens and closes, asked of whoever knows the calendar."""

from collections.abc import Callable, Sequence

import msgspec
import polars as pl

from manjha.domain.instrument import Exchange, Instrument
from manjha.domain.moments import HOUR_NS, MINUTE_NS, TradingDay, at

SessionClock = Callable[[Instrument, TradingDay], tuple[int, int] | None]
"""Gives the open and the close of the continuous session as UTC nanoseconds, None where there was no session.
A day with a halt inside has its first open and its last close."""

_OPEN = 9 * HOUR_NS + 15 * MINUTE_NS
_CLOSE = 15 * HOUR_NS + 30 * MINUTE_NS
_MCX = (9 * HOUR_NS, 23 * HOUR_NS + 30 * MINUTE_NS)
_CURRENCY = (9 * HOUR_NS, 17 * HOUR_NS)


def regular_session(instrument: Instrument, day: TradingDay) -> tuple[int, int]:
    """Give the regular hours of each exchange, as they were before 2026-08-03, for any day whatever the calendar."""
    match instrument.exchange:
        case Exchange.MCX:
            hours = _MCX
        case Exchange.CDS | Exchange.BCD:
            hours = _CURRENCY
        case _:
            hours = (_OPEN, _CLOSE)
    return at(day, hours[0]), at(day, hours[1])


class Sessions(msgspec.Struct, frozen=True):
    """Sessions for the rows of a file, one question per kind of instrument and day."""

    clock: SessionClock
    instruments: tuple[Instrument, ...]

    def join(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Add `session_open` and `session_close` by the columns `inst` and `day`; null where there was no session.

        `fault` then says why: the exchange was closed, or the contract had expired.
        """
        kinds, examples = _kinds(self.instruments)
        frame = frame.with_columns(kind=pl.Series(kinds, dtype=pl.Int32).gather(frame["inst"]))
        asked = frame.select("kind", "day").unique(maintain_order=True)
        ended = [_has_expired(examples[kind], day) for kind, day in asked.iter_rows()]
        answers = [
            None if over else self.clock(examples[kind], TradingDay(day))
            for over, (kind, day) in zip(ended, asked.iter_rows(), strict=True)
        ]
        asked = asked.with_columns(
            fault=pl.Series(
                [_fault(over, answer) for over, answer in zip(ended, answers, strict=True)], dtype=pl.String
            ),
            session_open=pl.Series([a[0] if a else None for a in answers], dtype=pl.Int64),
            session_close=pl.Series([a[1] if a else None for a in answers], dtype=pl.Int64),
        )
        return frame.join(asked, on=["kind", "day"], how="left", maintain_order="left").drop("kind")


def _has_expired(instrument: Instrument, day: int) -> bool:
    return instrument.expiry is not None and day > instrument.expiry


def _fault(over: bool, answer: tuple[int, int] | None) -> str | None:  # noqa: FBT001 - one of two reasons
    if over:
        return "the contract had expired on that day"
    return None if answer else "the exchange was closed on that day"


def _kinds(instruments: Sequence[Instrument]) -> tuple[list[int], list[Instrument]]:
    """Number the instruments by what decides their hours, with an example of each."""
    numbers: dict[tuple[object, ...], int] = {}
    examples: list[Instrument] = []
    kinds = []
    for one in instruments:
        # A derivative's hours hang on its kind, underlying and expiry; a share's also on whether it has derivatives,
        # which a file does not say and the caller's clock may know, so each share is asked about by itself.
        key = (one.exchange, one.asset, one.kind, one.underlying, one.expiry) if one.is_derivative else (one.id,)
        if key not in numbers:
            numbers[key] = len(examples)
            examples.append(one)
        kinds.append(numbers[key])
    return kinds, examples
