"""What is known of orders at a broker, trades that share a row of a journal, and when a run's end was written down."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_SENT = (
    ("sent_tag", sa.String(32)),
    ("uncertain_ns", sa.BigInteger()),
    ("absent", sa.Integer()),
    ("is_sought", sa.Integer()),
    ("is_short", sa.Integer()),
    ("seen_over", sa.Integer()),
    ("seen_ns", sa.BigInteger()),
    ("seen_source", sa.Integer()),
    ("seen_status", sa.String(32)),
    ("seen_qty", sa.BigInteger()),
    ("seen_limit", sa.BigInteger()),
    ("seen_trigger", sa.BigInteger()),
    ("seen_reason", sa.Text()),
    ("seen_filled", sa.BigInteger()),
)
_LINES = ("brokerage", "stt", "exchange", "ipft", "sebi", "stamp", "gst", "dp", "other")
_MADE = ("trades", "orders", "contract_notes", "positions", "projections")


def upgrade() -> None:
    """Add the columns. What was made of journals before stays; its mark says that it was made by the first fold."""
    for name, kind in _SENT:
        op.add_column("orders", sa.Column(name, kind))
    op.create_index("ix_orders_account_sent_tag", "orders", ["account", "sent_tag"])
    op.create_index("ix_orders_account_broker_id", "orders", ["account", "broker_id"])
    _trades(with_number=True)
    op.create_index("ix_trades_account_id", "trades", ["account", "id"])
    op.add_column("projections", sa.Column("desk", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("projections", sa.Column("form", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("runs", sa.Column("closed_ns", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Drop them; of accounts at a broker the older fold would go on wrongly, so it has to make them anew."""
    _forget_brokers()
    op.drop_column("runs", "closed_ns")
    op.drop_column("projections", "form")
    op.drop_column("projections", "desk")
    op.drop_index("ix_trades_account_id", "trades")
    _trades(with_number=False)
    op.drop_index("ix_orders_account_broker_id", "orders")
    op.drop_index("ix_orders_account_sent_tag", "orders")
    for name, _ in reversed(_SENT):
        op.drop_column("orders", name)


def _forget_brokers() -> None:
    """Take out what was made of the journals of accounts of which anything was read at a broker."""
    orders = sa.table("orders", sa.column("account"), sa.column("sent_tag"), sa.column("strategy"))
    positions = sa.table("positions", sa.column("account"), sa.column("strategy"))
    connection = op.get_bind()
    sent = (orders.c.sent_tag.is_not(None)) | (orders.c.strategy == "EXTERNAL")
    accounts = set(connection.scalars(sa.select(orders.c.account).where(sent)))
    accounts |= set(connection.scalars(sa.select(positions.c.account).where(positions.c.strategy == "EXTERNAL")))
    for account in sorted(accounts):
        for name in _MADE:
            made = sa.table(name, sa.column("account"))
            connection.execute(sa.delete(made).where(made.c.account == account))


def _trades(*, with_number: bool) -> None:
    """Make the table anew with another primary key, which SQLite cannot change; its rows are kept."""
    keys = ["account", "seq", "number"] if with_number else ["account", "seq"]
    for name in ("ix_trades_account_run_seq", "ix_trades_account_order_id"):
        op.drop_index(name, "trades")
    op.rename_table("trades", "trades_before")
    if op.get_bind().dialect.name == "postgresql":
        # There, names of constraints are those of indexes, which no two tables share.
        op.drop_constraint("fk_trades_account", "trades_before", type_="foreignkey")
        op.drop_constraint("pk_trades", "trades_before", type_="primary")
    columns: list[sa.Column[Any]] = [
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("strategy", sa.String(200), nullable=False),
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("instrument", sa.String(200), nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("qty", "px", "reference")),
        sa.Column("product", sa.String(8), nullable=False),
        sa.Column("ts_ns", sa.BigInteger(), nullable=False),
        *(sa.Column(line, sa.BigInteger()) for line in _LINES),
    ]
    if with_number:
        columns.append(sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, server_default="0"))
    made = op.create_table(
        "trades",
        *columns,
        sa.PrimaryKeyConstraint(*keys, name="pk_trades"),
        sa.ForeignKeyConstraint(["account", "order_id"], ["orders.account", "orders.id"], name="fk_trades_account"),
    )
    names = [column.name for column in columns if column.name != "number"]
    before = sa.table("trades_before", *map(sa.column, names))
    op.get_bind().execute(sa.insert(made).from_select(names, sa.select(before)))
    op.drop_table("trades_before")
    op.create_index("ix_trades_account_order_id", "trades", ["account", "order_id"])
    op.create_index("ix_trades_account_run_seq", "trades", ["account", "run", "seq"])
