"""Bars for a chart: no more of them than it has room for, each the honest summary of those it stands for."""

from typing import TYPE_CHECKING, Any, cast

from manjha.domain.bars import BarColumns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def thinned(bars: BarColumns, points: int) -> BarColumns:
    """Return at most `points` bars: neighbours become one with their first open, last close, extremes and volume.

    Every bar but the last stands for the same number of bars. Nothing of a price's range is lost, as it is where
    points are picked. Open interest is the last of each. Bars that have room are returned as they are.
    """
    import numpy as np

    count = len(bars)
    if count <= points:
        return bars
    each = -(-count // points)
    starts = np.arange(0, count, each)
    ends = np.append(starts[1:], count) - 1

    def column(name: str) -> "NDArray[np.int64]":
        return np.asarray(getattr(bars, name))

    return BarColumns(
        bars.instrument,
        bars.interval,
        ts_open_ns=_view(column("ts_open_ns")[starts]),
        ts_close_ns=_view(column("ts_close_ns")[ends]),
        open=_view(column("open")[starts]),
        high=_view(np.maximum.reduceat(column("high"), starts)),
        low=_view(np.minimum.reduceat(column("low"), starts)),
        close=_view(column("close")[ends]),
        volume=_view(np.add.reduceat(column("volume"), starts)),
        oi=_view(column("oi")[ends]),
    )


def _view(values: Any) -> memoryview:
    import numpy as np

    return memoryview(cast("Any", np.ascontiguousarray(values, dtype=np.int64))).cast("B").cast("q")
