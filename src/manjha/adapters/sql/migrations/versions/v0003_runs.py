"""Runs, and backtests that were run."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "runs",
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("strategy", sa.String(200), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("code_version", sa.String(64), nullable=False),
        sa.Column("rules_hash", sa.String(64), nullable=False),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("ended_ns", sa.BigInteger()),
        sa.Column("exit", sa.Text(), nullable=False),
        sa.Column("recorded", sa.Integer(), nullable=False),
        sa.Column("active_strategy", sa.String(200), nullable=False, server_default=""),
        sa.Column("first_seq", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("last_seq", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("first_ns", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("last_ns", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("orders", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("trades", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("refusals", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("account", "id", name="pk_runs"),
    )
    op.create_index("ix_runs_account_started_ns_id", "runs", ["account", "started_ns", "id"])
    op.create_table(
        "backtests",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True),
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("strategy", sa.String(200), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("instruments", sa.Text(), nullable=False),
        sa.Column("data_set", sa.Text(), nullable=False),
        sa.Column("data_hash", sa.String(64), nullable=False),
        sa.Column("first_ns", sa.BigInteger(), nullable=False),
        sa.Column("last_ns", sa.BigInteger(), nullable=False),
        sa.Column("initial", sa.BigInteger(), nullable=False),
        sa.Column("final", sa.BigInteger(), nullable=False),
        sa.Column("charges", sa.BigInteger(), nullable=False),
        sa.Column("trades", sa.Integer(), nullable=False),
        sa.Column("total_return", sa.BigInteger()),
        sa.Column("max_drawdown", sa.BigInteger()),
        sa.Column("sharpe", sa.BigInteger()),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("made_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_backtests"),
        sa.ForeignKeyConstraint(["account", "run"], ["runs.account", "runs.id"], name="fk_backtests_account"),
    )
    op.create_index("ix_backtests_strategy_number", "backtests", ["strategy", "number"])


def downgrade() -> None:
    """Drop them."""
    op.drop_table("backtests")
    op.drop_table("runs")
