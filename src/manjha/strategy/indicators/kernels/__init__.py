"""The compiled arithmetic of the indicators. Imported on first use, because numba takes a third of a second.

Every indicator NAME has three functions here. `NAME_init(scale, *parameters)` allocates the state `(f, i)`, a float64
and an int64 array. `NAME_update(f, i, x, ...)` takes one bar, changes the state in place and returns the value, or a
tuple of them. `NAME_fold(f, i, column, ..., out)` does the same for every row of the columns, continuing from the
state, and fills float64 `out`, a tuple of arrays where there are several. Update and fold share the arithmetic, in the
same order, so they agree to the last bit. numpy makes the arrays: it asks the system for huge pages, which made MACD
three times as fast.

A kernel calls kernels of its own file only: numba's disk cache looks at the file of a function, not at those of the
functions it calls, and would go on using an old copy.
"""
