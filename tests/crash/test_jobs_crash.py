"""A real API with real workers, killed in the middle of a job: the job ends, and its result is the command's."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from manjha.app.bootstrap import trial_ledger
from manjha.app.settings import load_settings
from tests.fakes.searched_home import Home
from tests.fakes.serving import Server, dispatcher_of, workers_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
HELD = 10
RANGES = ["length=2:60:1"]
ASKED = {"strategy": "slow", "instruments": ["NSE:ALPHA"], "ranges": RANGES}
WORDS = ["-s", "slow", "--instrument", "NSE:ALPHA", "-p", RANGES[0], "-j", "1"]
SLOW = '''"""A strategy that waits within an evaluation until the test lets it go on."""

import threading
from pathlib import Path

import manjha

HERE = Path(__file__).parent
HELD = 10


class Slow(manjha.Strategy):
    """Hold while the day is in the first half of a stretch."""

    length: int = manjha.param(4, low=2, high=60)

    def init(self, ctx):
        with (HERE / "calls").open("ab") as calls:
            calls.write(b".")
            count = calls.tell()
        while count >= HELD and not (HERE / "go").exists():
            (HERE / "held").touch()
            threading.Event().wait(0.01)
        self.seen = 0

    def on_bar(self, ctx):
        self.seen += 1
        if self.seen % self.length == 0:
            ctx.buy(10) if not ctx.position else ctx.close_position()
'''
KINDS = {
    "sweeps": (ASKED, ["sweep", *WORDS]),
    "optimisations": (ASKED | {"trials": 40, "batch": 4}, ["optimize", *WORDS, "--trials", "40", "--batch", "4"]),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    made = Home(tmp_path, monkeypatch, capsys)
    strategies = tmp_path / "home" / "strategies"
    strategies.mkdir()
    (strategies / "slow.py").write_text(SLOW)
    shutil.copytree(tmp_path / "home", tmp_path / "twin")
    (tmp_path / "twin" / "strategies" / "go").touch()
    return made


@pytest.fixture
def server(home: Home) -> Iterator[Server]:
    made = Server(home.folder / "home", MANJHA_JOBS_PROCESSES="1")
    made.start()
    yield made
    made.stop()
    for pid in workers_of(made.home).values():
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def in_the_middle(server: Server) -> None:
    """Wait until a job is within its tenth evaluation, where it stays until `go_on`."""
    server.until((server.home / "strategies" / "held").exists, "the job is in its middle")


def go_on(server: Server) -> None:
    """Let the job that is held go on."""
    (server.home / "strategies" / "go").touch()


def kill_server(server: Server, _job: str) -> None:
    server.kill()
    server.start()


def kill_worker(server: Server, job: str) -> None:
    os.kill(workers_of(server.home)[job], signal.SIGKILL)


def kill_dispatcher(server: Server, _job: str) -> None:
    os.kill(dispatcher_of(server.home), signal.SIGKILL)


def kill_all(server: Server, job: str) -> None:
    worker, dispatcher = workers_of(server.home)[job], dispatcher_of(server.home)
    for pid in (dispatcher, worker):
        os.kill(pid, signal.SIGKILL)
    kill_server(server, job)


def of_the_command(home: Home, patch: pytest.MonkeyPatch, words: list[str]) -> tuple[dict[str, Any], int]:
    """Return what the command says in a home that nobody has disturbed, and how many trials its ledger has then."""
    patch.setenv("MANJHA_HOME", str(home.folder / "twin"))
    assert home.run(*words, "--json") == 0, home.erred
    found: dict[str, Any] = json.loads(home.said)
    return found, len(trial_ledger(load_settings()).trials("slow", "NSE:ALPHA 1d"))


@pytest.mark.parametrize("kill", [kill_server, kill_worker, kill_dispatcher, kill_all])
@pytest.mark.parametrize("kind", KINDS)
def test_a_job_goes_on_and_ends_as_if_nobody_had_died(
    home: Home, server: Server, monkeypatch: pytest.MonkeyPatch, kind: str, kill: Callable[[Server, str], None]
) -> None:
    asked, words = KINDS[kind]
    job = server.ask("POST", f"/{kind}", json=asked)["id"]
    in_the_middle(server)
    kill(server, job)
    go_on(server)
    server.until(lambda: server.job(job)["ended"], "the job ends")
    ended = server.job(job)
    assert (ended["state"], ended["problem"]) == ("done", None)
    assert ended["attempt"] == (2 if kill in (kill_worker, kill_all) else 1)
    result = server.ask("GET", f"/jobs/{job}/artefacts/result.json")
    expected, trials = of_the_command(home, monkeypatch, words)
    beside = {"report": None, "new_trials": 0}
    assert result | beside == expected | beside
    monkeypatch.setenv("MANJHA_HOME", str(server.home))
    assert len(trial_ledger(load_settings()).trials("slow", "NSE:ALPHA 1d")) == trials


def test_a_cancelled_job_keeps_what_it_has_done_and_goes_on_when_it_is_resumed(server: Server) -> None:
    job = server.ask("POST", "/optimisations", json=KINDS["optimisations"][0])["id"]
    in_the_middle(server)
    server.ask("POST", f"/jobs/{job}/cancel")
    server.until(lambda: server.job(job)["ended"], "the job stops")
    stopped = server.job(job)
    assert (stopped["state"], stopped["problem"]) == ("cancelled", None)
    kept = stopped["result"]["evaluated"]
    assert 0 < kept < HELD
    assert "report.html" in [one["name"] for one in stopped["artefacts"]]
    go_on(server)
    server.ask("POST", f"/jobs/{job}/resume")
    server.until(lambda: server.job(job)["ended"], "the job ends")
    ended = server.job(job)
    assert (ended["state"], ended["result"]["evaluated"] - ended["result"]["new_trials"]) == ("done", kept)


def test_a_job_that_needs_more_memory_than_it_may_have_fails_in_words(home: Home) -> None:
    (home.folder / "home" / "strategies" / "greedy.py").write_text(
        SLOW.replace("Slow", "Greedy").replace("self.seen = 0", "self.seen, self.much = 0, bytearray(1 << 31)")
    )
    server = Server(home.folder / "home", MANJHA_JOBS_MEMORY_MB="1024")
    server.start()
    try:
        asked = {"strategy": "greedy", "instruments": ["NSE:ALPHA"], "band": False, "bias_check": False}
        job = server.ask("POST", "/backtests", json=asked)["id"]
        server.until(lambda: server.job(job)["ended"], "the job ends")
        failed = server.job(job)
        assert failed["state"] == "failed"
        assert "more memory than the 1,024 MB" in failed["problem"]["message"]
    finally:
        server.stop()
