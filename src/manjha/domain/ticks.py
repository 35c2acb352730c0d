"""Ticks: single observations of trading in one instrument."""

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty


class TickColumns(msgspec.Struct, frozen=True):
    """Many ticks of one instrument, in the order they were observed, as int64 memoryviews of equal length.

    `ts_ns` is non-decreasing; `px` in 1e-4 rupee; `volume` is the traded quantity of this observation in units
    (sources that publish a running day total are differenced at the door); zero where the source gives none.
    """

    instrument: InstrumentId
    ts_ns: memoryview
    px: memoryview
    volume: memoryview

    def __len__(self) -> int:
        return len(self.px)


class Tick(msgspec.Struct, frozen=True, gc=False):
    """One observation, as it comes: the last price in 1e-4 rupee and what was traded since the one before, in units.

    `ts_ns` is the exchange's stamp. `volume` is zero where the source gives none.
    """

    instrument: InstrumentId
    ts_ns: TsNs
    px: Px
    volume: Qty = Qty(0)
