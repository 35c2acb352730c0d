"""The journal's tables, apart from those of records: a file of its own, and rows that can only be added.

They are made by the journal itself and change with its format, not with migrations: a chain cannot be migrated.
"""

from typing import Any

from sqlalchemy import DDL, BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, event

JOURNAL_METADATA = MetaData()

JOURNAL = Table(
    "journal",
    JOURNAL_METADATA,
    Column("account", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("run", String(64), nullable=False),
    Column("ts_ns", BigInteger, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

HEADS = Table(
    "journal_heads",
    JOURNAL_METADATA,
    Column("account", String(64), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("format", Integer, nullable=False),
)

SNAPSHOTS = Table(
    "journal_snapshots",
    JOURNAL_METADATA,
    Column("account", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("payload", LargeBinary, nullable=False),
)


def _ddl(statement: str, dialect: str) -> Any:
    made: Any = DDL(statement)  # type: ignore[no-untyped-call]
    return made.execute_if(dialect=dialect)


_REFUSE = """
CREATE TRIGGER journal_keeps_{verb} BEFORE {verb} ON journal
BEGIN SELECT RAISE(ABORT, 'rows of the journal can only be added'); END
"""
for _verb in ("UPDATE", "DELETE"):
    event.listen(JOURNAL, "after_create", _ddl(_REFUSE.format(verb=_verb), "sqlite"))

_FUNCTION = """
CREATE OR REPLACE FUNCTION manjha_journal_keeps() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'rows of the journal can only be added'; END $$
"""
_TRIGGER = """
CREATE TRIGGER journal_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
FOR EACH STATEMENT EXECUTE FUNCTION manjha_journal_keeps()
"""
for _statement in (_FUNCTION, _TRIGGER):
    event.listen(JOURNAL, "after_create", _ddl(_statement, "postgresql"))
