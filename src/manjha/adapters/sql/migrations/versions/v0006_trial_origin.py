"""What a strategy was chosen from, so that the trials of its breeding count with its own."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of the strategies of before nothing is known."""
    op.add_column("trials", sa.Column("chosen_from", sa.String(200), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("trials", "chosen_from")
