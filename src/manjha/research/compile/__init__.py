"""Strategies that act in `on_bar`, compiled through generated source; `docs/kernel.md` says what can be."""
