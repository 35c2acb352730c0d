"""`manjha serve` as a process of its own, killed when a test wants."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from manjha.adapters.secrets.sealed import new_key

_PAUSE = threading.Event()

PROGRAM = (sys.executable, "-c", "from manjha.app.cli import main; main()")
WITHIN_S = 120.0


class Server:
    """The API over a home. Its token may do everything."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.environment = os.environ | {"MANJHA_HOME": str(home), "MANJHA_SEAL_KEY": new_key()} | settings
        self.process: subprocess.Popen[str] | None = None
        self.root = ""
        scopes = [word for scope in ("read", "trade", "admin") for word in ("--scope", scope)]
        made = subprocess.run(
            [*PROGRAM, "token", "create", f"t{os.getpid()}", *scopes],
            env=self.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        found = re.search(r"mjt_\w+", made.stdout)
        assert found, made.stdout
        self.headers = {"Authorization": f"Bearer {found[0]}"}

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(
            [*PROGRAM, "serve", "--port", "0"], env=self.environment, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        said = self.process.stderr.readline()
        found = re.search(r"http://\S+/api/v1", said)
        assert found, said
        self.root = found[0]
        self.until(self._answers, "the server answers")

    def kill(self) -> None:
        """Kill it as the kernel would, without its dispatcher and workers."""
        assert self.process is not None
        self.process.kill()
        self._gone()

    def stop(self) -> None:
        """Have it end in order."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self._gone()

    def _gone(self) -> None:
        assert self.process is not None
        assert self.process.stderr is not None
        self.process.wait(30)
        self.process.stderr.close()

    def ask(self, how: str, path: str, **given: Any) -> Any:
        """Ask, and return the document of the answer."""
        answer = httpx2.request(how, f"{self.root}{path}", headers=self.headers, timeout=30, **given)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.headers.get("content-type") == "application/json" else answer.content

    def job(self, job_id: str) -> Any:
        """Return a job as it is now."""
        return self.ask("GET", f"/jobs/{job_id}")

    def until(self, is_so: Callable[[], object], what: str) -> None:
        """Wait until something is so; fail where it never is."""
        end = time.monotonic() + WITHIN_S
        while not is_so():
            assert time.monotonic() < end, f"not within {WITHIN_S:g} s: {what}"
            _PAUSE.wait(0.05)

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.root}/health/live", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False


def workers_of(home: Path) -> dict[str, int]:
    """Return the processes of the workers that live, by job."""
    found = {}
    for lock in (home / "jobs").glob("*/worker.lock"):
        with lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found[lock.parent.name] = int(file.read() or 0)
    return found


def dispatcher_of(home: Path) -> int:
    """Return the process of the dispatcher that has the home; 0 where none has."""
    with (home / "jobs" / "dispatcher.lock").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read() or 0)
    return 0
