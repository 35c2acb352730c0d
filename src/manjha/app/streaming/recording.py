"""The recorder put together: a stream's ticks into files of MANJHA_HOME/ticks, and their minute bars into the store."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from manjha.adapters.files.tick_days import TickDays
from manjha.app.bootstrap import bar_store, instrument_book, market_rules, system_clock
from manjha.app.kite.account import at_kite
from manjha.app.settings import Settings
from manjha.app.streaming.streams import HERE, Say, last_close, named, nats_stream, stream_here
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TradingDay, at, format_day
from manjha.domain.ticks import TickColumns
from manjha.engine.bars import column
from manjha.ports.tick_stream import TickStream
from manjha.services.streamed_past import past_ticks
from manjha.services.tick_recorder import DayDone, RecorderParts, TickRecorder

RECORDED = "recorded"
"""What `--ticks` takes for the ticks that were recorded here."""


def tick_days(settings: Settings) -> TickDays:
    """Return the recorded ticks."""
    book = instrument_book(settings)
    return TickDays(settings.home / "ticks", lambda name: book.get(name).display)


def record_ticks(settings: Settings, address: str, names: Sequence[str], name: str, say: Say) -> Sequence[DayDone]:
    """Record a stream until its publisher ends, or until ^C.

    `names` are instruments for the ticker of this process, where the address is `here`; else what is published is
    recorded. Raises as `nats_stream`, `TickRecorder.run` and `at_kite`; `UsageError` where another process records.
    """
    if bool(names) != (address == HERE):
        raise UsageError(
            "--instrument is for --stream here: of another stream all is recorded that is published",
            hint="Leave one of the two out, or give both with --stream here.",
        )
    with tick_days(settings).held():
        return asyncio.run(_recorded(settings, address, names, name, say))


def recorded_columns(settings: Settings, instruments: Sequence[Instrument], days: range) -> list[TickColumns]:
    """Return the ticks of some instruments on the days that were recorded here.

    Raises `DataError` where none of the days was recorded, or a file is not what was written.
    """
    log, wanted = tick_days(settings), [one.id for one in instruments]
    found = [ticks for ticks in (log.read(TradingDay(day), wanted) for day in days) if ticks is not None]
    if not found:
        raise DataError(
            f"nothing was recorded from {format_day(days[0])} to {format_day(days[-1])}",
            hint=f"`manjha data record` records; {settings.home / 'ticks'} shows the days.",
        )
    return [_joined(one, [ticks[at] for ticks in found]) for at, one in enumerate(wanted)]


def _joined(name: InstrumentId, parts: Sequence[TickColumns]) -> TickColumns:
    import numpy as np

    values = (np.concatenate([np.asarray(getattr(one, field)) for one in parts]) for field in ("ts_ns", "px", "volume"))
    return TickColumns(name, *(column(one) for one in values))


def streamed_columns(
    settings: Settings, address: str, instruments: Sequence[Instrument], days: range
) -> list[TickColumns]:
    """Return what a stream still has of some days. Raises as `nats_stream` and `past_ticks`."""

    async def asked() -> list[TickColumns]:
        stream = nats_stream(settings, address)
        await stream.open()
        try:
            return await past_ticks(stream, [one.id for one in instruments], at(days[0], 0), at(days[-1] + 1, 0))
        finally:
            await stream.close()

    return asyncio.run(asked())


async def _recorded(settings: Settings, address: str, names: Sequence[str], name: str, say: Say) -> Sequence[DayDone]:
    async with _stream(settings, address, names) as stream:
        await stream.open()
        book = instrument_book(settings)
        parts = RecorderParts(
            stream=stream, log=tick_days(settings), store=bar_store(settings),
            listed={one.id: one for one in book.all()}, rules=market_rules(settings), now_ns=system_clock().now_ns,
        )  # fmt: skip
        recorder = TickRecorder(parts, name)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, recorder.stop)
        waits = "" if address == HERE else "; a publisher that is not there yet is waited for"
        say(f"Recording into {settings.home / 'ticks'} until the publisher ends{waits}. ^C ends it.")
        try:
            return await recorder.run()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


@asynccontextmanager
async def _stream(settings: Settings, address: str, names: Sequence[str]) -> AsyncIterator[TickStream]:
    if address != HERE:
        stream = nats_stream(settings, address)
        try:
            yield stream
        finally:
            await stream.close()
        return
    async with at_kite(settings) as kite:
        instruments = named(settings, names)
        last_close(settings, instruments, kite.times)
        async with stream_here(settings, kite, instruments) as ways:
            yield ways()
