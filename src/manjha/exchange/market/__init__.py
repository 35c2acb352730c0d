"""The market that all accounts share, and what can be read of it."""
