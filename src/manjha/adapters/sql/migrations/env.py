"""What Alembic runs to bring the tables of one connection up to date; `database.upgrade` hands the connection over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
