"""`manjha data record` killed again and again while a publisher goes on: no tick is lost, none is there twice."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from manjha.adapters.nats.link import Server
from manjha.adapters.nats.stream import NatsStream
from manjha.app.bootstrap import instrument_book
from manjha.app.settings import load_settings
from manjha.domain.streams import Message
from tests.fakes.exchanges import DAY
from tests.fakes.nats_server import NatsServer, a_nats_server
from tests.unit.test_tick_recorder import SHARES, TODAY, Desk, whole_story

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("MANJHA_KILLS", "5"))
CALL = "from manjha.app.cli import main; main()"
PIECE = 100


def said_on(server: NatsServer, messages: list[tuple[str, Message]]) -> None:
    async def story() -> None:
        stream = NatsStream(Server(server.url))
        await stream.open()
        await stream.publish(messages)
        await stream.close()

    asyncio.run(story())


def recording(home: Path, server: NatsServer, err: Path) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-c", CALL, "data", "record", "--stream", server.url]
    with err.open("ab") as erred:
        return subprocess.Popen(
            words, env=os.environ | {"MANJHA_HOME": str(home)}, stdout=subprocess.PIPE, stderr=erred
        )


@pytest.mark.timeout(300)
@pytest.mark.failure("F18")
def test_a_recorder_killed_at_any_moment_loses_no_tick_and_keeps_none_twice(tmp_path: Path) -> None:
    said = [(str(place), message) for place, message in enumerate(whole_story().said)]
    whole, home, chance = Desk(tmp_path / "whole", [one for _, one in said]), tmp_path / "home", random.Random(7)
    whole.record()
    instrument_book(load_settings({"MANJHA_HOME": str(home)})).put(SHARES, TODAY)
    record = home / "ticks" / f"{DAY}.json"
    with a_nats_server(tmp_path) as server:
        for kill in range(KILLS):
            process = recording(home, server, tmp_path / "err")
            size = record.stat().st_mtime_ns if record.exists() else 0
            said_on(server, said[kill * PIECE : (kill + 1) * PIECE])
            while not record.exists() or record.stat().st_mtime_ns == size:
                assert process.poll() is None, (tmp_path / "err").read_text()
                threading.Event().wait(0.02)
            said_on(server, said[(kill + 1) * PIECE : (kill + 1) * PIECE + chance.randrange(PIECE)])
            process.send_signal(signal.SIGKILL)
            process.communicate()
        process = recording(home, server, tmp_path / "err")
        said_on(server, said)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, (tmp_path / "err").read_text()
    assert DAY.encode() in out
    path = Path("ticks") / f"{DAY}.csv"
    assert (home / path).read_bytes() == (tmp_path / "whole" / path).read_bytes()
