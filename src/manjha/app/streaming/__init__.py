"""Streams of ticks put together: who publishes them, and who records them."""
