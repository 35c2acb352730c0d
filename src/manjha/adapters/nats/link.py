"""The way to a NATS server: address, credentials, and what is known of the connection."""

import asyncio
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

from nats.aio.client import Client, RawCredentials
from nats.errors import Error
from nats.js.client import JetStreamContext
from nats.js.errors import APIError

from manjha.domain.errors import SourceError, UsageError
from manjha.domain.streams import LinkState

PATIENCE_S = 5.0
"""How long an answer is waited for: the first connection, and each request of the server."""
AGAIN_S = 1
"""From one attempt to take a lost link up to the next."""
PORT = 4222
_LOCAL = ("127.0.0.1", "localhost", "::1")


class Keys(NamedTuple):
    """What a server may ask for, empty where nothing: a token, or user and password, or the text of a .creds file."""

    token: str = ""
    user: str = ""
    password: str = ""
    creds: str = ""

    def __repr__(self) -> str:
        return "Keys(***)"


class Server(NamedTuple):
    """Where a server is and what it is told. `tls` is for tests with a certificate of their own; verified by the
    system's authorities where None.
    """

    url: str
    keys: Keys = Keys()
    tls: ssl.SSLContext | None = None


class NatsLink:
    """A connection that is taken up again for as long as it takes.

    Raises
    ------
    UsageError
        The address is none, holds a password, or is one of another machine without TLS.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.place = _required(server.url)
        self._client: Client | None = None
        self._streams: JetStreamContext | None = None
        self._interruptions = 0
        self._note = "not connected yet"

    @property
    def state(self) -> LinkState:
        """How the connection is."""
        is_connected = self._client is not None and self._client.is_connected
        return LinkState(is_connected, self._interruptions, "" if is_connected else self._note)

    @property
    def is_closed(self) -> bool:
        """Whether it was let go."""
        return self._client is None or self._client.is_closed

    @property
    def jetstream(self) -> JetStreamContext:
        """The server's JetStream; one object, as it keeps what waits for an answer."""
        if self._streams is None:
            raise SourceError(f"the stream at {self.place} is not open")
        return self._streams

    async def open(self) -> None:
        """Connect. Raises `SourceError` where nobody answers, lets us in, or keeps streams."""
        if self._client is not None:
            return
        client = Client()
        keys, server = self._server.keys, self._server
        tls = server.tls or (ssl.create_default_context() if server.url.startswith("tls://") else None)
        try:
            await asyncio.wait_for(
                client.connect(
                    server.url, name="manjha", allow_reconnect=True, max_reconnect_attempts=-1,
                    reconnect_time_wait=AGAIN_S, connect_timeout=int(PATIENCE_S), tls=tls,
                    token=keys.token or None, user=keys.user or None, password=keys.password or None,
                    user_credentials=RawCredentials(keys.creds) if keys.creds else None,
                    error_cb=self._on_error, disconnected_cb=self._on_loss,
                ),
                PATIENCE_S,
            )  # fmt: skip
        except (Error, OSError, TimeoutError, ValueError) as error:
            self._note = self._why(error)
            await client.close()
            raise SourceError(
                f"no stream at {self.place}: {self._note}",
                hint="Start nats-server there with JetStream (nats-server -js), or correct the address or its keys.",
            ) from None
        self._client, self._streams = client, client.jetstream(timeout=PATIENCE_S)
        await self._require_streams()

    async def close(self) -> None:
        """Let go of it."""
        client = self._client
        if client is not None and not client.is_closed:
            await client.close()
        self._note = "closed"

    async def _require_streams(self) -> None:
        try:
            await self.jetstream.account_info()
        except (APIError, Error, TimeoutError) as error:
            await self.close()
            raise SourceError(
                f"the NATS server at {self.place} keeps no streams: {self._why(error)}",
                hint="JetStream is off there: start it with nats-server -js, or allow it to this user.",
            ) from None

    async def _on_error(self, error: Exception) -> None:
        self._note = self._why(error)

    async def _on_loss(self) -> None:
        self._interruptions += 1
        self._note = f"the link to {self.place} was lost"

    def _why(self, error: BaseException) -> str:
        """Say what went wrong; what the server said before says more than that it took too long."""
        if isinstance(error, TimeoutError) and self._note != "not connected yet":
            return self._note
        if isinstance(error, TimeoutError):
            return f"no answer within {PATIENCE_S:.0f} s"
        if isinstance(error, APIError):
            return str(error.description or error)
        return str(error) or type(error).__name__


def _required(url: str) -> str:
    """Return host and port of an address, for messages."""
    try:
        found = urlsplit(url)
        port = found.port or PORT
    except ValueError:
        found, port = urlsplit(""), 0
    if found.password or found.username:
        raise UsageError(
            "the stream's address holds a user or a password, which others see in a list of processes",
            hint="Give the address alone; set MANJHA_STREAM_TOKEN, or MANJHA_STREAM_USER and MANJHA_STREAM_PASSWORD.",
        )
    if not found.hostname or not (found.scheme == "tls" or (found.scheme == "nats" and found.hostname in _LOCAL)):
        raise UsageError(
            f"expected the stream's address as tls://HOST:PORT, or nats:// on this machine, was {url!r}",
            hint="A server elsewhere needs TLS: prices that anybody could change would be traded on.",
        )
    return f"{found.hostname}:{port}"
