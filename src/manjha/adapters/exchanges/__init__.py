"""The daily files that NSE and BSE publish."""
