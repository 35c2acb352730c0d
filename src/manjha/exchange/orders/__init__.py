"""Orders and their way: what is asked, checked, kept in the book, passed to the market, and placed by triggers."""
