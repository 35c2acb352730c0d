"""Statistics of a run: pure functions over returns and round trips, and the registry that names them all.

Fractions are fractions (0.05 is 5 %), money is in 1e-4 rupee. What is not defined is NaN, never zero; a ratio with
nothing lost below it is +infinity. Every function says its formula.
"""
