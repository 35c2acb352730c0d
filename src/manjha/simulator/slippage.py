"""Slippage models: how much worse than the reference price a market order or triggered stop trades. Exact integers."""

from typing import Protocol

import msgspec

BPS = 10_000


class Slippage(Protocol):
    """A named model with one method."""

    def px(self, reference: int, side: int, qty: int, volume: int, tick: int) -> int:
        """Return the price that is traded, on the tick, never better than the reference (1e-4 rupee)."""
        ...


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
        return max(tick, reference + side * self.ticks * tick)


class BasisPoints(msgspec.Struct, frozen=True, tag=True):
    """Trade this many hundredths of a percent worse, rounded up to the tick."""

    bps: int

    def px(self, reference: int, side: int, qty: int, volume: int, tick: int) -> int:
        """Return the reference moved by a share of itself."""
        del qty, volume
        ticks = -(-reference * self.bps // (BPS * tick))
        return max(tick, reference + side * ticks * tick)


class VolumeShare(msgspec.Struct, frozen=True, tag=True):
    """Trade worse in proportion to the share of the bar's volume: `bps_at_full` when the order is the whole volume.

    A bar without volume counts as fully taken.
    """

    bps_at_full: int

    def px(self, reference: int, side: int, qty: int, volume: int, tick: int) -> int:
        """Return the reference moved by the order's share of the volume, at most the whole."""
        share = min(qty, volume) if volume > 0 else 1
        whole = volume if volume > 0 else 1
        ticks = -(-reference * self.bps_at_full * share // (BPS * whole * tick))
        return max(tick, reference + side * ticks * tick)


SlippageModel = NoSlippage | FixedTicks | BasisPoints | VolumeShare
