"""The official Kite clients, as oracles: where they are installed, and how a test asks one in a process of its own."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import ROOT

HOME = ROOT / ".tools" / "official"
PYTHON = HOME / "python" / "bin" / "python"
NODE_MODULES = HOME / "node_modules"
ABSENT = "an official Kite client is absent (`make .tools/official/.made` installs both)"
SCRIPTS = Path(__file__).parent / "scripts"


def needs_python() -> None:
    """Skip the test where the Python client is not installed."""
    if not PYTHON.exists():
        pytest.skip(ABSENT)


def asked_python(script: str, given: object, *words: str) -> Any:
    """Run a script of this folder with the Python client; it reads JSON and prints JSON."""
    needs_python()
    command = [str(PYTHON), str(SCRIPTS / script), *words]
    told = json.dumps(given)
    environment = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", "TZ": "UTC"}
    done = subprocess.run(command, input=told, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def needs_node() -> None:
    """Skip the test where the JavaScript client is not installed."""
    if not (NODE_MODULES / "kiteconnect").exists() or shutil.which("node") is None:
        pytest.skip(ABSENT)


def asked_node(script: str, given: object) -> Any:
    """Run a script of this folder with the JavaScript client; it reads JSON and prints JSON."""
    needs_node()
    environment = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", "TZ": "UTC", "NODE_PATH": str(NODE_MODULES)}
    done = subprocess.run(
        ["node", str(SCRIPTS / script)], input=json.dumps(given), capture_output=True, text=True, check=False,
        env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Driven(NamedTuple):
    """What steps gave: each {"gave": …} or {"error", "code", "text"}, and how often the expiry hook was called."""

    steps: list[dict[str, Any]]
    hooked: int

    def gave(self, step: int) -> Any:
        """Return what a step gave; it must not have failed."""
        assert "gave" in self.steps[step], self.steps[step]
        return self.steps[step]["gave"]


def driven(client: str, root: str, steps: list[dict[str, Any]], *, key: str, secret: str) -> Driven:
    """Let an official client ("python" or "node") go through steps against an exchange at `root`."""
    told = {"root": root, "api_key": key, "api_secret": secret, "steps": steps}
    answer = asked_python("drive.py", told) if client == "python" else asked_node("drive.cjs", told)
    return Driven(answer["steps"], answer["hooked"])


class Ticking:
    """An official ticker that runs in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def connected(self) -> None:
        """Wait until it has connected and subscribed."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.strip() == "connected":
                return

    def heard(self) -> dict[str, list[Any]]:
        """Wait until it has ended, and return what its callbacks were told."""
        out, err = self._process.communicate()
        assert out, err
        return dict(json.loads(out))


@contextmanager
def ticking(client: str, given: dict[str, Any]) -> Iterator[Ticking]:
    """Run the ticker of a client ("python" or "node"); see the scripts for what it is given."""
    needs_python() if client == "python" else needs_node()
    command = [str(PYTHON), str(SCRIPTS / "tick.py")] if client == "python" else ["node", str(SCRIPTS / "tick.js")]
    environment = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", "TZ": "UTC", "NODE_PATH": str(NODE_MODULES)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(given))
            process.stdin.close()
            process.stdin = None
            yield Ticking(process)
        finally:
            process.kill()
