"""The outside world, one package a foreign system. None imports another; each knows ports, domain and market only."""
