"""Who may do what: callers, their tokens and sessions."""
