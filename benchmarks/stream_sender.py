"""Sends full packets of 9,000 instruments and messages about orders, as Kite's ticker does: a process of `feed_load`.

It prints its port, waits on its input for one line of JSON (`Given`), sends by a clock that does not jump, writes when
each frame left, and prints how much it sent. Frames are made before: only stamp, volume and price change.
"""

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

PACKET = np.dtype(
    {
        "names": ["length", "token", "last", "volume", "traded_s", "stamp_s", "close", "depth_qty", "depth_px"],
        "formats": [">u2", ">u4", ">i4", ">u4", ">u4", ">u4", ">i4", (">u4", 1), (">i4", 1)],
        "offsets": [0, 2, 6, 18, 46, 62, 42, 66, 70],
        "itemsize": 186,
    }
)
LENGTH = 184
ROUNDS_A_SECOND = 3


class Given(NamedTuple):
    """What is sent: `per_frame` packets a frame, rounds over all instruments, hints a second; the market's time is
    `offset_ns` ahead of the clock. `log` is the file for the moments of sending."""

    per_frame: int
    rounds: int
    hints: int
    offset_ns: int
    log: str


def token_of(number: Any) -> Any:
    """Return the token of the n-th instrument: a share's, on NSE."""
    return (number + 1) << 8 | 1


def price_of(number: Any, turn: Any) -> Any:
    """Return a price in paise that changes with every packet of an instrument."""
    return 10_000 + number % 1_000 * 5 + turn % 7 * 5


def frames_of(numbers: NDArray[np.int64], per_frame: int) -> list[NDArray[Any]]:
    """Return the packets of each frame of a link, without what changes."""
    made = []
    for at in range(0, len(numbers), per_frame):
        some = numbers[at : at + per_frame]
        packets = np.zeros(len(some), PACKET)
        packets["length"], packets["token"] = LENGTH, token_of(some)
        packets["close"] = price_of(some, 0)
        made.append(packets)
    return made


class Sender:
    """The server's side of the three links."""

    def __init__(self) -> None:
        self.links: list[tuple[ServerConnection, NDArray[np.int64]]] = []
        self.sent = self.hints = self.behind_ns = 0

    async def serve(self, socket: ServerConnection) -> None:
        """Take what a link subscribes to, and keep it until it goes."""
        tokens: dict[int, None] = {}
        async for message in socket:
            asked = json.loads(message)
            if asked["a"] == "subscribe":
                tokens.update(dict.fromkeys(asked["v"]))
            if len(tokens) >= self.expected and not any(link[0] is socket for link in self.links):
                self.links.append((socket, np.array([token >> 8 for token in tokens], np.int64) - 1))

    expected = 1

    async def beat(self) -> None:
        """Show that the links live, until there is something to send."""
        while True:
            for socket, _ in self.links:
                await socket.send(b"\x00")
            await asyncio.sleep(1)

    async def send(self, given: Given) -> None:
        """Send all rounds, evenly spread, each frame at its moment."""
        plans = [frames_of(numbers, given.per_frame) for _, numbers in self.links]
        slots = len(plans[0])
        log = np.zeros((len(plans), given.rounds, slots), np.int64)
        gap_ns = 10**9 // (ROUNDS_A_SECOND * slots)
        began_ns = time.monotonic_ns() + 100_000_000
        hinting = asyncio.create_task(self._hint(given))
        for turn in range(given.rounds):
            for slot in range(slots):
                due_ns = began_ns + (turn * slots + slot) * gap_ns
                await asyncio.sleep(max(due_ns - time.monotonic_ns(), 0) / 1e9)
                for at, (socket, _) in enumerate(self.links):
                    now_ns = time.monotonic_ns()
                    log[at, turn, slot] = now_ns
                    body = _frame(plans[at][slot], turn, (now_ns + given.offset_ns) // 10**9)
                    self.sent += len(plans[at][slot])
                    with suppress(ConnectionClosed):
                        # Who is cut off does not get it, and is found out by what is missing.
                        await socket.send(body)
                    self.behind_ns = max(self.behind_ns, now_ns - due_ns)
        hinting.cancel()
        np.save(given.log, log)

    async def _hint(self, given: Given) -> None:
        """Tell of orders, on the first link."""
        began = time.monotonic()
        while True:
            self.hints += 1
            text = json.dumps({"type": "order", "data": {"order_id": f"{self.hints}"}})
            with suppress(ConnectionClosed):
                await self.links[0][0].send(text)
            await asyncio.sleep(max(began + self.hints / given.hints - time.monotonic(), 0))


def _frame(packets: NDArray[Any], turn: int, stamp_s: int) -> bytes:
    numbers = (packets["token"].astype(np.int64) >> 8) - 1
    packets["last"], packets["volume"] = price_of(numbers, turn), turn + 1
    packets["stamp_s"] = packets["traded_s"] = stamp_s
    return len(packets).to_bytes(2, "big") + packets.tobytes()


async def main(expected: int) -> None:
    """Serve until all was sent and the client has gone."""
    sender = Sender()
    sender.expected = expected
    async with serve(sender.serve, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        beats = asyncio.create_task(sender.beat())
        given = Given(*json.loads(await asyncio.to_thread(sys.stdin.readline)))
        beats.cancel()
        await sender.send(given)
        told = {"sent": sender.sent, "hints": sender.hints, "behind_ms": sender.behind_ns / 1e6}
        print(json.dumps(told), flush=True)
        await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
