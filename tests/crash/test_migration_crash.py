"""A migration that is killed at any of its statements leaves the old tables or the new ones; the next one ends it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import pytest

from manjha.adapters.sql.database import HEAD, Database
from manjha.app.cli import main
from tests.fakes.databases import forgetful_postgres
from tests.fakes.old_databases import content, made_by

__all__ = ["forgetful_postgres"]

ROOT = Path(__file__).parents[2]
# One process that forks a child for each database: each child is killed before its n-th statement or
# commit, or after the last.
CHILDREN = """
import os, signal, sys
import alembic.command, alembic.config, psycopg
from sqlalchemy import event
from manjha.adapters.sql.database import Database

def child(url, target, point):
    left = [point]

    def count(*_args):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    database = Database(url)
    event.listen(database._engine, "before_cursor_execute", count)
    event.listen(database._engine, "commit", count)
    database.move_to(target)
    count()
    print(point - left[0], flush=True)
    os._exit(0)

for point, url in enumerate(sys.argv[3:], int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        child(url, sys.argv[1], point)
    status = os.waitpid(pid, 0)[1]
    print("killed" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL else "done", flush=True)
"""
ENOUGH, NUMBERS = 1_000, count()
Make = Callable[[int, str], str]
"""Makes the n-th database of a migration, with rows; returns its URL."""


def killed(target: str, first: int, urls: Sequence[str]) -> list[str]:
    """Move each database to a migration, killed at the point `first` and those after it; return what was said."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-c", CHILDREN, target, str(first), *urls]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=True, timeout=200
    ).stdout.split()


def in_files(folder: Path) -> Make:
    def make(number: int, revision: str) -> str:
        pattern, path = folder / f"{revision}.db", folder / f"{revision}-{number}.db"
        if not pattern.exists():
            made_by(f"sqlite:///{pattern}", revision)
        shutil.copy(pattern, path)
        return f"sqlite:///{path}"

    return make


def in_server(server_url: str) -> Make:
    import psycopg

    patterns: dict[str, str] = {}

    def make(_number: int, revision: str) -> str:
        with psycopg.connect(server_url, autocommit=True) as connection:
            if revision not in patterns:
                patterns[revision] = name = f"pattern_{next(NUMBERS)}"
                connection.execute(f"CREATE DATABASE {name}")
                made_by(server_url.replace("/postgres?", f"/{name}?"), revision)
            copy = f"copy_{next(NUMBERS)}"
            connection.execute(f"CREATE DATABASE {copy} TEMPLATE {patterns[revision]}")
        return server_url.replace("/postgres?", f"/{copy}?")

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "sqlite":
        return in_files(tmp_path)
    return in_server(request.getfixturevalue("forgetful_postgres"))


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [("0002", HEAD), (HEAD, "0001")])
def test_a_kill_anywhere_leaves_old_or_new_and_upgrade_finishes(
    make: Make, before: str, after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make(ENOUGH, before)
    old = content(whole)
    said = killed(after, ENOUGH, [whole])
    points, new = int(said[0]), content(whole)
    assert (points > 20, said[1], new[0]) == (True, "done", after)
    urls = [make(point, before) for point in range(points)]
    assert killed(after, 0, urls) == ["killed"] * points
    assert [content(url) for url in urls] == [*[old] * (points - 1), new]
    # The next one to come finishes, whoever it is: the command, or any other use.
    monkeypatch.setenv("MANJHA_DATABASE_URL", urls[0])
    with pytest.raises(SystemExit) as ended:
        main(["db", "upgrade"])
    assert ended.value.code in (0, None)
    assert content(urls[0])[0] == HEAD
    # Some of them: what they hold is the same to the last row.
    for url in (*urls[1::4], urls[-1]):
        database = Database(url)
        database.move_to(after)
        database.close()
        assert content(url) == new


@pytest.mark.slow
def test_the_first_tables_are_made_whole_too(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path / f'{point}.db'}" for point in range(30)]
    assert killed(HEAD, 0, urls)[:30] == ["killed"] * 30
    for url in urls[::7]:
        assert content(url) == ("", {})
        database = Database(url)
        with database.transaction():
            pass
        database.close()
        assert content(url)[0] == HEAD
