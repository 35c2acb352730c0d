"""What the exchange tells by itself: the ticker, its frames, and postbacks."""
