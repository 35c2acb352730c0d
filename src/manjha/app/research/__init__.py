"""Backtests, searches and validations from words, and what is said of them."""
