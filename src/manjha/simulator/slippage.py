"""Slippage models: how much worse than the reference price a market order or triggered stop trades. Exact integers."""

from typing import Protocol

import msgspec

BPS = 10_000


class Slippage(Protocol):
    """A named model with one method."""

    def px(self, reference: int, side: int, qty: int, volume: int, tick: int) -> int:
        """Return the price that is traded, on the tick, never better than the reference (1e-4 rupee)."""
        ...


def ticks_worse(reference: int, side: int, ticks: int, tick: int) -> int:
    """Return a price moved against us by whole ticks, at least one tick above zero."""
    return max(tick, reference + side * ticks * tick)


def bps_in_ticks(reference: int, bps: int, tick: int) -> int:
    """Return how many ticks a share of a price is, rounded up."""
    return -(-reference * bps // (BPS * tick))


def volume_bps_in_ticks(reference: int, bps_at_full: int, qty: int, volume: int, tick: int) -> int:
    """Return how many ticks the order's share of the bar's volume costs, rounded up; all of it without volume."""
    share = min(qty, volume) if volume > 0 else 1
    whole = volume if volume > 0 else 1
    return -(-reference * bps_at_full * share // (BPS * whole * tick))


class NoSlippage(msgspec.Struct, frozen=True, tag=True):
    """Trade at the reference."""

    def px(self, reference: int, side: int, qty: int, volume: int, tick: int) -> int:
        """Return the reference."""
        del side, qty, volume, tick
        return reference


class FixedTicks(msgspec.Struct, frozen=True, tag=True):
    """Trade this many ticks worse."""

    ticks: int

    def px(self, reference: int, side: int, qty: int, volume: int, tick: int) -> int:
        """Return the reference moved by whole ticks."""
        del qty, volume
        return ticks_worse(reference, side, self.ticks, tick)


class BasisPoints(msgspec.Struct, frozen=True, tag=True):
    """Trade this many hundredths of a percent worse, rounded up to the tick."""

    bps: int

    def px(self, reference: int, side: int, qty: int, volume: int, tick: int) -> int:
        """Return the reference moved by a share of itself."""
        del qty, volume
        return ticks_worse(reference, side, bps_in_ticks(reference, self.bps, tick), tick)


class VolumeShare(msgspec.Struct, frozen=True, tag=True):
    """Trade worse in proportion to the share of the bar's volume: `bps_at_full` when the order is the whole volume.

    A bar without volume counts as fully taken.
    """

    bps_at_full: int

    def px(self, reference: int, side: int, qty: int, volume: int, tick: int) -> int:
        """Return the reference moved by the order's share of the volume, at most the whole."""
        ticks = volume_bps_in_ticks(reference, self.bps_at_full, qty, volume, tick)
        return ticks_worse(reference, side, ticks, tick)


SlippageModel = NoSlippage | FixedTicks | BasisPoints | VolumeShare
