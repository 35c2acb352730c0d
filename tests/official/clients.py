"""The official Kite clients, as oracles: where they are installed, and how a test asks one in a process of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

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
