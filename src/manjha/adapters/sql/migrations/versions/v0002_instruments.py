"""Instruments by themselves, so that trials on bars of any length count together."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and fill it from the names of the data sets, which end with the interval."""
    op.add_column("trials", sa.Column("instruments", sa.Text(), nullable=False, server_default=""))
    trials = sa.table("trials", sa.column("data_set", sa.Text()), sa.column("instruments", sa.Text()))
    connection = op.get_bind()
    for name in connection.scalars(sa.select(trials.c.data_set).distinct()).all():
        instruments, _, last = name.rpartition(" ")
        # A long list was shortened, with a hash of itself and the interval: it goes on to count by its data set only.
        known = name if last.startswith("#") else instruments
        connection.execute(sa.update(trials).where(trials.c.data_set == name).values(instruments=known))
    op.create_index("ix_trials_strategy_instruments", "trials", ["strategy", "instruments"])


def downgrade() -> None:
    """Drop the column."""
    op.drop_index("ix_trials_strategy_instruments", "trials")
    op.drop_column("trials", "instruments")
