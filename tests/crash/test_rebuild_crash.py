"""A rebuild that is killed at any moment is ended by the next one, or by one that goes on; the rows are the same."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from manjha.adapters.sql.database import Database
from manjha.adapters.sql.journal import SqlJournal
from manjha.adapters.sql.unit_of_work import SqlUnitOfWork
from manjha.app.cli import main
from manjha.domain.journal import Entry
from tests.fakes.databases import forgetful_postgres, url
from tests.fakes.journaled_runs import ACCOUNT, append, journaled
from tests.fakes.old_databases import content
from tests.property.test_core_laws import random_spec
from tests.simulation.day import Day
from tests.simulation.journals import disturbed, traded

__all__ = ["forgetful_postgres", "url"]

ROOT = Path(__file__).parents[2]
# Killed before its n-th statement on the tables of records or commit of them.
CHILD = """
import os, signal, sys
from sqlalchemy import event
from manjha.adapters.sql.database import Database
from manjha.app.cli import main
from manjha.domain.journal import Entry

left, plain = [int(sys.argv[2])], Database._open

def count(*_args):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1

def opened(self):
    engine = plain(self)
    event.listen(engine, "before_cursor_execute", count)
    event.listen(engine, "commit", count)
    return engine

Database._open = opened
try:
    main(["db", "rebuild", sys.argv[1], "--batch", "40"])
finally:
    print(int(sys.argv[2]) - left[0])
"""
ENOUGH = 10_000


def killed(journal: Path, point: int) -> tuple[int, str]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-c", CHILD, str(journal), str(point)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=100)
    return done.returncode, done.stdout


def said(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["db", *words])
    return int(ended.value.code or 0)


def of_a_backtest() -> Sequence[Entry]:
    return journaled(random_spec(7)).entries[:400]


def of_a_day_at_a_broker() -> Sequence[Entry]:
    lived = disturbed(traded(Day(4)), 4)
    assert lived.account == ACCOUNT
    return [entry for _, entry in lived.rows][:600]


@pytest.mark.slow
@pytest.mark.parametrize("entries", [of_a_backtest, of_a_day_at_a_broker])
def test_a_kill_anywhere_is_made_good(
    url: str, entries: Callable[[], Sequence[Entry]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANJHA_DATABASE_URL", url)
    file = tmp_path / "journal.db"
    journal = SqlJournal(f"sqlite:///{file}", ACCOUNT)
    append(journal, entries())
    journal.close()
    assert said("rebuild", str(file)) == 0
    whole = content(url)
    code, words = killed(file, ENOUGH)
    points = int(words.split()[-1])
    assert (code, content(url)) == (0, whole)
    assert min(len(rows) for name, rows in whole[1].items() if name in ("orders", "trades", "positions", "runs")) > 0
    reached = set()
    for number in range(6):
        point = points * number // 6 + 3
        assert killed(file, point)[0] == -9
        reached.add(at(url))
        # Every other time it is begun anew.
        assert said("rebuild", str(file), *(["--continue"] if number % 2 else [])) == 0
        assert content(url) == whole
    assert len(reached) > 3


def at(url: str) -> int:
    database = Database(url)
    with SqlUnitOfWork(database).begin() as records:
        reached = records.read_models.reached(ACCOUNT).seq
    database.close()
    return reached
