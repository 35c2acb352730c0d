"""Accounts as whoever is not their trader sees them: followed by their journals, asked, summed up."""
