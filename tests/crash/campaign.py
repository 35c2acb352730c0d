"""The end of a market day in which a trader is killed again and again while its broker lives on; then the judgement."""

import io
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from manjha.app.cli import main
from manjha.app.cli.errors import HELD
from tests.crash.armed import POINTS, RECOVERY
from tests.crash.judge import Case, faults_of, log_of, rows_of
from tests.crash.market import CLOSE_NS, OPEN_NS, MarketClock
from tests.crash.trader_process import account_of

ROOT = Path(__file__).parents[2]
SLOW, FAST = 60, 150
"""How many times as fast as real the market goes while traders are killed, and afterwards, on a quiet machine."""
QUIET_S = 1.0
"""How long a process takes to start there. Where it takes longer, the market goes slower: it waits for nobody."""
LAST_NS = CLOSE_NS - 11 * 60 * 1_000_000_000
"""After that no trader is killed: the rest of the day is for everything to become known."""
EACH_NS = 75 * 1_000_000_000
"""About as much of the market as a kill takes."""
LIFE_S = 1.5
"""As long at most as a trader lives that is killed from outside."""
RANDOM = "a random moment"
TIMES = dict.fromkeys(RECOVERY, 1) | {"KP13 inside stepping through the journal": 50}
"""At which passing of a point a trader is killed at most; at three where it is not said."""
NESTED = [point for point in RECOVERY if point.startswith("KP13")]
LOOK_S = 0.02
PATIENCE_S = 4.0
"""How long a trader may take to come to its point; then it is killed from outside."""


class Kill(NamedTuple):
    """How a trader is to die: at the n-th passing of a point, or some time after its start where there is none."""

    point: str = ""
    nth: int = 1
    after_s: float = 0.0


class Tally(NamedTuple):
    """What became of a campaign. `kills` counts by where they struck, `outcomes` what the journal says of intents."""

    kills: Counter[str]
    faults: list[str]
    recoveries_s: list[float]
    sent: int
    trades: int
    outcomes: Counter[str]

    @property
    def lost(self) -> int:
        """How much is lost, doubled, untracked, stale or different."""
        return len(self.faults)


def deaths(rng: random.Random, which: int) -> Iterator[Kill]:
    """Yield deaths without end: at points, at random moments, and now and then three nested ones in recovery.

    All points are come to within two rounds; `which` (0 or 1) says with which half of them it begins.
    """
    points = list(POINTS)
    while True:
        half = points[which::2]
        rng.shuffle(half)
        kills = [Kill(point, rng.randint(1, TIMES.get(point, 3))) for point in half]
        kills += [Kill(after_s=rng.uniform(0, LIFE_S)) for _ in range(len(half) // 3)]
        rng.shuffle(kills)
        at = rng.randrange(len(kills) // 2)
        yield from kills[:at]
        yield from (Kill(point) for point in rng.sample(NESTED, 3))
        yield from kills[at:]
        which = 1 - which


class Campaign:
    """The processes of one campaign: a broker, and as many as are asked for that start traders."""

    def __init__(self, folder: Path, seed: int, where: str, kills: int) -> None:
        self.folder, self.seed, self.where, self.account = folder, seed, where, account_of(seed)
        self.from_ns = max(OPEN_NS, LAST_NS - kills * EACH_NS)
        self.clock = MarketClock(folder / "clock")
        self._stack = ExitStack()
        self.port, self.pace = 0, 1.0

    def __enter__(self) -> "Campaign":
        self.clock.go(1, self.from_ns)
        began = time.monotonic()
        broker = self._started("broker_process", self.where, self.account)
        assert broker.stdout is not None
        self.port = int(broker.stdout.readline())
        self.pace = min(QUIET_S / (time.monotonic() - began), 1.0)
        self.go(SLOW)
        return self

    def go(self, speed: int) -> None:
        """Let the market go so many times as fast as real, or slower on a busy machine."""
        self.clock.go(max(round(speed * self.pace), 5))

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def starter(self) -> "Starter":
        """Return what starts traders."""
        return Starter(self, self._started("trader_process", self.where, str(self.port)))

    def _started(self, module: str, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", f"tests.crash.{module}", str(self.folder), str(self.seed), *words]
        home = os.environ | {"MANJHA_HOME": str(self.folder)}
        errors = self._stack.enter_context((self.folder / f"{module}.err").open("a"))
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=errors, text=True, cwd=ROOT, env=home, bufsize=1
        )
        self._stack.callback(_ended, process)
        return process

    # ---- what is left behind

    def signs(self) -> list[dict[str, Any]]:
        """Return the signs that traders have left."""
        path = self.folder / "signs"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def finished(self, starter: "Starter") -> list[str]:
        """Let nothing go wrong at the broker any more, and a last trader finish the day; return what it ended with."""
        self._asked("heal")
        status = HELD
        while status == HELD:
            pid = starter.begin()
            if starter.comes_to_trade(pid):
                self.go(FAST)
            status = starter.end(pid)
        return [f"the last trader ended with {status}"] if status else []

    def recoveries_s(self) -> list[float]:
        """Return how long each trader took from its start until its books were compared."""
        born: dict[int, int] = {}
        found = []
        for sign in self.signs():
            if sign.get("what") == "born":
                born[sign["pid"]] = sign["mono_ns"]
            elif sign.get("what") == "compared":
                found.append((sign["mono_ns"] - born[sign["pid"]]) / 1e9)
        return found

    def judged(self, faults: list[str], kills: Counter[str]) -> Tally:
        """Return what became of it, after the last trader has finished the day."""
        report = next((sign["report"] for sign in reversed(self.signs()) if sign.get("what") == "ended"), None)
        if report is None:
            errors = (self.folder / "trader_process.err").read_text()[-2000:]
            return Tally(kills, [*faults, f"no trader has finished the day: {errors}"], [], 0, 0, Counter())
        orders, trades, positions = (self._asked(what) for what in ("orders", "trades", "positions"))
        rows = rows_of(self.where, self.account)
        case = Case(log_of(self.folder / "broker.log"), orders, trades, positions, rows, report)
        found = [*faults, *faults_of(case), *self._said("verify"), *self._said("replay")]
        outcomes = Counter(row.said["outcome"]["type"] for row in rows if row.kind == "SubmitAnswered")
        outcomes.update(row.kind for row in rows if row.kind == "SendVetoed" and row.said["is_order"])
        sent = sum(line["do"] == "place" for line in case.log)
        return Tally(kills, found, self.recoveries_s(), sent, len(trades), outcomes)

    def _asked(self, what: str) -> Any:
        """Ask the broker for something."""
        with socket.create_connection(("127.0.0.1", self.port)) as link, link.makefile("rwb") as file:
            file.write(json.dumps({"do": what}).encode() + b"\n")
            file.flush()
            return msgspec.json.decode(file.readline())

    def has_read(self) -> None:
        """Return when the broker has read what had been sent to it by now; it takes sockets in turn."""
        self._asked("orders")

    def _said(self, command: str) -> list[str]:
        """Ask `manjha journal` about the journal; return what it has to say against it."""
        code, said = self.command("journal", command, self.where, "--account", self.account)
        return [f"`journal {command}` ends with {code}: {said}"] if code else []

    def command(self, *words: str) -> tuple[object, str]:
        """Run a command of `manjha` as a person would; return its exit code and what it said."""
        said = io.StringIO()
        home, os.environ["MANJHA_HOME"] = os.environ["MANJHA_HOME"], str(self.folder)
        try:
            with redirect_stdout(said), redirect_stderr(said):
                main([*words])
        except SystemExit as ended:
            return ended.code, said.getvalue()
        finally:
            os.environ["MANJHA_HOME"] = home
        return None, said.getvalue()


class Starter:
    """A process that starts traders, one at a time."""

    def __init__(self, campaign: Campaign, process: "subprocess.Popen[str]") -> None:
        self._campaign, self._process = campaign, process

    def begin(self, point: str = "", nth: int = 1, number: int = signal.SIGKILL) -> int:
        """Start a trader that sends itself a signal at a point, if one is named; return its process."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"point": point, "nth": nth, "signal": number}) + "\n")
        return int(self._line().split()[1])

    def end(self, pid: int) -> int:
        """Wait for the trader's end; return its exit status."""
        _, ended, status = self._line().split()
        assert int(ended) == pid
        return int(status)

    def has_ended(self, within_s: float) -> bool:
        """Wait for the trader's end for some time; tell whether it has come."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], within_s)
        return bool(ready)

    def comes_to_trade(self, pid: int) -> bool:
        """Wait until a trader's books are compared; tell whether it lives so long."""
        while not self.has_ended(LOOK_S):
            if any(sign["pid"] == pid and sign.get("what") == "compared" for sign in self._campaign.signs()):
                return True
        return False

    def killed(self, kill: Kill) -> tuple[str, int]:
        """Start a trader and see it die; return where it was struck, and its exit status."""
        pid = self.begin(kill.point, kill.nth)
        if not self.has_ended(PATIENCE_S if kill.point else kill.after_s):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        status = self.end(pid)
        at = next((sign["at"] for sign in self._campaign.signs() if sign["pid"] == pid and "at" in sign), "")
        return next((name for name, point in POINTS.items() if point == at), RANDOM), status

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            errors = (self._campaign.folder / "trader_process.err").read_text()[-2000:]
            raise AssertionError(f"what starts traders has ended: {errors}")
        return line


def _ended(process: "subprocess.Popen[str]") -> None:
    """End a process."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def lived(folder: Path, seed: int, where: str, kills: list[Kill]) -> Tally:
    """Kill traders one after the other, as long as the market allows; let the last one finish the day, and judge.

    Takes the kills that it came to from `kills`; a point that was not come to stays there.
    """
    struck, faults, missed = Counter[str](), [], []
    with Campaign(folder, seed, where, len(kills)) as campaign:
        starter = campaign.starter()
        while kills and campaign.clock.now_ns() < LAST_NS:
            kill = kills.pop(0)
            at, status = starter.killed(kill)
            if status == -signal.SIGKILL:
                struck[at] += 1
                if kill.point and at != kill.point:
                    missed.append(kill._replace(nth=1))
            elif status == HELD:
                # The server notices a moment later than the kernel that who held the account is dead.
                kills.insert(0, kill)
            else:
                faults.append(f"a trader ended by itself with {status}")
        kills += missed
        return campaign.judged([*faults, *campaign.finished(starter)], struck)
