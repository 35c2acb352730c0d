"""What journals add up to: orders, trades, contract notes, positions, and how far they have come."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _orders()
    _trades()
    _others()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("projections")
    op.drop_table("positions")
    op.drop_table("contract_notes")
    op.drop_table("trades")
    op.drop_table("orders")


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("strategy", sa.String(200), nullable=False),
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("instrument", sa.String(200), nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(8), nullable=False),
        sa.Column("product", sa.String(8), nullable=False),
        sa.Column("variety", sa.String(16), nullable=False),
        sa.Column("validity", sa.String(8), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("decided_ns", sa.BigInteger(), nullable=False),
        sa.Column("asked_qty", sa.BigInteger(), nullable=False),
        sa.Column("asked_limit", sa.BigInteger(), nullable=False),
        sa.Column("asked_trigger", sa.BigInteger(), nullable=False),
        sa.Column("stop", sa.BigInteger()),
        sa.Column("target", sa.BigInteger()),
        sa.Column("trail", sa.BigInteger()),
        sa.Column("exit_ns", sa.BigInteger()),
        sa.Column("parent", sa.String(64)),
        sa.Column("group", sa.String(64)),
        sa.Column("disclosed", sa.BigInteger(), nullable=False),
        sa.Column("protection_bps", sa.Integer(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("broker_id", sa.String(64), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("qty", sa.BigInteger(), nullable=False),
        sa.Column("limit", sa.BigInteger(), nullable=False),
        sa.Column("trigger", sa.BigInteger(), nullable=False),
        sa.Column("filled", sa.BigInteger(), nullable=False),
        sa.Column("turnover", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("closed_ns", sa.BigInteger(), nullable=False),
        sa.Column("alarms", sa.Integer(), nullable=False),
        sa.Column("placed_seq", sa.BigInteger(), nullable=False),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id", name="pk_orders"),
    )
    op.create_index("ix_orders_account_phase", "orders", ["account", "phase"])
    op.create_index("ix_orders_account_placed_seq", "orders", ["account", "placed_seq"])


def _trades() -> None:
    op.create_table(
        "trades",
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("strategy", sa.String(200), nullable=False),
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("instrument", sa.String(200), nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("qty", sa.BigInteger(), nullable=False),
        sa.Column("px", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.BigInteger(), nullable=False),
        sa.Column("product", sa.String(8), nullable=False),
        sa.Column("ts_ns", sa.BigInteger(), nullable=False),
        sa.Column("brokerage", sa.BigInteger()),
        sa.Column("stt", sa.BigInteger()),
        sa.Column("exchange", sa.BigInteger()),
        sa.Column("ipft", sa.BigInteger()),
        sa.Column("sebi", sa.BigInteger()),
        sa.Column("stamp", sa.BigInteger()),
        sa.Column("gst", sa.BigInteger()),
        sa.Column("dp", sa.BigInteger()),
        sa.Column("other", sa.BigInteger()),
        sa.PrimaryKeyConstraint("account", "seq", name="pk_trades"),
        sa.ForeignKeyConstraint(["account", "order_id"], ["orders.account", "orders.id"], name="fk_trades_account"),
    )
    op.create_index("ix_trades_account_order_id", "trades", ["account", "order_id"])
    op.create_index("ix_trades_account_run_seq", "trades", ["account", "run", "seq"])


def _others() -> None:
    op.create_table(
        "contract_notes",
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("strategy", sa.String(200), nullable=False),
        sa.Column("ts_ns", sa.BigInteger(), nullable=False),
        sa.Column("brokerage", sa.BigInteger(), nullable=False),
        sa.Column("stt", sa.BigInteger(), nullable=False),
        sa.Column("exchange", sa.BigInteger(), nullable=False),
        sa.Column("ipft", sa.BigInteger(), nullable=False),
        sa.Column("sebi", sa.BigInteger(), nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.Column("gst", sa.BigInteger(), nullable=False),
        sa.Column("dp", sa.BigInteger(), nullable=False),
        sa.Column("other", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "seq", name="pk_contract_notes"),
    )
    op.create_table(
        "positions",
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("strategy", sa.String(200), nullable=False),
        sa.Column("instrument", sa.String(200), nullable=False),
        sa.Column("product", sa.String(8), nullable=False),
        sa.Column("qty", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("realised", sa.BigInteger(), nullable=False),
        sa.Column("changed_ns", sa.BigInteger(), nullable=False),
        sa.Column("changed_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "strategy", "instrument", "product", name="pk_positions"),
    )
    op.create_table(
        "projections",
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("strikes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", name="pk_projections"),
    )
