"""Who may use the bot: owners, addresses and successors of tokens, sessions, passwords, attempts, and the log of it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_MADE = ("audit_head", "audit_log", "attempts", "one_time_links", "people", "session_keys", "sessions")


def upgrade() -> None:
    """Make the tables, and let a token keep its name while it is rotated."""
    op.add_column("api_tokens", sa.Column("owner", sa.String(64), nullable=False, server_default="owner"))
    op.add_column("api_tokens", sa.Column("addresses", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("api_tokens", sa.Column("replaced_by", sa.String(64)))
    _one_of_a_name("revoked_ns IS NULL AND replaced_by IS NULL")
    _sessions()
    op.create_table(
        "people",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("password", sa.String(400), nullable=False),
        sa.Column("changed_ns", sa.BigInteger(), nullable=False),
        sa.Column("has_factor", sa.Boolean(), nullable=False),
        sa.Column("factor_step", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_people"),
    )
    op.create_table(
        "one_time_links",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("made_ns", sa.BigInteger(), nullable=False),
        sa.Column("expires_ns", sa.BigInteger(), nullable=False),
        sa.Column("used_ns", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_one_time_links"),
    )
    op.create_table(
        "attempts",
        sa.Column("key", sa.String(200), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("due_ns", "failures", "locked_ns")),
        sa.Column("changed_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_attempts"),
    )
    op.create_index("ix_attempts_changed_ns", "attempts", ["changed_ns"])
    _audit()


def downgrade() -> None:
    """Drop them. A token that was replaced is revoked, as older tables know one valid token of a name."""
    for name in _MADE:
        op.drop_table(name)
    tokens = sa.table("api_tokens", *map(sa.column, ("revoked_ns", "created_ns", "replaced_by")))
    replaced = tokens.c.replaced_by.is_not(None) & tokens.c.revoked_ns.is_(None)
    op.get_bind().execute(sa.update(tokens).where(replaced).values(revoked_ns=tokens.c.created_ns))
    _one_of_a_name("revoked_ns IS NULL")
    for column in ("replaced_by", "addresses", "owner"):
        op.drop_column("api_tokens", column)


def _one_of_a_name(condition: str) -> None:
    where = sa.text(condition)
    op.drop_index("uq_api_tokens_name", "api_tokens")
    op.create_index(
        "uq_api_tokens_name", "api_tokens", ["name"], unique=True, sqlite_where=where, postgresql_where=where
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("started_ns", sa.BigInteger(), nullable=False),
        sa.Column("expires_ns", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("stepped_up_ns", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ns", sa.BigInteger()),
        sa.Column("why", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_table(
        "session_keys",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("access_hash", sa.LargeBinary(), nullable=False),
        sa.Column("access_expires_ns", sa.BigInteger(), nullable=False),
        sa.Column("refresh_hash", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_expires_ns", sa.BigInteger(), nullable=False),
        sa.Column("spent_ns", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_session_keys"),
        sa.ForeignKeyConstraint(["session"], ["sessions.id"], name="fk_session_keys_session"),
    )
    op.create_index("ix_session_keys_session", "session_keys", ["session"])
    op.create_index("ix_session_keys_access_expires_ns", "session_keys", ["access_expires_ns"])


def _audit() -> None:
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ts_ns", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_log"),
    )
    op.create_table(
        "audit_head",
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_audit_head"),
    )
