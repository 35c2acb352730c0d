"""What goes wrong: by plan, by a person in the account, by the broker that manages its risk."""
