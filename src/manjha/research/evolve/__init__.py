"""Rules that are bred: typed expression trees over indicators, varied, selected, and written out as strategy files."""
