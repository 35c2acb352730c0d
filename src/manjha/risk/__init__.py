"""Risk: how much to trade, what is allowed, and the only place that makes an `Approved`."""
