"""Manjha: an algorithmic trading platform for Indian markets."""
