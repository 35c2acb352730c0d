"""Zerodha's Kite Connect. So far its history."""
