"""Jobs: what may be asked for, who does it, what becomes of it when processes die."""
