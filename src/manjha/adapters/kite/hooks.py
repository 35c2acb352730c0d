"""Listens on this machine for postbacks that a web server of the user's passes on; each is at most a hint."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from manjha.adapters.kite.listener import Listener
from manjha.adapters.kite.postback import BODY_MAX
from manjha.ports.hook_receiver import HookReceiver

HEAD_MAX = 8_192
PATIENCE_S = 5.0
"""How long a message may take to come."""
AT_ONCE = 16
"""Connections; more are closed unread, for what they would say is read from the account anyway."""
_TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class PostbackListener:
    """Use it as `async with`. Whoever asks gets the same answer: nobody learns what is believed.

    Parameters
    ----------
    port
        0 takes any that is free; `port` tells which.
    hint
        Hears the number of an order that is worth a read.
    """

    def __init__(self, port: int, receiver: HookReceiver, hint: Callable[[str], None]) -> None:
        otherwise = "set kite.postback_port to another, or leave it out: postbacks are optional"
        self._listener = Listener(port, self._serve, otherwise, HEAD_MAX)
        self._receiver = receiver
        self._hint = hint
        self._open = 0

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._listener.port

    async def __aenter__(self) -> "PostbackListener":
        await self._listener.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._listener.__aexit__(*error)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= AT_ONCE:
                async with asyncio.timeout(PATIENCE_S):
                    order = self._receiver.received(await _body(reader))
                    writer.write(_TAKEN)
                    await writer.drain()
                if order is not None:
                    self._hint(order)
        except (TimeoutError, OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            return
        finally:
            self._open -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _body(reader: asyncio.StreamReader) -> bytes:
    """Return the body of a request. Raises `ValueError` for one that is none or says that it is too long."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    lengths = [line.partition(":")[2].strip() for line in head.split("\r\n") if line.startswith("content-length:")]
    if not head.startswith("post ") or len(lengths) != 1 or not lengths[0].isdecimal() or int(lengths[0]) > BODY_MAX:
        raise ValueError
    return await reader.readexactly(int(lengths[0]))
