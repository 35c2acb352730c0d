"""The tables of kept answers and of hooks, as the newest migration leaves them."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from manjha.adapters.sql.tables import METADATA

ANSWERS = Table(
    "kept_answers",
    METADATA,
    Column("caller", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("own_key", String(64), nullable=False),
    Column("made_ns", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "made_ns"),
)

HOOKS = Table(
    "hooks",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("account", String(64), nullable=False),
    Column("strategy", String(200), nullable=False),
    Column("instruments", Text, nullable=False),
    Column("product", String(8), nullable=False),
    Column("qty_max", BigInteger, nullable=False),
    Column("per_minute", Integer, nullable=False),
    Column("proof", String(16), nullable=False),
    Column("is_on", Integer, nullable=False),
    Column("made_ns", BigInteger, nullable=False),
    Column("made_by", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("name"),
)

HOOK_WORDS = Table(
    "hook_words",
    METADATA,
    Column("hook", String(64), primary_key=True),
    Column("word", String(128), primary_key=True),
    Column("until_ns", BigInteger, nullable=False),
    Index(None, "until_ns"),
)
