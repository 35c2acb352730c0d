"""Who there is and what they have: users, logins, limits, money, positions and holdings."""
