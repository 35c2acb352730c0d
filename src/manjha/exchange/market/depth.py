"""The five best bids and offers that the wire shows. Simulated: the venue matches against ticks, not against these.

They stand on the tick around the last price, with quantities that follow from instrument, price and level alone: the
same moment shows the same depth to everybody, on every machine. Inside the circuit limits only, as a real book is.
"""

from typing import NamedTuple

from manjha.domain.instrument import Instrument
from manjha.exchange.market.market import Standing

LEVELS = 5
_MULTIPLIER, _INCREMENT, _MODULUS = 1_103_515_245, 12_345, 2**31
_LOTS_MAX = 400


class Level(NamedTuple):
    """One level: quantity in units, price in 1e-4 rupee, number of orders; zeros where there is none."""

    qty: int
    px: int
    orders: int


NONE = Level(0, 0, 0)


def depth_of(instrument: Instrument, standing: Standing) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    """Return five bids and five offers, the best first; empty levels before the first trade and of an index."""
    last, tick = standing.last or standing.close, instrument.tick
    if not last or not instrument.is_tradable:
        return (NONE,) * LEVELS, (NONE,) * LEVELS
    on_tick = last // tick * tick
    if last == standing.band_low:
        # Nobody buys at the lower limit: the best offer stands at it.
        on_tick -= tick
    bids = tuple(_level(instrument, standing, on_tick - tick * at, 2 * at) for at in range(LEVELS))
    offers = tuple(_level(instrument, standing, on_tick + tick * (at + 1), 2 * at + 1) for at in range(LEVELS))
    return bids, offers


def _level(instrument: Instrument, standing: Standing, px: int, number: int) -> Level:
    low, high = standing.band_low, standing.band_high
    if px <= 0 or (high and not low <= px <= high):
        return NONE
    drawn = ((px + standing.volume) * 10 + number) * _MULTIPLIER % _MODULUS
    drawn = (drawn * _MULTIPLIER + _INCREMENT) % _MODULUS >> 8
    lots = drawn % _LOTS_MAX + 1
    return Level(lots * instrument.lot, px, drawn // _LOTS_MAX % min(lots, 40) + 1)
