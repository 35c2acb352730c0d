"""The tables of who may use the bot, as the newest migration leaves them."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, String, Table, Text, text

from manjha.adapters.sql.tables import METADATA

API_TOKENS = Table(
    "api_tokens",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger),
    Column("revoked_ns", BigInteger),
    Column("used_ns", BigInteger),
    Column("owner", String(64), nullable=False, server_default="owner"),
    Column("addresses", Text, nullable=False, server_default="[]"),
    Column("replaced_by", String(64)),
)
_VALID = text("revoked_ns IS NULL AND replaced_by IS NULL")
Index("uq_api_tokens_name", API_TOKENS.c.name, unique=True, sqlite_where=_VALID, postgresql_where=_VALID)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("started_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("address", String(64), nullable=False),
    Column("stepped_up_ns", BigInteger, nullable=False),
    Column("revoked_ns", BigInteger),
    Column("why", String(200), nullable=False),
)

SESSION_KEYS = Table(
    "session_keys",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("session", String(64), ForeignKey("sessions.id"), nullable=False),
    Column("access_hash", LargeBinary, nullable=False),
    Column("access_expires_ns", BigInteger, nullable=False),
    Column("refresh_hash", LargeBinary, nullable=False),
    Column("refresh_expires_ns", BigInteger, nullable=False),
    Column("spent_ns", BigInteger),
    Index(None, "session"),
    Index(None, "access_expires_ns"),
)

PEOPLE = Table(
    "people",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("password", String(400), nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Column("has_factor", Boolean, nullable=False),
    Column("factor_step", BigInteger, nullable=False),
)

ONE_TIME_LINKS = Table(
    "one_time_links",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("made_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger, nullable=False),
    Column("used_ns", BigInteger),
)

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("key", String(200), primary_key=True),
    Column("due_ns", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("locked_ns", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Index(None, "changed_ns"),
)

AUDIT_LOG = Table(
    "audit_log",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("ts_ns", BigInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("who", String(200), nullable=False),
    Column("address", String(64), nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

AUDIT_HEAD = Table(
    "audit_head",
    METADATA,
    Column("name", String(16), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
