"""Our own orders: their life, the book of them, and how a wish to hold something becomes orders."""
