"""A broker that lives in a process of its own, and goes on whatever becomes of the traders.

Run as `python -m tests.crash.broker_process FOLDER SEED JOURNAL ACCOUNT`; it says on stdout at which port of this
machine it listens. A request is a line of JSON. Each one is written to FOLDER/broker.log before anything is done about
it, with what stood in the trader's journal at that moment, looked up there by itself. Its book, matching and faults
share no code with the core.
"""

import asyncio
import json
import os
import re
import sqlite3
import sys
import time
from collections import deque
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.orders import OrderType, Product
from tests.crash.market import CLOSE_NS, SHARES, MarketClock, ticks_of
from tests.simulation.broker import FakeBroker, Placed
from tests.simulation.world import FAULTS, World

TURN_S = 0.004
TAG = re.compile(rb"K[0-9A-HJKMNP-TV-Z]{19}")
INTENTS = (
    "SELECT seq, payload FROM journal WHERE account = ? AND seq > ? AND kind = 'Approved.SubmitOrder' ORDER BY seq"
)
EPOCH = "SELECT epoch FROM journal_heads WHERE account = ?"
LIKELY = {
    "part_fill": 0.3, "fill_in_cancel": 0.1, "fill_after_cancel": 0.05, "odd_status": 0.02, "cancel_refused": 0.05,
    "modify_ignored": 0.05, "slow_cancel": 0.05,
}  # fmt: skip
"""How the book behaves, by the fault names of the simulation."""
UNSURE = "Order request timed out. Please check the order book and confirm before placing again."
LATE_S = {"lands late": (10.0, 120.0), "lands very late": (200.0, 400.0)}
"""Seconds of the market after which an order lands late: within the time that it is looked for, and after that."""
FATES: tuple[tuple[float, str], ...] = (
    (0.04, "answer lost"), (0.04, "cut after acceptance"), (0.03, "request lost"), (0.03, "lands late"),
    (0.004, "lands very late"), (0.03, "refused"), (0.02, "400 and perhaps there"), (0.02, "502 and perhaps there"),
    (0.02, "garbage"), (0.02, "too many"),
)  # fmt: skip
"""What becomes of an order request, and how often; of the rest all goes well."""


class JournalEye:
    """Looks into the trader's journal, as an outsider to whom only what is committed shows."""

    def __init__(self, where: str, account: str) -> None:
        self._where, self._account = where, account
        self._raw: Any = None
        self._seen = 0
        self._tags: set[str] = set()

    def look(self, tag: str) -> tuple[bool, int]:
        """Tell whether an intent of this tag is in the journal, and the journal's epoch."""
        for seq, payload in self._asked(INTENTS, (self._account, self._seen)):
            self._seen = seq
            self._tags |= {found.decode() for found in TAG.findall(bytes(payload))}
        ((epoch,),) = self._asked(EPOCH, (self._account,))
        return tag in self._tags, epoch

    def _asked(self, words: str, values: tuple[object, ...]) -> list[Any]:
        if self._raw is None:
            if "://" in self._where:
                import psycopg

                self._raw = psycopg.connect(self._where, autocommit=True)
            else:
                self._raw = sqlite3.connect(f"file:{self._where}?mode=ro", uri=True, isolation_level=None, timeout=5)
        if "://" in self._where:
            words = words.replace("?", "%s")
        return list(self._raw.execute(words, values).fetchall())


class Broker:
    """The book, the faults, and the door."""

    def __init__(self, folder: Path, seed: int, where: str, account: str) -> None:
        self.clock = MarketClock(folder / "clock")
        self.world = World(seed, self.clock.now_ns())
        self.world.levels = dict.fromkeys(FAULTS, 0.0) | LIKELY
        self.rng = self.world.rng
        self.ticks = deque(ticks_of(seed))
        self.book = FakeBroker(self.world, {share.id: 5_000_000 for share in SHARES})
        self.eye = JournalEye(where, account)
        self.hears: set[asyncio.StreamWriter] = set()
        self._log = os.open(folder / "broker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    # ---- time

    async def live(self) -> None:
        """Let the market go on."""
        while True:
            self._turn()
            await asyncio.sleep(TURN_S)

    def _turn(self) -> None:
        now_ns, moved = self.clock.now_ns(), False
        while self.ticks and self.ticks[0].ts_ns <= now_ns:
            tick, moved = self.ticks.popleft(), True
            self.book.marks[tick.instrument] = tick.px
        while self.world.next_ns() <= now_ns:
            self.world.step()
        self.world.now_ns = max(self.world.now_ns, now_ns)
        if moved and self.book.is_open:
            self.book.market_moved()
        if now_ns >= CLOSE_NS and self.book.is_open:
            self.book.close_market()
        hinted, self.book.hinted = self.book.hinted, []
        for writer in self.hears:
            writer.writelines(f"{number}\n".encode() for number in hinted)

    # ---- the door

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        with suppress(ConnectionError):
            line = await reader.readline()
            if not line.endswith(b"\n"):
                self._write_down({"do": "cut", "bytes": len(line)})
            elif line == b'{"do":"hints"}\n':
                self.hears.add(writer)
                await reader.read()
            else:
                await self._done(json.loads(line), writer)
        self.hears.discard(writer)
        with suppress(ConnectionError):
            writer.close()
            await writer.wait_closed()

    async def _done(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        what = request["do"]
        if what in ("place", "cancel", "modify"):
            await self._order(request, writer)
            return
        if what == "heal":
            self.world.is_healed = True
        shown: dict[str, Any] = {
            "orders": self.book.shown, "trades": self.book.trades, "positions": self.book.held, "heal": list,
        }  # fmt: skip
        writer.write(msgspec.json.encode(shown[what]()) + b"\n")
        await writer.drain()

    async def _order(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        self._turn()
        known, epoch = self.eye.look(request.get("tag", ""))
        self._write_down(request | {"journaled": known, "epoch": epoch})
        fate = "as usual" if self.world.is_healed or not self.book.is_open else self._fate(request)
        answer = self._carried_out(request, fate)
        await asyncio.sleep(self.rng.random() * 0.02)
        if answer is None:
            if fate in ("answer lost", "request lost"):
                # Silence: who asked gives up by itself.
                await asyncio.sleep(2)
            return
        writer.write(answer + b"\n")
        await writer.drain()

    def _fate(self, request: dict[str, Any]) -> str:
        draw = self.rng.random()
        for share, fate in FATES:
            draw -= share
            if draw < 0:
                if request["do"] != "place" and fate not in ("answer lost", "request lost"):
                    return "as usual"
                return fate
        return "as usual"

    def _carried_out(self, request: dict[str, Any], fate: str) -> bytes | None:
        """Do what is asked, or not, now or later; return the answer, None for none."""
        said: dict[str, bytes | None] = {
            "request lost": None, "lands late": None, "lands very late": None,
            "refused": _answer(400, "MarginException", fate), "too many": _answer(429, "NetworkException", fate),
            "400 and perhaps there": _answer(400, "InputException", UNSURE),
            "502 and perhaps there": _answer(502, "", "Bad Gateway"),
        }  # fmt: skip
        if fate in LATE_S:
            self.world.after(self.rng.uniform(*LATE_S[fate]), partial(self._lands, request))
        elif "perhaps" in fate and self.rng.random() < 0.5:
            self._place(request)
        if fate in said:
            return said[fate]
        number, why = getattr(self, f"_{request['do']}")(request)
        answer = _answer(400, "InputException", why) if why else _answer(200, "", "", number)
        return {"answer lost": None, "cut after acceptance": None, "garbage": b"<html>"}.get(fate, answer)

    def _lands(self, request: dict[str, Any]) -> None:
        self._place(request)

    def _place(self, request: dict[str, Any]) -> tuple[str, str]:
        if not self.book.is_open:
            return "", "the market is closed"
        placed = Placed(
            self.book.new_id(), request["tag"], InstrumentId(request["instrument"]), request["side"], request["qty"],
            OrderType(request["type"]), Product(request["product"]), request["limit"], request["trigger"],
            changed_ns=self.world.now_ns,
        )  # fmt: skip
        self.book.enter(placed)
        return placed.broker_id, ""

    def _cancel(self, request: dict[str, Any]) -> tuple[str, str]:
        return request["number"], self.book.cancel(request["number"])

    def _modify(self, request: dict[str, Any]) -> tuple[str, str]:
        number, qty, limit, trigger = (request[name] for name in ("number", "qty", "limit", "trigger"))
        return number, self.book.modify(number, qty, limit, trigger)

    def _write_down(self, what: dict[str, Any]) -> None:
        line = what | {"mono_ns": time.monotonic_ns(), "market_ns": self.world.now_ns}
        os.write(self._log, json.dumps(line).encode() + b"\n")


def _answer(status: int, kind: str, words: str, number: str = "") -> bytes:
    return json.dumps({"status": status, "kind": kind, "words": words, "number": number}).encode()


async def main(folder: Path, seed: int, where: str, account: str) -> None:
    broker = Broker(folder, seed, where, account)
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        # Whoever started it closes its stdin to end it.
        lives = asyncio.create_task(broker.live())
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), ended.set)
        await asyncio.wait([lives, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
        lives.cancel()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
