"""What is held and what it is worth: positions, cash, settlement, corporate actions on what is held."""
