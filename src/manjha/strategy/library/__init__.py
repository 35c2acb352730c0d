"""Strategies that Indian traders know, one file each. They are found by name; nothing imports them directly."""
