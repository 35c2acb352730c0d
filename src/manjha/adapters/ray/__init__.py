"""Ray: the same tasks over a cluster of machines."""
