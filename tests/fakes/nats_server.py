"""A real NATS server of this machine for a test: on a free port, its streams in the test's own folder."""

import contextlib
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.kite_desk import free_port

ABSENT = "nats-server is absent"
LOCAL = "127.0.0.1"
_TRIES, _AGAIN_S = 400, 0.05


def binary() -> str:
    """Return where the server's program is, beside this Python or on the path; skip the test where it is nowhere."""
    pytest.importorskip("nats", reason=ABSENT)
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        pytest.skip(ABSENT)
    return found


class NatsServer:
    """A server that can be killed and started again with what it has kept."""

    def __init__(self, folder: Path, *words: str, jetstream: bool = True) -> None:
        self.port = free_port()
        self.url = f"nats://{LOCAL}:{self.port}"
        streams = ("-js", "-sd", str(folder / "jetstream")) if jetstream else ()
        self._command = [binary(), "-a", LOCAL, "-p", str(self.port), *streams, *words]
        self._log = folder / "nats.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        for _ in range(_TRIES):
            with contextlib.suppress(OSError), socket.create_connection((LOCAL, self.port), timeout=1):
                return
            if self._process.poll() is not None:
                break
            threading.Event().wait(_AGAIN_S)
        pytest.fail(f"nats-server did not start:\n{self._log.read_text()}")

    def kill(self) -> None:
        """Kill it, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def a_nats_server(folder: Path, *words: str, jetstream: bool = True) -> Iterator[NatsServer]:
    """Run a server for as long as a block lasts."""
    server = NatsServer(folder, *words, jetstream=jetstream)
    server.start()
    try:
        yield server
    finally:
        server.kill()
