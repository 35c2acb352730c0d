"""Where recorded ticks are kept, a day at a time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay
from manjha.domain.tick_days import DayRecord, RecordedTick
from manjha.domain.ticks import TickColumns


class TickLog(Protocol):
    """One recorder writes; anybody reads what was committed."""

    def latest(self) -> DayRecord | None:
        """Return the record of the newest day; None where nothing is recorded."""
        ...

    def begin(self, record: DayRecord) -> Iterator[RecordedTick]:
        """Get ready to write after what a record states, and return the ticks that it states; what stands after is cut.

        Raises
        ------
        DataError
            The file is shorter than was stated, or is not what was written.
        """
        ...

    def append(self, ticks: Iterable[RecordedTick]) -> None:
        """Write ticks after those before; nobody knows of them before `commit`."""
        ...

    def commit(self, record: DayRecord) -> DayRecord:
        """Make durable what was appended, and then the record, with rows, size and hash filled in; return it."""
        ...

    def read(self, day: TradingDay, instruments: Sequence[InstrumentId]) -> list[TickColumns] | None:
        """Return a day's ticks of each instrument, in the order asked for; None where the day was not recorded.

        Raises `DataError` as `begin`.
        """
        ...
