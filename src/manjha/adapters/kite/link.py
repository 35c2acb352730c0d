"""One connection to Kite's ticker: kept up, watched, and made anew when it is dead, silent or refused.

The address carries the access token, so no words of an error that might repeat it are passed on.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from manjha.domain.errors import SourceError

TOKENS_MAX = 3_000
"""Instruments of one connection (KITE_CONNECT_V3 section 4)."""
FRAME_MAX = 1 << 20
"""Bytes of a frame: twice what 3,000 full packets take. A larger one ends the connection."""
_AT_ONCE = 500
"""Tokens of one message."""
_FORBIDDEN, _TOO_MANY = 403, 429


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How long is waited for what, in seconds.

    `silence` is without any frame: Kite sends a heartbeat about every second, so the link is dead. `stall` is at least
    how long without market data while heartbeats come and the market is open; where data come rarely it is `rarely`
    times their usual distance. `ping` and `pong`: how often a sign of life is asked for, and how long it may take.
    A link is made anew after `first` to `longest`, doubled each time; after a refusal always after `longest`, or when a
    new login is there: that is looked for every `look`.
    """

    silence: float = 7.0
    stall: float = 5.0
    rarely: int = 20
    ping: float = 5.0
    pong: float = 10.0
    open: float = 10.0
    first: float = 1.0
    longest: float = 30.0
    look: float = 1.0


class Listener(Protocol):
    """Who hears what a link brings, in the order in which it came."""

    def joined(self, number: int, tokens: Sequence[int]) -> None:
        """Be told that a link was made, or made anew, and that its tokens were subscribed."""
        ...

    def lost(self, number: int, why: str) -> None:
        """Be told that a link was lost or could not be made."""
        ...

    async def frame(self, number: int, data: bytes) -> bool:
        """Take a binary frame; tell whether it had market data."""
        ...

    def text(self, data: str) -> None:
        """Take a text message."""
        ...


class Around(NamedTuple):
    """What a link needs of its surroundings.

    `address` is asked at each connection, as a login changes it, and may raise `SourceError`. `is_open` tells whether
    data must be expected now. `seconds` is a clock that never jumps, `pause` waits by it. `chance` spreads the moments
    of connecting.
    """

    address: Callable[[], str]
    is_open: Callable[[], bool]
    seconds: Callable[[], float]
    pause: Callable[[float], Awaitable[None]]
    chance: random.Random
    tls: ssl.SSLContext | None


class _Dead(Exception):  # noqa: N818 - it says what the link is
    """The link looks alive and is not."""


class _Refused(Exception):  # noqa: N818
    """The broker does not let us in."""


class _Connect(connect):
    """Follows no redirect: the address has a secret in it, which is for one host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return the redirect as the error that it is."""
        return exc


class Link:
    """One connection for at most `TOKENS_MAX` tokens. `run` never returns; cancel it."""

    def __init__(self, number: int, tokens: Sequence[int], listener: Listener, around: Around, pace: Pace) -> None:
        self.number = number
        self._tokens = list(tokens)
        self._listener = listener
        self._around = around
        self._pace = pace
        self._failures = 0
        self._asked = ""

    async def run(self) -> None:
        """Keep the connection up."""
        while True:
            try:
                await self._connection()
            except (_Refused, SourceError) as refused:
                self._listener.lost(self.number, str(refused))
                await self._wait_for_login()
            except (_Dead, OSError, WebSocketException, TimeoutError) as error:
                self._listener.lost(self.number, _words(error))
                await self._around.pause(self._delay())

    async def _wait_for_login(self) -> None:
        """Wait as long as after a refusal, but no longer than until the address has another login in it."""
        left = self._pace.longest
        while left > 0:
            step = min(self._pace.look, left)
            await self._around.pause(step)
            left -= step
            if left > 0 and self._address() != self._asked:
                return

    def _address(self) -> str:
        """Return the address as it is now; empty where nobody is logged in."""
        try:
            return self._around.address()
        except SourceError:
            return ""

    def _delay(self) -> float:
        """Return how long to wait: doubled each time, half of it by chance, so that links do not come all at once."""
        longest: float = min(self._pace.first * 2**self._failures, self._pace.longest)
        self._failures = min(self._failures + 1, 16)
        return longest * (0.5 + self._around.chance.random() / 2)

    async def _connection(self) -> None:
        pace, self._asked = self._pace, ""
        self._asked = address = self._around.address()
        try:
            socket = await _Connect(
                address,
                additional_headers={"X-Kite-Version": "3"},
                compression=None,
                max_size=FRAME_MAX,
                ping_interval=pace.ping,
                ping_timeout=pace.pong,
                open_timeout=pace.open,
                close_timeout=1,
                logger=_quiet(),
                ssl=self._around.tls if address.startswith("wss:") else None,
            )
        except InvalidStatus as error:
            raise _refusal(error) from None
        try:
            await self._subscribe(socket)
            self._listener.joined(self.number, self._tokens)
            await self._hear(socket)
        finally:
            await socket.close()

    async def _subscribe(self, socket: ClientConnection) -> None:
        for first in range(0, len(self._tokens), _AT_ONCE):
            some = self._tokens[first : first + _AT_ONCE]
            await socket.send(_message("subscribe", some))
            # Which mode a bare subscription has is not documented.
            await socket.send(_message("mode", ["full", some]))

    async def _hear(self, socket: ClientConnection) -> None:
        """Pass on what comes, until the link is dead or stalls."""
        seconds, data_at, usual = self._around.seconds, self._around.seconds(), 0.0
        was_open = False
        while True:
            try:
                # Not `wait_for`: before Python 3.12 it loses a cancellation that comes with a message.
                async with asyncio.timeout(self._pace.silence):
                    message = await socket.recv()
            except TimeoutError:
                raise _Dead(f"nothing came for {self._pace.silence:g} seconds, not even a heartbeat") from None
            now, is_open = seconds(), self._around.is_open()
            if isinstance(message, str):
                self._listener.text(message)
                continue
            self._failures = 0
            if await self._listener.frame(self.number, message):
                usual = (now - data_at) if not usual else usual + 0.1 * (now - data_at - usual)
                data_at = now
            elif is_open and was_open:
                limit = max(self._pace.stall, self._pace.rarely * usual)
                if self._tokens and now - data_at > limit:
                    raise _Dead(f"heartbeats come, but no market data for {limit:.0f} seconds")
            else:
                # Closed markets are silent: the wait for data begins when they open.
                data_at = now
            was_open = is_open


def _message(action: str, value: object) -> str:
    return msgspec.json.encode({"a": action, "v": value}).decode()


def _refusal(error: InvalidStatus) -> Exception:
    status = error.response.status_code
    if status == _FORBIDDEN:
        return _Refused("refused (403): today's login is missing or over, or the plan has no market data")
    if status == _TOO_MANY:
        return _Refused("refused (429): more than three connections of this app are open")
    return _Dead(f"answered with status {status} instead of a stream")


def _words(error: Exception) -> str:
    """Say what happened without what the error may quote of the address."""
    if isinstance(error, _Dead):
        return str(error)
    if isinstance(error, ConnectionClosed):
        code = error.rcvd.code if error.rcvd is not None else error.sent.code if error.sent is not None else 1006
        return f"the connection was closed ({code})"
    if isinstance(error, TimeoutError):
        return "no connection in time"
    if isinstance(error, InvalidHandshake):
        return f"no stream was offered ({type(error).__name__})"
    if isinstance(error, OSError):
        return f"no connection ({error.strerror or type(error).__name__})"
    return f"the stream broke ({type(error).__name__})"


def _quiet() -> logging.Logger:
    """Return a logger that never writes a request line, which has the token in it."""
    logger = logging.getLogger("manjha.kite.link")
    logger.setLevel(logging.CRITICAL)
    return logger
