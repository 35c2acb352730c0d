"""An exchange and a market as pure models: matching, fills, and seeded synthetic prices."""
