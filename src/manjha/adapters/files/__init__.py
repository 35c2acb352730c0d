"""Files under MANJHA_HOME: the bar store, the instrument book, corporate actions, rule tables, archives."""
