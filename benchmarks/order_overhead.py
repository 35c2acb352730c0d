"""What an order costs, ours and the official client's: `python -m benchmarks.order_overhead [ORDERS]`.

One exchange server, in a process of its own, and two clients of it, in turns of twenty orders: the official Python
client in its own environment (`place_order`), and a trader of ours as `manjha trade --live` puts it together. Both
place the same order, which rests far from the market, wait for its answer, and cancel it unmeasured. Ours is measured
from the strategy's word to the answer booked in the engine: gate with all controls, rows of the journal on disk
(SQLite, synced in full), outbox, last look, request, answer, its row. A bare socket that sends bytes made before tells
what of both is the server's own time, in the turns of each: in ours the server sends ticks to the trader meanwhile,
and its strategy speaks at any moment of a second, as the official client does. What ours waits for the disk is told
apart, as that is the machine's, and beside it how long 4 kB take to be on it in the same minutes: no journal is
faster. The processor's time of both is told too, for a machine that has other work. The exchange's day passes `SPEED`
times as fast as real time, so that the limits of orders a second and a minute hold and nobody waits for them.
"""

import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

import numpy as np

from benchmarks.exchange_process import KEY, RESTING, exchange_process, logged_in
from benchmarks.frames import OFFICIAL
from benchmarks.live_account import ACCOUNT, at_exchange, begun, loop_of, wide_limits
from manjha.adapters.files.rule_tables import load_rules
from manjha.app.trading.outbox import Command
from manjha.app.trading.set_aside import set_aside
from manjha.app.trading.trader import Trader
from manjha.domain.bars import Interval
from manjha.domain.broker import Outcome, Sent
from manjha.domain.commands import SubmitOrder
from manjha.domain.moments import SECOND_NS, TsNs, day_of
from manjha.domain.money import Qty
from manjha.domain.orders import Product
from manjha.domain.sizing import FixedQty
from manjha.engine.bars import empty_bars
from manjha.research.backtest import BacktestSpec
from manjha.services.live_runs import LiveTape
from manjha.simulator.synthetic import default_spec
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy

GOALS = {50: 0.5, 99: 0.7}
SPEED = 40
TURN = 20
"""Orders of one client before the other's turn."""
REST = 2
"""Bars from one order to the next at least, so that the reads that it brings are over: the others bring none."""
BARE = "BARE01"
"""Who places the orders over the bare socket in our turns."""
STEP_NS = 618_033_989
"""From the moment of one second to that of the next, in ns: by the golden section they are spread evenly."""
SECOND = Interval(1)
THEIRS = """
import json, socket, sys, time
from kiteconnect import KiteConnect

root, host, key, token, order, form = json.loads(sys.stdin.readline())
kite = KiteConnect(key, access_token=token, root=root)
address, port = host.split(":")
head = f"POST /orders/regular HTTP/1.1\\r\\nHost: {host}\\r\\nAuthorization: token {key}:{token}\\r\\n"
head += "X-Kite-Version: 3\\r\\nContent-Type: application/x-www-form-urlencoded\\r\\n"
request = f"{head}Content-Length: {len(form)}\\r\\n\\r\\n{form}".encode()

def placed():
    spent, began = time.process_time_ns(), time.perf_counter_ns()
    number = kite.place_order("regular", **order)
    took = time.perf_counter_ns() - began
    rows["official_cpu"].append(time.process_time_ns() - spent)
    return took, number

def sent():
    began = time.perf_counter_ns()
    bare.sendall(request)
    answer = bare.recv(65536)
    while not answer.endswith(b"}"):
        part = bare.recv(65536)
        assert part, answer
        answer += part
    took = time.perf_counter_ns() - began
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return took, json.loads(answer.partition(b"\\r\\n\\r\\n")[2])["data"]["order_id"]

def settled(number):
    for _ in range(200):
        time.sleep(0.01)
        try:
            return kite.cancel_order("regular", number)
        except Exception:
            pass
    raise SystemExit("an order was never open")

for line in sys.stdin:
    rows = {"official": [], "official_cpu": [], "bare": []}
    # The server closes what is idle for long: both begin their turn with a connection that is open.
    kite.profile()
    bare = socket.create_connection((address, int(port)))
    bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(int(line)):
        for name, place in (("official", placed), ("bare", sent)):
            took, number = place()
            rows[name].append(took)
            settled(number)
    print(json.dumps(rows), flush=True)
"""


class Turns:
    """Whose turn it is, and what was measured, in ns."""

    is_ours = True
    asked = decided = waited = rested = seconds = processor = 0
    ours: ClassVar[list[int]] = []
    disk: ClassVar[list[int]] = []
    theirs: ClassVar[dict[str, list[int]]] = {"official": [], "official_cpu": [], "bare": []}
    spent: ClassVar[list[int]] = []
    beside: ClassVar[list[int]] = []
    synced: ClassVar[list[int]] = []
    ended: ClassVar[asyncio.Event]
    bare: ClassVar["BareSocket"]


class BareSocket:
    """Sends an order as bytes that were made before, and waits for its answer, with everything else at a stand."""

    def __init__(self, host: str, token: str) -> None:
        self._place = host.split(":")
        self._head = f"Host: {host}\r\nAuthorization: token {KEY}:{token}\r\nX-Kite-Version: 3\r\n"
        form = urlencode(RESTING)
        kind = "Content-Type: application/x-www-form-urlencoded"
        said = f"POST /orders/regular HTTP/1.1\r\n{self._head}{kind}\r\nContent-Length: {len(form)}\r\n\r\n{form}"
        self._order = said.encode()
        self._open: socket.socket | None = None
        self._number = ""

    def turn(self) -> bool:
        """Place an order and measure it, or cancel the one before; tell whether one was placed."""
        if self._open is None:
            self._open = socket.create_connection((self._place[0], int(self._place[1])))
            self._open.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return False
        if self._number:
            cancel = f"DELETE /orders/regular/{self._number} HTTP/1.1\r\n{self._head}\r\n"
            if self._said(cancel.encode()).startswith(b"HTTP/1.1 200"):
                self._number = ""
            return False
        began = time.perf_counter_ns()
        answer = self._said(self._order)
        Turns.beside.append(time.perf_counter_ns() - began)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        self._number = json.loads(answer.partition(b"\r\n\r\n")[2])["data"]["order_id"]
        return True

    def close(self) -> None:
        """Close it, as the server does with what is idle for long."""
        if self._open is not None:
            self._open.close()
        self._open = None

    def _said(self, request: bytes) -> bytes:
        assert self._open is not None
        self._open.sendall(request)
        answer = self._open.recv(65536)
        while not answer.endswith(b"}"):
            part = self._open.recv(65536)
            assert part, answer
            answer += part
        return answer


class Rests(Strategy):
    """An order far below the market in one second, its cancel once it is known at the broker."""

    name = "rests"
    product = Product.CNC

    def on_bar(self, ctx: Context) -> None:
        """Wait for a moment of the second that has begun: all of them in turn, as the server is busy at its ends."""
        Turns.seconds += 1
        ctx.set_timer("speak", ctx.now_ns + Turns.seconds * STEP_NS % SECOND_NS)

    def on_timer(self, ctx: Context, key: str) -> None:
        """Ask for one or cancel it, the bare socket in between; nothing while others have their turn."""
        del key
        Turns.rested += 1
        if ctx.working or Turns.rested < REST:
            ctx.cancel()
        elif Turns.is_ours and len(Turns.beside) < Turns.asked:
            Turns.bare.turn()
        elif Turns.is_ours:
            Turns.rested = 0
            Turns.asked += 1
            if Turns.asked % TURN == 0:
                Turns.is_ours = False
            Turns.waited, Turns.processor, Turns.decided = 0, time.process_time_ns(), time.perf_counter_ns()
            ctx.buy(1, limit=float(RESTING["price"]))  # type: ignore[arg-type]
        else:
            Turns.ended.set()


def watch() -> None:
    """Measure when an order's answer is booked, and how long the rows before it took to be on disk."""
    answered, commit = Trader.answered, LiveTape.commit

    def committed(tape: LiveTape) -> object:
        began = time.perf_counter_ns()
        head = commit(tape)
        Turns.waited += time.perf_counter_ns() - began
        return head

    def booked(trader: Trader, command: Command, outcome: Outcome, ts_ns: TsNs) -> None:
        answered(trader, command, outcome, ts_ns)
        if isinstance(command.command, SubmitOrder):
            Turns.ours.append(time.perf_counter_ns() - Turns.decided)
            Turns.spent.append(time.process_time_ns() - Turns.processor)
            Turns.disk.append(Turns.waited)
            assert isinstance(outcome, Sent), outcome

    Trader.answered = booked  # type: ignore[method-assign,assignment]
    LiveTape.commit = committed  # type: ignore[method-assign,assignment]


def one_sync(folder: Path) -> int:
    """Return how long it takes until 4 kB more of a file are on the disk, in ns."""
    with (folder / "synced").open("ab", buffering=0) as file:
        began = time.perf_counter_ns()
        file.write(bytes(4096))
        os.fsync(file.fileno())
        return time.perf_counter_ns() - began


async def taking_turns(host: str, turns: int, folder: Path) -> None:
    """Let the other clients have their turn whenever ours has ended, so often."""
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(str(OFFICIAL), "-c", THEIRS, stdin=pipe, stdout=pipe)
    assert other.stdin is not None
    assert other.stdout is not None
    try:
        given = (f"http://{host}", host, KEY, logged_in(host, "OTHER1"), RESTING, urlencode(RESTING))
        other.stdin.write(json.dumps(given).encode() + b"\n")
        for _ in range(turns):
            await Turns.ended.wait()
            Turns.bare.close()
            Turns.synced += [one_sync(folder) for _ in range(TURN)]
            other.stdin.write(f"{TURN}\n".encode())
            for name, took in json.loads(await other.stdout.readline()).items():
                Turns.theirs[name] += took
            Turns.ended.clear()
            Turns.is_ours = True
    finally:
        other.kill()
        await other.wait()


async def traded(host: str, token: str, folder: Path, turns: int) -> None:
    """Trade, in turns with the others."""
    Turns.ended = asyncio.Event()
    Turns.bare = BareSocket(host, logged_in(host, BARE))
    watch()
    async with at_exchange(f"http://{host}", token, SPEED) as kite:
        rules, today = load_rules(), day_of(kite.now_ns())
        market = default_spec(7, today, today)
        share = next(one.instrument for one in market.instruments if one.instrument.symbol == RESTING["tradingsymbol"])
        spec = BacktestSpec(
            strategy=Rests(), bars=(empty_bars(share.id, SECOND),), instruments=(share,), rules=rules,
            sizing=FixedQty(Qty(1)), controls=wide_limits((share.id,)),
        )  # fmt: skip
        session, feed = await begun(kite, spec, folder)
        loop = loop_of(kite, session, feed, folder)
        with set_aside():
            running = asyncio.ensure_future(loop.run())
            others = asyncio.ensure_future(taking_turns(host, turns, folder))
            await asyncio.wait((running, others), return_when=asyncio.FIRST_COMPLETED)
            loop.stop()
            await asyncio.gather(running, others)
        Turns.bare.close()


def main(orders: str = "600") -> int:
    """Measure and print a row; the exit code is 1 when a goal is missed."""
    further = ("--speed", str(SPEED), "--user", ACCOUNT, "--user", "OTHER1", "--user", BARE)
    with exchange_process(further) as served, tempfile.TemporaryDirectory() as folder:
        token = logged_in(served.host, ACCOUNT)
        asyncio.run(traded(served.host, token, Path(folder), max(int(orders) // TURN, 1)))
    row = told(Turns.ours, Turns.disk)
    print(json.dumps(row))
    return int(not row["met"])


def told(ours: Sequence[int], disk: Sequence[int]) -> dict[str, Any]:
    """Return percentiles in ms, and ratios: of whole times, above the bare socket's, and without the disk's part."""
    measured = {
        **Turns.theirs, "ours": ours, "ours_cpu": Turns.spent, "disk": disk,
        "bare_beside": Turns.beside, "one_sync": Turns.synced, "rest": np.array(ours) - np.array(disk),
    }  # fmt: skip
    row: dict[str, Any] = {"workload": "order overhead", "orders": [len(ours), len(measured["official"])]}
    for part in GOALS:
        at = {name: float(np.percentile(taken, part)) / 1e6 for name, taken in measured.items()}
        row |= {f"{name}_ms_p{part}": value for name, value in at.items()}
        row[f"ratio_cpu_p{part}"] = at["ours_cpu"] / at["official_cpu"]
        us, them, server = at["ours"], at["official"], at["bare"]
        row |= {f"ratio_p{part}": us / them, f"ratio_without_disk_p{part}": at["rest"] / them}
        row[f"ratio_above_server_p{part}"] = (us - at["bare_beside"]) / (them - server)
        row[f"ratio_above_server_without_disk_p{part}"] = (at["rest"] - at["bare_beside"]) / (them - server)
    met = all(row[f"ratio_p{part}"] <= goal for part, goal in GOALS.items())
    return row | {"goals": list(GOALS.values()), "met": met}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
