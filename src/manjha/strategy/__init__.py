"""What to trade: the strategy contract, its parameters, compiled indicators and a library of strategies."""
