"""The tables of runs, backtests, models and settings, as the newest migration leaves them."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from manjha.adapters.sql.tables import METADATA, RowNumber

RUNS = Table(
    "runs",
    METADATA,
    Column("account", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("mode", String(16), nullable=False),
    Column("strategy", String(200), nullable=False),
    Column("parameters", Text, nullable=False),
    Column("code_version", String(64), nullable=False),
    Column("rules_hash", String(64), nullable=False),
    Column("started_ns", BigInteger, nullable=False),
    Column("ended_ns", BigInteger),
    Column("exit", Text, nullable=False),
    Column("recorded", Integer, nullable=False),
    # What the journal tells; 0 in last_seq where it tells nothing.
    Column("active_strategy", String(200), nullable=False, server_default=""),
    Column("first_seq", BigInteger, nullable=False, server_default="0"),
    Column("last_seq", BigInteger, nullable=False, server_default="0"),
    Column("first_ns", BigInteger, nullable=False, server_default="0"),
    Column("last_ns", BigInteger, nullable=False, server_default="0"),
    Column("orders", BigInteger, nullable=False, server_default="0"),
    Column("trades", BigInteger, nullable=False, server_default="0"),
    Column("refusals", BigInteger, nullable=False, server_default="0"),
    Column("closed_ns", BigInteger, nullable=False, server_default="0"),
    Index(None, "account", "started_ns", "id"),
)

BACKTESTS = Table(
    "backtests",
    METADATA,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("run", String(64), nullable=False),
    Column("account", String(64), nullable=False),
    Column("strategy", String(200), nullable=False),
    Column("parameters", Text, nullable=False),
    Column("instruments", Text, nullable=False),
    Column("data_set", Text, nullable=False),
    Column("data_hash", String(64), nullable=False),
    Column("first_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Column("initial", BigInteger, nullable=False),
    Column("final", BigInteger, nullable=False),
    Column("charges", BigInteger, nullable=False),
    Column("trades", Integer, nullable=False),
    Column("total_return", BigInteger),
    Column("max_drawdown", BigInteger),
    Column("sharpe", BigInteger),
    Column("document", Text, nullable=False),
    Column("made_ns", BigInteger, nullable=False),
    ForeignKeyConstraint(["account", "run"], ["runs.account", "runs.id"]),
    Index(None, "strategy", "number"),
)

MODEL_VERSIONS = Table(
    "model_versions",
    METADATA,
    Column("name", String(200), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("stage", String(16), nullable=False),
    Column("metrics", Text, nullable=False),
    Column("data_hashes", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    UniqueConstraint("hash"),
)
_CHAMPION = text("stage = 'champion'")
Index(
    "uq_model_versions_champion", MODEL_VERSIONS.c.name, unique=True, sqlite_where=_CHAMPION, postgresql_where=_CHAMPION
)

SETTINGS = Table(
    "settings",
    METADATA,
    Column("key", String(200), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("value", Text, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Column("changed_by", String(200), nullable=False),
)
