"""The tables of jobs, as the newest migration leaves them."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, text

from manjha.adapters.sql.tables import METADATA, RowNumber

JOBS = Table(
    "jobs",
    METADATA,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("kind", String(64), nullable=False),
    Column("asked", Text, nullable=False),
    Column("by", String(200), nullable=False),
    Column("place", String(64), nullable=False),
    Column("key", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("progress", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("artefacts", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("made_ns", BigInteger, nullable=False),
    Column("started_ns", BigInteger),
    Column("ended_ns", BigInteger),
    Column("beat_ns", BigInteger),
    Column("cancel_ns", BigInteger),
    Column("attempt", Integer, nullable=False),
    Column("deaths", Integer, nullable=False),
    Column("lease", String(64), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Index(None, "changed", unique=True),
    Index(None, "place", "state"),
)
_KEYED = text("key <> ''")
Index("uq_jobs_by_key", JOBS.c.by, JOBS.c.key, unique=True, sqlite_where=_KEYED, postgresql_where=_KEYED)

JOB_CHANGES = Table(
    "job_changes",
    METADATA,
    # One row. Whoever writes jobs holds it, so that changes become visible in the order of their numbers.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)
