"""A home with days of one share in it, and the command line as a function."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manjha.app.cli import main
from manjha.domain.moments import format_day, parse_day
from manjha.market.calendar import trading_days
from tests.fakes.market_rules import shipped_rules

HEAD = "date,symbol,open,high,low,close,volume"
STRATEGY = '''"""A strategy that can be told to misbehave."""

import os
import signal
from pathlib import Path

import manjha

PID = Path(__file__).with_name("main.pid")
if not PID.exists():
    PID.write_text(str(os.getpid()))


class Trouble(manjha.Strategy):
    """Hold while the day is in the first half of a stretch; misbehave once at a length."""

    length: int = manjha.param(4, low=2, high=60)
    kill: int = manjha.param(0, low=0, high=60)
    stop: int = manjha.param(0, low=0, high=60)

    def init(self, ctx):
        mark = Path(__file__).with_name("misbehaved")
        if self.length in (self.kill, self.stop) and not mark.exists():
            mark.touch()
            if self.length == self.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            os.kill(int(PID.read_text()), signal.SIGINT)
        self.seen = 0

    def on_bar(self, ctx):
        self.seen += 1
        if self.seen % self.length == 0:
            ctx.buy(10) if not ctx.position else ctx.close_position()
'''


class Home:
    """Types commands; `said` and `erred` are what the last one wrote."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capture = folder, capture
        patch.setenv("MANJHA_HOME", str(folder / "home"))
        patch.chdir(folder)
        self.said = self.erred = ""
        (folder / "days.csv").write_text(days_of_alpha(), encoding="utf-8")
        (folder / "trouble.py").write_text(STRATEGY, encoding="utf-8")
        assert self.run("data", "import", "days.csv") == 0, self.erred

    def run(self, *words: str) -> object:
        """Run a command and return its exit code."""
        with pytest.raises(SystemExit) as stop:
            main(words)
        self.said, self.erred = self.capture.readouterr()
        return stop.value.code

    def search(self, command: str, strategy: str, *words: str, code: int = 0) -> dict[str, Any]:
        """Run a search on the share with --json and return the document."""
        given = (command, "-s", strategy, "--instrument", "NSE:ALPHA", "--json", *words)
        assert self.run(*given) == code, self.erred
        found: dict[str, Any] = json.loads(self.said)
        return found


def days_of_alpha(count: int = 90) -> str:
    """Return days of a share that wanders about 500 rupees, as a file."""
    first = parse_day("2024-01-01")
    days = list(trading_days(shipped_rules(), first, first + 2 * count))[:count]
    closes = 500 + np.cumsum(np.random.default_rng(7).integers(-100, 102, count)) * 0.05
    rows = [
        f"{format_day(day)},ALPHA,{c:.2f},{c + 1:.2f},{c - 1:.2f},{c:.2f},1000000"
        for day, c in zip(days, closes, strict=True)
    ]
    return "\n".join((HEAD, *rows, ""))
