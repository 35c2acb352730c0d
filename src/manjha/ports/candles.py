"""Where bars of the last minutes come from when ticks of them are missing."""

from collections.abc import Sequence
from typing import Protocol

from manjha.domain.bars import Bar
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs


class CandleSource(Protocol):
    """Bars of one minute of the instruments of a run, while it trades."""

    @property
    def source(self) -> str:
        """Whose they are, as a journal has it."""
        ...

    async def minutes(self, instrument: InstrumentId, from_ns: TsNs, until_ns: TsNs) -> Sequence[Bar]:
        """Return the minutes that open in [from_ns, until_ns), ascending; one without a trade is not among them.

        The last ones may be missing, or not be whole yet: a broker makes them some seconds after they close. Prices are
        those of today, without the adjustment of actions to come.

        Raises
        ------
        SourceError
            They cannot be had now.
        """
        ...
