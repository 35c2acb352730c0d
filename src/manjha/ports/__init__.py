"""What the core asks of the outside: protocols only. A port appears when something implements it."""
