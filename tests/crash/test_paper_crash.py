"""A paper trader that is killed while it trades, again and again: SIGKILL at moments drawn by chance.

`KILLS` says how often, a tenth of what `make crash` is asked for: the broker here is part of the process. Each life
begins with an interpreter of its own. `FIRST_KILL` draws others, as in `test_broker_crash`.
"""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from manjha.app.bootstrap import bar_store, instrument_book, journal_to_read, market_rules
from manjha.app.cli import main
from manjha.app.cli.demo import INSTRUMENT
from manjha.app.settings import load_settings
from manjha.domain.commands import Approved, SubmitOrder
from manjha.domain.moments import parse_day
from manjha.engine.journaling import value_of
from manjha.services.live_runs import holds_nothing
from manjha.services.replays import recorded_runs
from manjha.services.synthetic_market import seed_store
from tests.e2e.test_cli_trade import STRATEGY

KILLS = max(8, int(os.environ.get("KILLS", "0")) // 10)
FIRST = os.environ.get("FIRST_KILL", "0")
CALL = "from manjha.app.cli import main; main()"
TERMS = ("--instrument", INSTRUMENT, "-i", "5m", "--product", "MIS", "--from", "2024-01-29", "--to", "2024-01-31")
SPEED = "20000"
"""Slow enough for a kill to come before the days are over."""
LINES = 8
"""As many lines are waited for, at most, before a kill; each tells of an order, a fill or a session."""

PER_KILL_S = 12
"""Seconds that a kill may take, all in all, on a machine that does other things too."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240 + PER_KILL_S * KILLS)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home with a month of the synthetic market, and the strategy's file in it."""
    monkeypatch.setenv("MANJHA_HOME", str(tmp_path))
    (tmp_path / "keen.py").write_text(STRATEGY, encoding="utf-8")
    settings = load_settings()
    span = (parse_day("2024-01-01"), parse_day("2024-01-31"))
    seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), 7, span)
    return tmp_path


def started(home: Path, speed: str) -> "subprocess.Popen[str]":
    words = ["trade", "-s", str(home / "keen.py"), *TERMS, "--speed", speed, "--json"]
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", CALL, *words], stdout=pipe, stderr=pipe, text=True)


def killed_after(home: Path, lines: int) -> bool:
    """Start a trader and kill it some lines later; tell whether it had still been trading."""
    with started(home, SPEED) as process:
        assert process.stderr is not None
        for _ in range(lines):
            if not process.stderr.readline():
                break
        process.kill()
        return process.wait() < 0


@pytest.mark.failure("F18")
def test_a_trader_killed_at_any_moment_goes_on_and_loses_and_doubles_nothing(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    draw = random.Random(f"{FIRST} {KILLS}")
    hit = sum(killed_after(home, draw.randrange(LINES)) for _ in range(KILLS))
    assert hit >= KILLS // 2
    with started(home, "0") as process:
        said, erred = process.communicate()
    assert process.returncode == 0, erred
    assert json.loads(said)["fills"] > 0
    where = home / "accounts" / "PAPER" / "journal.db"
    for words in (["journal", "verify", str(where)], ["journal", "replay", str(where)]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert (ended.value.code, words[1]) == (0, words[1]), capfd.readouterr()
    journal = journal_to_read(str(where), "PAPER")
    try:
        values = [value_of(row.entry) for row in journal.rows()]
        sent = [one.command for one in values if isinstance(one, Approved) and isinstance(one.command, SubmitOrder)]
        assert set(Counter(one.tag for one in sent).values()) == {1}
        assert set(Counter(one.order.id for one in sent).values()) == {1}
        assert all(holds_nothing(journal, run) for run in recorded_runs(journal)[-1:])
    finally:
        journal.close()
