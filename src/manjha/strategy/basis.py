"""In which shares a column of prices is counted: corporate actions inside it, all at once or bar by bar."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.bars import BarColumns
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.market.adjustment import price_ratio, volume_ratio

Floats = NDArray[np.float64]


def basis_of(columns: BarColumns, actions: Sequence[CorporateAction]) -> tuple[Floats, Floats] | None:
    """Return what each bar's price and volume are to be divided and multiplied by to stay in the first bar's basis.

    None where no action is of this instrument. Ordinary dividends are not adjusted (INDIAN_MARKETS section 6).
    """
    basis = Basis(columns, actions)
    return (basis.price, basis.volume) if basis.counts else None


class Basis:
    """The basis of a series that may go on: that of its first bars in `price` and `volume`, then of one bar more.

    `counts` tells whether any action is of this instrument; without one, no price of it is ever divided.
    """

    def __init__(self, columns: BarColumns, actions: Sequence[CorporateAction]) -> None:
        mine = [a for a in actions if a.instrument == columns.instrument and a.kind is not ActionKind.DIVIDEND]
        self.counts = bool(mine)
        self.price, self.volume = np.ones(len(columns)), np.ones(len(columns))
        # An action by its place in the list: factors are multiplied in this order, whichever took effect first.
        self._pending = dict(enumerate(mine))
        self._factors: dict[int, tuple[float, float]] = {}
        days = (np.asarray(columns.ts_open_ns) + IST_OFFSET_NS) // DAY_NS
        for place, action in enumerate(mine):
            first = int(np.searchsorted(days, action.ex_day))
            if 0 < first < len(columns):
                price, volume = self._take(place, columns.close[first - 1])
                self.price[first:] *= price
                self.volume[first:] *= volume
            elif len(columns) and first == 0:
                del self._pending[place]

    def after(self, opened_ns: int, last_close: int | None) -> tuple[float, float]:
        """Return the divisor of prices and the factor of volumes of the next bar.

        `last_close` is the close of the bar before in 1e-4 rupee; None for a first bar, which no action precedes.
        """
        day = (opened_ns + IST_OFFSET_NS) // DAY_NS
        for place in [place for place, action in self._pending.items() if action.ex_day <= day]:
            if last_close is None:
                del self._pending[place]
            else:
                self._take(place, last_close)
        price = volume = 1.0
        for place in sorted(self._factors):
            price *= self._factors[place][0]
            volume *= self._factors[place][1]
        return price, volume

    def _take(self, place: int, last_close: int) -> tuple[float, float]:
        action = self._pending.pop(place)
        prices, volumes = price_ratio(action, last_close), volume_ratio(action)
        factors = prices.numerator / prices.denominator, volumes.denominator / volumes.numerator
        self._factors[place] = factors
        return factors
