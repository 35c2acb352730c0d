"""Jobs that worker processes do: what was asked, how far it is, what came of it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; the row that counts changes is there from the beginning."""
    op.create_table(
        "jobs",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("by", sa.String(200), nullable=False),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("progress", "summary", "artefacts", "problem")),
        sa.Column("made_ns", sa.BigInteger(), nullable=False),
        *(sa.Column(f"{name}_ns", sa.BigInteger()) for name in ("started", "ended", "beat", "cancel")),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("deaths", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(64), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_jobs"),
        sa.UniqueConstraint("id", name="uq_jobs_id"),
    )
    op.create_index("ix_jobs_changed", "jobs", ["changed"], unique=True)
    op.create_index("ix_jobs_place_state", "jobs", ["place", "state"])
    keyed = sa.text("key <> ''")
    op.create_index("uq_jobs_by_key", "jobs", ["by", "key"], unique=True, sqlite_where=keyed, postgresql_where=keyed)
    counter = op.create_table(
        "job_changes",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job_changes"),
    )
    op.bulk_insert(counter, [{"id": 1, "last": 0}])


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("job_changes")
    op.drop_table("jobs")
