"""A leader that is stopped, overtaken by a stand-by, and goes on: SIGSTOP, take-away, SIGCONT, again and again."""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

from manjha.app.cli.errors import HALTED, HELD
from tests.crash.armed import SENDING
from tests.crash.campaign import LAST_NS, LOOK_S, RANDOM, Campaign, Starter, Tally
from tests.crash.judge import log_of

STOPS = [point for point in SENDING if "half" not in point and "not committed" not in point]
"""Where a leader stops itself. Not inside a request: what has begun to leave is sent, and its intent is on disk. Not
inside a transaction: nobody else can write then, and so nobody overtakes."""
PATIENCE_S = 6.0
"""How long a leader may take to come to its point."""
ENDS_S = 60.0
"""How long who was overtaken may take to its end, on a machine that does other things too: sending is judged apart."""
AWAY_S = 1.0
"""How long at most a stand-by trades before the stopped one goes on: a minute of the market."""


class Succession:
    """Two starters of traders, of which one leads and the other stands by."""

    def __init__(self, campaign: Campaign, rng: random.Random) -> None:
        self.campaign, self.rng = campaign, rng
        self.leads, self.stands_by = campaign.starter(), campaign.starter()
        self.stopped: Counter[str] = Counter()
        self.faults: list[str] = []
        self.point = ""
        self.leader = self.began(self.leads)

    def began(self, starter: Starter) -> int:
        """Start a trader that will stop itself somewhere, or be stopped; return its process once it may trade."""
        self.point = self.rng.choice(STOPS) if self.rng.random() < 0.7 else ""
        while True:
            pid = starter.begin(self.point, self.rng.randint(1, 3), signal.SIGSTOP)
            while not starter.has_ended(LOOK_S):
                signs = {sign.get("what") for sign in self.campaign.signs() if sign["pid"] == pid}
                if "compared" in signs or is_stopped(pid):
                    return pid
            # Held: the server notices a moment later than the kernel that who held the account is gone.
            if (status := starter.end(pid)) != HELD:
                self.faults.append(f"a stand-by ended by itself with {status}")

    def change(self) -> None:
        """Let the leader be stopped, overtaken by a stand-by, and go on to its end."""
        old, starter, campaign = self.leader, self.leads, self.campaign
        where = self._stop(old)
        # On a busy machine it may come late to what has left in time, and would take it for the next one's.
        campaign.has_read()
        self.leads, self.stands_by = self.stands_by, starter
        account = campaign.account
        code, said = campaign.command("leader", "take-away", campaign.where, "--account", account, "--confirm", account)
        if code == HALTED and "locked" in said:
            # It was stopped while it wrote to a file: nobody else can write before it is killed.
            self.stopped["inside a write to a file: had to be killed"] += 1
            os.kill(old, signal.SIGKILL)
            starter.end(old)
            self.leader = self.began(self.leads)
            return
        if code:
            # The account is still the stopped one's: no stand-by could begin.
            self.faults.append(f"`leader take-away` ended with {code}: {said}")
            self.leads, self.stands_by = starter, self.leads
            return
        self.leader = self.began(self.leads)
        self.leads.has_ended(self.rng.uniform(0.1, AWAY_S))
        goes_on_ns = time.monotonic_ns()
        os.kill(old, signal.SIGCONT)
        if not starter.has_ended(ENDS_S):
            self.faults.append("STALE: who was overtaken goes on")
            os.kill(old, signal.SIGKILL)
        if (status := starter.end(old)) != HALTED:
            self.faults.append(f"who was overtaken ended with {status}")
        late = [line for line in log_of(campaign.folder / "broker.log") if line["mono_ns"] > goes_on_ns]
        if sent := [line for line in late if line.get("by") == old]:
            self.faults.append(f"STALE: {len(sent)} sent by who was overtaken, stopped at {where}: {sent[0]}")

    def _stop(self, pid: int) -> str:
        """Wait until the leader has stopped itself, or stop it; return where it stands."""
        until = time.monotonic() + (PATIENCE_S if self.point else self.rng.uniform(0, AWAY_S))
        while not is_stopped(pid) and time.monotonic() < until:
            self.leads.has_ended(LOOK_S)
        where = self.point if is_stopped(pid) else RANDOM
        self.stopped[where] += 1
        os.kill(pid, signal.SIGSTOP)
        while not is_stopped(pid):
            self.leads.has_ended(LOOK_S)
        return where


def is_stopped(pid: int) -> bool:
    """Tell whether a process is stopped, as the kernel says it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except (FileNotFoundError, ProcessLookupError):
        return False


def succeeded(folder: Path, seed: int, where: str, stops: int) -> Tally:
    """Stop and overtake leaders one after the other, as long as the market allows; let the last one finish the day."""
    rng = random.Random(seed)
    with Campaign(folder, seed, where, 6 * stops) as campaign:
        account = Succession(campaign, rng)
        while sum(account.stopped.values()) < stops and campaign.clock.now_ns() < LAST_NS and not account.faults:
            account.change()
        # The last one may still be about to stop itself: it is replaced by one that is not.
        os.kill(account.leader, signal.SIGKILL)
        account.leads.end(account.leader)
        return campaign.judged([*account.faults, *campaign.finished(account.leads)], account.stopped)
