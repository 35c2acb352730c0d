"""Indian market rules as pure functions over one frozen `MarketRules` value."""
