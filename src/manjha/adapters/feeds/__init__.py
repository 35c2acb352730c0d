"""Feeds that need no broker."""
