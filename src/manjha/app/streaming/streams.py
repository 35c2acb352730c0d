"""Streams of ticks put together: over a NATS server, or in this process beside a ticker of its own."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

from manjha.adapters.feeds.in_process import InProcessStream, Kept
from manjha.app.bootstrap import instrument_book, market_rules, system_clock
from manjha.app.kite.account import AtKite, at_kite, feed_of, todays_names
from manjha.app.kite.login import revealed
from manjha.app.kite.times import Times
from manjha.app.secret_stores import secret_store
from manjha.app.settings import Settings
from manjha.app.trading.live_checks import closes_ns, require_session, today_of
from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import SECOND_NS, format_ts
from manjha.domain.streams import Began
from manjha.ports.secret_store import SecretStore
from manjha.ports.tick_stream import TickStream
from manjha.services.publishing import Published, Publisher, PublisherTimes

HERE = "here"
"""The stream that is kept in this process: it ends with it, and nobody else can take it up."""
TOKEN, USER, PASSWORD, CREDS = "stream.token", "stream.user", "stream.password", "stream.creds"
"""The names of the secrets that a NATS server may ask for; the last is the text of a .creds file."""
AFTER_CLOSE_NS = 60 * SECOND_NS
"""How long after the last session a publisher goes on: what comes late is said too."""
Say = Callable[[str], None]


def address_of(settings: Settings, asked: str) -> str:
    """Return where a stream is: what was asked for, else `stream.url`. Raises `SettingsError` where neither is."""
    if asked or settings.stream.url:
        return asked or settings.stream.url or ""
    raise SettingsError(
        "nobody said where the stream is",
        hint="Give --stream nats://127.0.0.1:4222, or set stream.url; docs/streaming.md tells how a server is started.",
    )


def nats_stream(settings: Settings, address: str, secrets: SecretStore | None = None) -> TickStream:
    """Return the stream of a NATS server, not yet open.

    Raises
    ------
    SettingsError
        nats-py is not installed.
    UsageError
        The address is none, holds a password, or is one of another machine without TLS.
    """
    try:
        from manjha.adapters.nats.link import Keys, Server
        from manjha.adapters.nats.stream import Keeping, NatsStream
    except ImportError:
        raise SettingsError(
            "a stream of ticks was asked for, but nats-py is not installed",
            hint="Install it: pip install 'manjha[stream]'; or give --stream here, which needs no server.",
        ) from None
    store = secrets or secret_store(settings)
    keys = Keys(*(revealed(store.get(name)) for name in (TOKEN, USER, PASSWORD, CREDS)))
    kept = settings.stream
    return NatsStream(Server(address, keys), Keeping(kept.name, kept.keep_hours * 3600, kept.keep_mb << 20))


async def serve_feed(settings: Settings, names: Sequence[str], address: str, say: Say) -> Published:
    """Publish Kite's ticks of some instruments until their day is over, or until ^C.

    Raises as `at_kite`, `todays_names`, `Publisher.run` and `nats_stream`; `UsageError` where nothing trades today.
    """
    stream = nats_stream(settings, address)
    async with at_kite(settings) as kite:
        instruments = named(settings, names)
        publisher = await _publisher(settings, kite, instruments, stream)
        await stream.open()
        until_ns = last_close(settings, instruments, kite.times) + AFTER_CLOSE_NS
        until = format_ts(until_ns)[:19]
        say(f"Publishing {len(instruments)} instruments of {settings.kite.url} until {until}; ^C ends it.")
        beside = [
            asyncio.create_task(_stopped(publisher, kite.times, until_ns)),
            asyncio.create_task(_told(stream, publisher, say)),
        ]
        try:
            return await publisher.run()
        finally:
            for task in beside:
                task.cancel()
            await stream.close()


@asynccontextmanager
async def stream_here(
    settings: Settings, kite: AtKite, instruments: Sequence[Instrument]
) -> AsyncIterator[Callable[[], TickStream]]:
    """Publish Kite's ticks in this process until the end of the block; give who makes ways to the stream."""
    kept = Kept(system_clock().now_ns)
    stream, body = InProcessStream(kept), asyncio.current_task()
    await stream.open()
    publisher = await _publisher(settings, kite, instruments, stream)
    until_ns = last_close(settings, instruments, kite.times) + AFTER_CLOSE_NS
    loop = asyncio.get_running_loop()
    ends = loop.call_later(kite.times.clock.seconds_until(until_ns), publisher.stop)
    running = asyncio.create_task(publisher.run())

    def ended(task: "asyncio.Task[Published]") -> None:
        # Who takes the stream up would wait for ever.
        if not task.cancelled() and task.exception() is not None and body is not None:
            body.cancel()

    running.add_done_callback(ended)
    try:
        await publisher.begun.wait()
        yield lambda: InProcessStream(kept)
    finally:
        ends.cancel()
        publisher.stop()
        await asyncio.wait([running])
        if running.exception() is not None:
            running.result()


def named(settings: Settings, names: Iterable[str]) -> tuple[Instrument, ...]:
    """Return instruments by what people type, each once."""
    book = instrument_book(settings)
    return tuple({one.id: one for one in map(book.find, names)}.values())


def last_close(settings: Settings, instruments: Sequence[Instrument], times: Times) -> int:
    """Return when the last session of today ends. Raises `UsageError` where nothing of them trades today."""
    rules, today = market_rules(settings), today_of(times)
    require_session(rules, instruments, today)
    found = closes_ns(rules, instruments, today)
    if found <= times.now_ns():
        raise UsageError(
            f"the sessions of {', '.join(one.display for one in instruments)} are over today",
            hint="Start it again on the morning of the next trading day.",
        )
    return found


async def _publisher(
    settings: Settings, kite: AtKite, instruments: Sequence[Instrument], stream: TickStream
) -> Publisher:
    listed = await todays_names(kite.rest, instruments)
    feed = feed_of(settings, kite, listed, market_rules(settings), [one.exchange for one in instruments])
    times = kite.times
    began = Began(
        times.now_ns(), settings.kite.url, times.at_simulation, tuple(one.id for one in instruments),
        times.clock.second_ns,
    )  # fmt: skip
    return Publisher(stream, feed, began, PublisherTimes(times.now_ns, time.monotonic_ns))


async def _told(stream: TickStream, publisher: Publisher, say: Say) -> None:
    """Say when the way to the stream or to the exchange is lost, and when it is back."""
    said = {"stream": "", "ticker": ""}
    while True:
        for what, note in (("stream", stream.link.note), ("ticker", publisher.health().note)):
            if note != said[what]:
                said[what] = note
                say(f"{what}: {note or 'connected'}")
        await asyncio.sleep(1)


async def _stopped(publisher: Publisher, times: Times, until_ns: int) -> None:
    """Stop a publisher at a moment, or when the process is asked to end."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(times.clock.seconds_until(until_ns)):
                await asked.wait()
        publisher.stop()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
