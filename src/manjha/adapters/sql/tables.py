"""The tables, as the newest migration leaves them; a test compares the two."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

RowNumber = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts by itself only in a column of type INTEGER."""

TRIALS = Table(
    "trials",
    METADATA,
    Column("id", RowNumber, primary_key=True, autoincrement=True),
    Column("key", String(32), nullable=False, unique=True),
    Column("variant", String(32), nullable=False),
    Column("strategy", String(200), nullable=False),
    Column("source_hash", String(64), nullable=False),
    Column("instruments", Text, nullable=False, server_default=""),
    Column("data_set", Text, nullable=False),
    Column("data_hash", String(64), nullable=False),
    Column("interval", Integer, nullable=False),
    Column("first_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Column("settings_hash", String(64), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("chosen_from", String(200), nullable=False, server_default=""),
    Column("parameters", Text, nullable=False),
    Column("status", String(8), nullable=False),
    Column("error", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("mean", BigInteger),
    Column("deviation", BigInteger),
    Column("skewness", BigInteger),
    Column("kurtosis", BigInteger),
    Column("sharpe", BigInteger),
    Column("final", BigInteger),
    Column("total_return", BigInteger),
    Column("max_drawdown", BigInteger),
    Column("trades", Integer, nullable=False),
    Column("returns", LargeBinary, nullable=False),
    Column("recorded_ns", BigInteger, nullable=False),
    Index(None, "strategy", "data_set", "variant"),
    Index(None, "strategy", "instruments"),
)

STUDY_TRIALS = Table(
    "study_trials",
    METADATA,
    Column("study", String(200), primary_key=True),
    Column("trial_key", String(32), ForeignKey("trials.key"), primary_key=True),
)
