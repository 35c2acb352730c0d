"""Answers that are kept under the keys of whoever asked, hooks, and which order changed when."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the indices."""
    op.create_table(
        "kept_answers",
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("own_key", sa.String(64), nullable=False),
        sa.Column("made_ns", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", name="pk_kept_answers"),
    )
    op.create_index("ix_kept_answers_made_ns", "kept_answers", ["made_ns"])
    op.create_table(
        "hooks",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("strategy", sa.String(200), nullable=False),
        sa.Column("instruments", sa.Text(), nullable=False),
        sa.Column("product", sa.String(8), nullable=False),
        sa.Column("qty_max", sa.BigInteger(), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=False),
        sa.Column("proof", sa.String(16), nullable=False),
        sa.Column("is_on", sa.Integer(), nullable=False),
        sa.Column("made_ns", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hooks"),
        sa.UniqueConstraint("name", name="uq_hooks_name"),
    )
    op.create_table(
        "hook_words",
        sa.Column("hook", sa.String(64), nullable=False),
        sa.Column("word", sa.String(128), nullable=False),
        sa.Column("until_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hook", "word", name="pk_hook_words"),
    )
    op.create_index("ix_hook_words_until_ns", "hook_words", ["until_ns"])
    op.create_index("ix_orders_account_changed_seq", "orders", ["account", "changed_seq"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_orders_account_changed_seq", "orders")
    for name in ("hook_words", "hooks", "kept_answers"):
        op.drop_table(name)
