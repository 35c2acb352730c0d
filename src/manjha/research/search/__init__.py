"""Search over the parameters of a strategy: which combinations there are, how one is evaluated, which is best."""
