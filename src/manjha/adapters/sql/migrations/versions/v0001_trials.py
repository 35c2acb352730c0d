"""Trials, and the studies that they belong to."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "trials",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("variant", sa.String(32), nullable=False),
        sa.Column("strategy", sa.String(200), nullable=False),
        sa.Column("source_hash", sa.String(64), nullable=False),
        sa.Column("data_set", sa.Text(), nullable=False),
        sa.Column("data_hash", sa.String(64), nullable=False),
        sa.Column("interval", sa.Integer(), nullable=False),
        sa.Column("first_ns", sa.BigInteger(), nullable=False),
        sa.Column("last_ns", sa.BigInteger(), nullable=False),
        sa.Column("settings_hash", sa.String(64), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger())
            for name in ("mean", "deviation", "skewness", "kurtosis", "sharpe", "final", "total_return", "max_drawdown")
        ),
        sa.Column("trades", sa.Integer(), nullable=False),
        sa.Column("returns", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_trials"),
        sa.UniqueConstraint("key", name="uq_trials_key"),
    )
    op.create_index("ix_trials_strategy_data_set_variant", "trials", ["strategy", "data_set", "variant"])
    op.create_table(
        "study_trials",
        sa.Column("study", sa.String(200), nullable=False),
        sa.Column("trial_key", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("study", "trial_key", name="pk_study_trials"),
        sa.ForeignKeyConstraint(["trial_key"], ["trials.key"], name="fk_study_trials_trial_key"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("study_trials")
    op.drop_table("trials")
