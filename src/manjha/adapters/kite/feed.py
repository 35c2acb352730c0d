"""Live ticks of Kite: up to three connections of 3,000 instruments each, as one feed; and hints of what orders do."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from manjha.adapters.kite.link import TOKENS_MAX, Around, Link, Pace
from manjha.adapters.kite.observed import Counts, Observer, Watched
from manjha.adapters.kite.packets import PacketReader, warm
from manjha.adapters.kite.rest import UNREADABLE
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.ticks import Tick
from manjha.ports.feed import FeedHealth

LINKS_MAX = 3
"""Connections of one app (KITE_CONNECT_V3 section 4)."""
WAITING_MAX = 1_024
"""Frames whose ticks may wait: who reads slower is slowed down by the socket, not given a growing heap."""
HINTS_MAX = 4_096
_LOCAL = ("127.0.0.1", "localhost", "::1")


class Clocks(NamedTuple):
    """`now_ns` tells the time of day; `seconds` never jumps, and `pause` waits by it."""

    now_ns: Callable[[], TsNs]
    seconds: Callable[[], float]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


class Stream(NamedTuple):
    """Where the stream is, who we are, and when to expect data.

    `credentials` gives api key and access token, asked at each connection as a login changes them. `is_open` tells
    whether the market of some instrument is open now. `tls` is for tests with a certificate of their own; verified
    by the system's authorities where None.
    """

    base: str
    credentials: Callable[[], tuple[str, str]]
    is_open: Callable[[], bool]
    tls: ssl.SSLContext | None = None


class _Message(msgspec.Struct):
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Order(msgspec.Struct):
    order_id: str = ""


class KiteFeed:
    """Implements `ports.feed.Feed` over Kite's ticker. Use it inside one event loop.

    Parameters
    ----------
    watched
        The instruments by today's token, at most 9,000. None is a feed of hints alone.

    Raises
    ------
    UsageError
        More instruments than Kite streams to one app, or an address without TLS that is not this machine.
    """

    def __init__(
        self, stream: Stream, watched: Mapping[int, Watched], clocks: Clocks, pace: Pace | None = None
    ) -> None:
        if len(watched) > LINKS_MAX * TOKENS_MAX:
            raise UsageError(
                f"{len(watched)} instruments, but Kite streams at most {LINKS_MAX * TOKENS_MAX} to an app",
                hint="Trade fewer, or use a second app.",
            )
        place = urlsplit(stream.base)
        if place.scheme != "wss" and not (place.scheme == "ws" and place.hostname in _LOCAL):
            raise UsageError(f"the stream's address {stream.base!r} is not wss", hint="Correct kite_stream_url.")
        self._stream = stream
        self._clocks = clocks
        self._observer = Observer(watched)
        self._readers: list[PacketReader] = []
        self._waiting: asyncio.Queue[list[Tick] | None] = asyncio.Queue(WAITING_MAX)
        self._hints: asyncio.Queue[str] = asyncio.Queue(HINTS_MAX)
        self._up: set[int] = set()
        self._heard: dict[int, float] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._links = self._divided(list(watched), pace or Pace())
        self._ticks = self._interruptions = 0
        self._last_ns = self._arrived_ns = TsNs(0)
        self._note = ""
        self._broken: BaseException | None = None

    @property
    def counts(self) -> Counts:
        """What came and gave no tick."""
        return self._observer.counts

    async def ticks(self) -> AsyncIterator[Tick]:
        """Yield ticks as they come, from all connections; see the port."""
        self.start()
        while True:
            batch = await self._waiting.get()
            if batch is None:
                break
            for tick in batch:
                yield tick
        if self._broken is not None:
            raise self._broken

    async def hints(self) -> AsyncIterator[str]:
        """Yield order numbers of which something was heard; empty where messages may have been missed."""
        self.start()
        while True:
            yield await self._hints.get()

    def start(self) -> None:
        """Connect, unless that was done before."""
        if not self._tasks:
            warm()
            self._tasks = [asyncio.create_task(link.run()) for link in self._links]
            for task in self._tasks:
                task.add_done_callback(self._ended)

    def health(self) -> FeedHealth:
        """Return how the feed is doing."""
        is_connected = len(self._up) == len(self._links)
        now = self._clocks.seconds()
        silent = max((now - self._heard[number] for number in self._up), default=0.0)
        return FeedHealth(
            is_connected, self._ticks, self._last_ns, self._arrived_ns, self._interruptions,
            "" if is_connected else self._note or "not connected yet", round(silent * SECOND_NS),
        )  # fmt: skip

    async def close(self) -> None:
        """Close the connections; `ticks` ends."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._up.clear()
        self._end()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Pass on what nobody foresaw: a feed that breaks must not look like a quiet one."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._broken = error
            self._end()

    def _end(self) -> None:
        while self._waiting.full():
            self._waiting.get_nowait()
        self._waiting.put_nowait(None)

    # ---- what the links bring

    def joined(self, number: int, tokens: Sequence[int]) -> None:
        """See `link.Listener`."""
        self._up.add(number)
        self._heard[number] = self._clocks.seconds()
        self._observer.subscribed(tokens)
        if number == 0:
            # Messages about orders come on every connection; what came while this one was down is lost.
            self.hint("")

    def lost(self, number: int, why: str) -> None:
        """See `link.Listener`."""
        self._interruptions += number in self._up
        self._up.discard(number)
        self._note = why

    async def frame(self, number: int, data: bytes) -> bool:
        """See `link.Listener`."""
        self._heard[number] = self._clocks.seconds()
        packets = self._readers[number].read(data)
        if not len(packets.rows):
            self._observer.counts.broken += packets.unknown + packets.is_cut
            return False
        now_ns = self._clocks.now_ns()
        found = self._observer.ticks(packets, now_ns)
        if found:
            self._ticks += len(found)
            self._last_ns, self._arrived_ns = found[-1].ts_ns, now_ns
            await self._waiting.put(found)
        return True

    def text(self, data: str) -> None:
        """See `link.Listener`. Types that nobody knows are passed over."""
        try:
            message = msgspec.json.decode(data, type=_Message)
            if message.type == "order":
                self.hint(msgspec.json.decode(message.data, type=_Order).order_id)
            elif message.type in ("error", "message"):
                self._note = f"Kite says: {msgspec.json.decode(message.data)!s:.200}"
        except UNREADABLE:
            self._observer.counts.broken += 1

    def hint(self, order_id: str) -> None:
        """Pass a hint on, also one that came another way; where too many wait they become one that means everything."""
        if self._hints.full():
            while not self._hints.empty():
                self._hints.get_nowait()
            order_id = ""
        self._hints.put_nowait(order_id)

    def _divided(self, tokens: list[int], pace: Pace) -> list[Link]:
        chance = random.Random()  # noqa: S311 # nosec B311 - spreads reconnections, no secret
        stream, clocks = self._stream, self._clocks
        around = Around(self._address, stream.is_open, clocks.seconds, clocks.pause, chance, stream.tls)
        count = max(-(-len(tokens) // TOKENS_MAX), 1)
        self._readers = [PacketReader() for _ in range(count)]
        return [Link(at, tokens[at::count], self, around, pace) for at in range(count)]

    def _address(self) -> str:
        key, token = self._stream.credentials()
        if not key or not token:
            raise SourceError("Kite's stream needs an api key and today's access token", hint="Run `manjha login`.")
        return f"{self._stream.base.rstrip('/')}/?{urlencode({'api_key': key, 'access_token': token})}"
