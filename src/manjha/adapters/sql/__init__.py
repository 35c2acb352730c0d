"""Records in a relational database: SQLite by default, PostgreSQL by URL, one set of tables."""
