"""The tables that are made of journals, as the newest migration leaves them."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, Integer, LargeBinary, String, Table, Text

from manjha.adapters.sql.tables import METADATA
from manjha.domain.charges import LINES

ORDERS = Table(
    "orders",
    METADATA,
    Column("account", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("strategy", String(200), nullable=False),
    Column("run", String(64), nullable=False),
    Column("instrument", String(200), nullable=False),
    Column("side", Integer, nullable=False),
    Column("type", String(8), nullable=False),
    Column("product", String(8), nullable=False),
    Column("variety", String(16), nullable=False),
    Column("validity", String(8), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("decided_ns", BigInteger, nullable=False),
    Column("asked_qty", BigInteger, nullable=False),
    Column("asked_limit", BigInteger, nullable=False),
    Column("asked_trigger", BigInteger, nullable=False),
    Column("stop", BigInteger),
    Column("target", BigInteger),
    Column("trail", BigInteger),
    Column("exit_ns", BigInteger),
    Column("parent", String(64)),
    Column("group", String(64)),
    Column("disclosed", BigInteger, nullable=False),
    Column("protection_bps", Integer, nullable=False),
    Column("tag", Text, nullable=False),
    Column("broker_id", String(64), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("qty", BigInteger, nullable=False),
    Column("limit", BigInteger, nullable=False),
    Column("trigger", BigInteger, nullable=False),
    Column("filled", BigInteger, nullable=False),
    Column("turnover", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("closed_ns", BigInteger, nullable=False),
    Column("alarms", Integer, nullable=False),
    Column("placed_seq", BigInteger, nullable=False),
    Column("changed_seq", BigInteger, nullable=False),
    Index(None, "account", "placed_seq"),
    Index(None, "account", "phase"),
)

TRADES = Table(
    "trades",
    METADATA,
    Column("account", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", String(64), nullable=False),
    Column("order_id", String(64), nullable=False),
    Column("strategy", String(200), nullable=False),
    Column("run", String(64), nullable=False),
    Column("instrument", String(200), nullable=False),
    Column("side", Integer, nullable=False),
    Column("qty", BigInteger, nullable=False),
    Column("px", BigInteger, nullable=False),
    Column("reference", BigInteger, nullable=False),
    Column("product", String(8), nullable=False),
    Column("ts_ns", BigInteger, nullable=False),
    *(Column(line, BigInteger) for line in LINES),
    ForeignKeyConstraint(["account", "order_id"], ["orders.account", "orders.id"]),
    Index(None, "account", "order_id"),
    Index(None, "account", "run", "seq"),
)

NOTES = Table(
    "contract_notes",
    METADATA,
    Column("account", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, nullable=False),
    Column("strategy", String(200), nullable=False),
    Column("ts_ns", BigInteger, nullable=False),
    *(Column(line, BigInteger, nullable=False) for line in LINES),
)

POSITIONS = Table(
    "positions",
    METADATA,
    Column("account", String(64), primary_key=True),
    Column("strategy", String(200), primary_key=True),
    Column("instrument", String(200), primary_key=True),
    Column("product", String(8), primary_key=True),
    Column("qty", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("realised", BigInteger, nullable=False),
    Column("changed_ns", BigInteger, nullable=False),
    Column("changed_seq", BigInteger, nullable=False),
)

PROJECTIONS = Table(
    "projections",
    METADATA,
    Column("account", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("day", Integer, nullable=False),
    Column("strikes", Text, nullable=False),
)
