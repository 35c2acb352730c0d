"""What is set aside is not walked over; what is made meanwhile is collected as ever."""

import gc
import weakref

from manjha.app.trading.set_aside import set_aside


class Ring:
    """Holds itself: only the collector frees it."""

    def __init__(self) -> None:
        self.own = self


def dropped() -> "weakref.ref[Ring]":
    """Return what watches a ring that nobody has any more."""
    return weakref.ref(Ring())


def test_only_what_was_there_before_is_passed_over() -> None:
    before = Ring()
    watched = weakref.ref(before)
    with set_aside():
        del before
        meanwhile = dropped()
        gc.collect()
        assert watched() is not None
        assert meanwhile() is None
    gc.collect()
    assert watched() is None
