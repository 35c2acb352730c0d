"""Experiments: backtests, their statistics and their reports."""
