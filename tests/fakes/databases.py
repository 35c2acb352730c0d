"""Databases of records for tests: a SQLite file, or a schema of its own in a PostgreSQL server."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.fakes.postgres import ABSENT, binaries, server

SCHEMAS = count()
BOTH = ("sqlite", pytest.param("postgresql", marks=pytest.mark.slow))


@pytest.fixture(scope="session")
def forgetful_postgres() -> Iterator[str]:
    """The URL of a server that is thrown away."""
    if binaries() is None:
        pytest.skip(ABSENT)
    with server() as url:
        yield url


@pytest.fixture(params=BOTH)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'home' / 'manjha.db'}"
    return schema_in(request.getfixturevalue("forgetful_postgres"))


def schema_in(server_url: str) -> str:
    """Make a schema, so that each test has tables of its own."""
    import psycopg

    name = f"records_{next(SCHEMAS)}"
    with psycopg.connect(server_url) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{server_url}&options=-csearch_path%3D{name}"
