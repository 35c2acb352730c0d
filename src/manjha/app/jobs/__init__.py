"""Jobs put together: the table of kinds, what a worker does, who starts workers."""
