"""What can be asked of the exchange, a module a topic; each has a `ROUTES` that `table` joins."""
