"""Entries and exits as columns: what a strategy states for whole runs, beside `targets`."""

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Entries(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """When to enter and when to leave: columns of shape (bars, instruments), one each; (bars,) for one instrument.

    At a bar's close, for each instrument: with a position, `leave` closes it and takes back what rests; without one but
    with an order that rests, `leave` and `withdraw` take it back; with neither, a `side` of 1 or −1 asks for an entry,
    by `qty` or the run's sizing. NaN and 0 (or None for a whole column) mean none.

    Attributes
    ----------
    limit, trigger
        Prices of the entry in rupees; without either it is a market order, with a trigger a stop order.
    stop, target, trail
        Exits of the entry, in rupees; `trail` is a distance.
    exit_ns
        Moment at which the entry is closed again, UTC nanoseconds (int64).
    """

    side: ArrayLike
    qty: ArrayLike | None = None
    limit: ArrayLike | None = None
    trigger: ArrayLike | None = None
    stop: ArrayLike | None = None
    target: ArrayLike | None = None
    trail: ArrayLike | None = None
    exit_ns: ArrayLike | None = None
    leave: ArrayLike | None = None
    withdraw: ArrayLike | None = None
