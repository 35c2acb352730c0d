"""A machine that refuses: a full disk, a place that may not be written to. An error for people, no bug of ours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REFUSING = """
import errno, os, sys
from pathlib import Path
import manjha.services.stored as stored
code = getattr(errno, sys.argv.pop(1))
def refused(*_): raise OSError(code, os.strerror(code), "/data/bars/lock")
stored.list_series = refused
from manjha.app.cli import main
main(["data", "list"])
"""


def test_a_terminal_without_a_rupee_sign_gets_a_question_mark() -> None:
    code = "from manjha.app.cli.errors import guarded; guarded(lambda: print('₹5'), [])"
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("?5\n", "")


def test_rights_told_in_words_alone_are_understood() -> None:
    code = (
        "from manjha.app.cli.errors import guarded\n"
        "def refused(): raise PermissionError('Permission denied (os error 13): /data/x.parquet')\n"
        "raise SystemExit(guarded(refused, []))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: Permission denied (os error 13): /data/x.parquet\n  try: Change the rights")


@pytest.mark.parametrize(
    ("code", "reason", "step"),
    [
        ("ENOSPC", "No space left on device", "free some space"),
        ("EROFS", "Read-only file system", "MANJHA_HOME"),
        ("EACCES", "Permission denied", "rights"),
        ("ENOTDIR", "Not a directory", "Check the path"),
    ],
)
def test_what_the_machine_refuses_is_exit_2_with_the_place_and_the_next_step(code: str, reason: str, step: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REFUSING, code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: /data/bars/lock: {reason}\n  try: ")
    assert step in done.stderr
    assert not (Path(os.environ["MANJHA_HOME"]) / "crash").exists()
