"""A hundred clients of the exchange's ticker while orders go on: `python -m benchmarks.stream_clients [ORDERS]`.

The exchange server, in a process of its own, has 200 shares and 34 apps; each of the hundred clients, which live in
this process, subscribes to all 200 in full mode. A client in a third process places orders one after the other, alone
first, then beside the streams. Told are packets a second as they arrive, how regularly frames come (the exchange sends
four times a second), orders a second, and the processor's time of the server. Some frames are kept and read by our
decoder and by the official client's; what they disagree on is an error.
"""

import asyncio
import csv
import http.client
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from websockets.asyncio.client import connect

from benchmarks.exchange_process import DAY, KEY, SECRET, exchange_process, logged_in
from benchmarks.frames import OFFICIAL
from manjha.adapters.kite.packets import LAST, TOKEN, VOLUME, PacketReader

CLIENTS, TOKENS, APPS = 100, 200, 34
ORDERS_GOAL = 300
PER_BAR = 180
"""Ticks a minute of each share: three a second."""
KEPT_EVERY = 97
WARM_S = 2.0
READ = """
import json, sys
from kiteconnect import KiteTicker
ticker = KiteTicker("key", "token")
found = [ticker._parse_binary(bytes.fromhex(frame)) for frame in json.load(sys.stdin)]
fields = lambda one: (one["instrument_token"], one["last_price"], one["volume_traded"], len(one["depth"]["buy"]))
json.dump([[fields(one) for one in ticks] for ticks in found], sys.stdout)
"""


def serve() -> None:
    """Serve the exchange of this benchmark: what the process of its own does."""
    import msgspec

    from manjha.adapters.files.rule_tables import load_rules
    from manjha.domain.instrument import Asset, Exchange, Instrument, Kind, cash_id
    from manjha.domain.moments import HOUR_NS, TradingDay, at, parse_day
    from manjha.domain.money import RUPEE, Cash, Px
    from manjha.exchange.accounts.users import App, User
    from manjha.exchange.application import create_app
    from manjha.exchange.clock import Time
    from manjha.exchange.exchange import Founding, found
    from manjha.exchange.market.sources import BarDays
    from manjha.exchange.serving import listening, server_of
    from manjha.exchange.switches import switched
    from manjha.simulator.synthetic import MarketSpec, SyntheticShare, default_spec, exchange_sessions, generate

    rules, day = load_rules(), parse_day(DAY)
    like = default_spec(7, TradingDay(day - 2), day)
    base = like.instruments[0]
    assert isinstance(base, SyntheticShare)
    made = []
    for number in range(TOKENS):
        named = "MANJHA" if not number else f"S{number:04d}"
        one = Instrument(
            id=cash_id("NSE", f"INE{number:09d}"), symbol=named, exchange=Exchange.NSE, kind=Kind.EQUITY,
            asset=Asset.EQUITY, tick=Px(500),
        )  # fmt: skip
        made.append(msgspec.structs.replace(base, instrument=one))
    spec: MarketSpec = msgspec.structs.replace(like, instruments=tuple(made))
    bars = generate(spec, exchange_sessions(rules, spec))
    source = BarDays(tuple(one.instrument for one in spec.instruments), bars, 7, PER_BAR)
    apps = [App(api_key=key_of(number), api_secret=SECRET) for number in range(APPS)]
    user = User(user_id="SIM001", cash=Cash(10**9 * RUPEE))
    founding = Founding(
        rules, source, [day], apps, [user], 7, switched({"orders-a-day": "off"}), limits=False, auto_login=True
    )
    exchange = found(founding, at(day, 10 * HOUR_NS))
    clock = Time(exchange, time.monotonic_ns, exchange.now_ns, 1.0)
    listener = listening("127.0.0.1", 0)
    sys.stderr.write(f"on http://127.0.0.1:{listener.getsockname()[1]}; \n")
    sys.stderr.flush()
    server_of(create_app(exchange, clock)).run([listener])


def key_of(number: int) -> str:
    """Return the key of an app; three clients may share one."""
    return f"app{number}" if number else KEY


class Heard:
    """What the clients have received: packets, moments of frames by client, and some frames."""

    def __init__(self) -> None:
        self.packets = self.frames = 0
        self.gaps: list[float] = []
        self.kept: list[bytes] = []
        self.counts = False

    def take(self, message: bytes, last: float) -> float:
        """Take a frame that a client received, and return when."""
        now = time.monotonic()
        count = int.from_bytes(message[:2], "big") if len(message) > 1 else 0
        if self.counts and count:
            self.packets += count
            self.frames += 1
            self.gaps.append(now - last)
            if self.frames % KEPT_EVERY == 0:
                self.kept.append(message)
        return now if count else last


async def client(root: str, key: str, token: str, tokens: list[int], heard: Heard) -> None:
    """Be one client, until cancelled."""
    query = urlencode({"api_key": key, "access_token": token})
    async with connect(f"ws://{root}/?{query}", compression=None, max_size=None, ping_interval=None) as socket:
        await socket.send(json.dumps({"a": "subscribe", "v": tokens}))
        await socket.send(json.dumps({"a": "mode", "v": ["full", tokens]}))
        last = time.monotonic()
        async for message in socket:
            if isinstance(message, bytes):
                last = heard.take(message, last)


async def streamed(host: str, pid: int, orders: int) -> dict[str, Any]:
    """Let all clients listen while orders go on; return what was heard and what it cost."""
    alone = await placed(host, orders)
    heard, tokens = Heard(), tokens_of(host)
    logins = [logged_in(host, key=key_of(number)) for number in range(APPS)]
    clients = [
        asyncio.create_task(client(host, key_of(at // 3), logins[at // 3], tokens, heard)) for at in range(CLIENTS)
    ]
    await asyncio.sleep(WARM_S)
    heard.counts, began, spent = True, time.monotonic(), processor_s(pid)
    beside = await placed(host, orders)
    took, spent = time.monotonic() - began, processor_s(pid) - spent
    heard.counts = False
    for task in clients:
        task.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    row: dict[str, Any] = {"workload": "stream clients", "clients": CLIENTS, "instruments": len(tokens)}
    row |= {"seconds": took, "packets_s": heard.packets / took, "frames_s": heard.frames / took}
    p50, p99 = np.percentile(heard.gaps, (50, 99))
    row |= {"gap_s_p50": float(p50), "gap_s_p99": float(p99), "gap_s_max": max(heard.gaps)}
    row |= {"server_cpu_share": spent / took, "orders_s_alone": alone, "orders_s_beside": beside}
    row |= {"frames_compared": len(heard.kept), "frames_differ": differing(heard.kept)}
    return row | {"goal_orders_s": ORDERS_GOAL, "met": alone >= ORDERS_GOAL and not row["frames_differ"]}


async def placed(host: str, orders: int) -> float:
    """Place orders from a process of its own; return how many a second."""
    call = f"from benchmarks.exchange_orders import orders_a_second; print(orders_a_second({host!r}, {orders}))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", call, stdout=subprocess.PIPE)
    said, _ = await process.communicate()
    return float(said)


def tokens_of(host: str) -> list[int]:
    """Return the tokens of all shares, as the exchange lists them."""
    connection = http.client.HTTPConnection(host)
    headers = {"Authorization": f"token {KEY}:{logged_in(host)}"}
    connection.request("GET", "/instruments/NSE", headers=headers)
    reply = connection.getresponse()
    body = reply.read()
    return [int(row["instrument_token"]) for row in csv.DictReader(io.StringIO(body.decode()))]


def processor_s(pid: int) -> float:
    """Return the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def differing(frames: list[bytes]) -> int:
    """Return how many of some frames the official client reads otherwise than we do."""
    if not OFFICIAL.exists():
        return 0
    asked = json.dumps([frame.hex() for frame in frames])
    done = subprocess.run([str(OFFICIAL), "-c", READ], input=asked, capture_output=True, text=True, check=True)
    reader, wrong = PacketReader(), 0
    for frame, theirs in zip(frames, json.loads(done.stdout), strict=True):
        packets = reader.read(frame)
        ours = [[int(row[TOKEN]), int(row[LAST]) / 10_000, int(row[VOLUME]), 5] for row in packets.rows]
        wrong += ours != theirs or packets.is_cut or packets.unknown > 0
    return wrong


def main(orders: str = "3000") -> int:
    """Measure and print a row; the exit code is 1 when a goal is missed."""
    with exchange_process(command=("-c", "from benchmarks.stream_clients import serve; serve()")) as served:
        row = asyncio.run(streamed(served.host, served.pid, int(orders)))
    print(json.dumps(row))
    return int(not row["met"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
