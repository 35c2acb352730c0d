"""The page about a trader's day: its commands run, in one shell and as they stand there, and say what it shows."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from manjha.app.bootstrap import system_clock
from manjha.domain.moments import day_of, format_day, parse_day

PAGE = Path(__file__).parents[2] / "docs" / "day-in-the-life.md"
MARK = "=== block"
NEEDED = ("bash", "curl")
DAY, TODAY = parse_day("2026-11-26"), day_of(system_clock().now_ns())
pytestmark = [
    pytest.mark.slow,
    # Downloads refuse days that have not come yet, by the machine's clock.
    pytest.mark.skipif(TODAY <= DAY, reason=f"the page downloads candles of {format_day(DAY)}, not over here"),
    pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason=f"the page needs {' and '.join(NEEDED)}"),
]


def blocks() -> list[tuple[str, list[str]]]:
    """Return each block of commands with the lines that the page shows of what they say."""
    found: list[tuple[str, list[str]]] = []
    for kind, body in re.findall(r"^```(bash|text)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.M):
        if kind == "bash":
            found.append((body, []))
        else:
            found[-1][1].extend(body.splitlines())
    return found


def plain(line: str) -> str:
    """Return a line without padding, and with every word that has a digit in it as one sign: those differ each time."""
    return " ".join("#" if re.search(r"\d", word) else word for word in line.split())


def is_said(shown: str, said: list[str]) -> bool:
    """Tell whether a line of the page was said; … stands for anything."""
    pattern = ".*".join(re.escape(part.strip()) for part in plain(shown).split("…"))
    return any(re.fullmatch(pattern, line) for line in said)


@pytest.mark.timeout(540)
def test_the_commands_of_the_page_run_in_order_and_say_what_it_shows(tmp_path: Path) -> None:
    given = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MANJHA_") and "proxy" not in name.lower()
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{given['PATH']}"
    parts = blocks()
    script = "set -eu\n" + "".join(f"echo '{MARK}'\n{body}" for body, _ in parts)
    with (tmp_path / "said").open("wb") as file:
        shell = subprocess.Popen(
            ["bash", "-c", script], cwd=tmp_path, env=given | {"PATH": path}, stdout=file, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            code = shell.wait(timeout=500)
        finally:
            # The exchange and the traders are children of the shell, and of its group.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert code == 0, said
    _, *chapters = said.split(f"{MARK}\n")
    assert len(chapters) == len(parts)
    for (body, shown), chapter in zip(parts, chapters, strict=True):
        lines = [plain(line) for line in chapter.splitlines()]
        missing = [line for line in shown if not is_said(line, lines)]
        assert not missing, f"{missing} was not said by\n{body}\nwhich said\n{chapter}"
