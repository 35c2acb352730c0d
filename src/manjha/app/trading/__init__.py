"""A trader put together: its loop and its way out, on paper, over a stream, and at a broker."""
