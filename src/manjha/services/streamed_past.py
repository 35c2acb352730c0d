"""What a stream of ticks still has of a span of the past, as columns that a run over recorded ticks takes."""

from collections.abc import Sequence

import numpy as np

from manjha.domain.errors import DataError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs, format_ts
from manjha.domain.streams import Began, Streamed, TickSeen
from manjha.domain.ticks import TickColumns
from manjha.engine.bars import column
from manjha.ports.tick_stream import TickStream


async def past_ticks(
    stream: TickStream, instruments: Sequence[InstrumentId], from_ns: TsNs, until_ns: TsNs
) -> list[TickColumns]:
    """Return the ticks of each instrument that arrived in [from_ns, until_ns) by the publisher's clock, oldest first.

    It ends where the stream has no more. Raises `DataError` where it has none of the span.
    """
    began, _ = await stream.last()
    # The time of a simulated exchange is not that of the stream: all that is kept is looked through.
    apart = began is None or (isinstance(began.message, Began) and began.message.made_up)
    found: dict[InstrumentId, list[TickSeen]] = {name: [] for name in instruments}
    epoch = 0
    async for batch in stream.read(instruments, since_ns=TsNs(0) if apart else from_ns):
        if not batch:
            break
        for one in batch:
            epoch = max(epoch, _epoch_of(one))
            seen = one.message
            if isinstance(seen, TickSeen) and seen.epoch == epoch and from_ns <= seen.arrived_ns < until_ns:
                found[seen.instrument].append(seen)
    if not any(found.values()):
        raise DataError(
            f"the stream has no tick of these instruments from {format_ts(from_ns)[:10]} to {format_ts(until_ns)[:10]}",
            hint="It keeps stream.keep_hours; what `manjha data record` has recorded is taken with --ticks recorded.",
        )
    return [_columns(name, sorted(found[name], key=lambda one: one.ts_ns)) for name in instruments]


def _epoch_of(one: Streamed) -> int:
    return one.seq if isinstance(one.message, Began) else one.message.epoch


def _columns(name: InstrumentId, seen: Sequence[TickSeen]) -> TickColumns:
    values = ([getattr(one, field) for one in seen] for field in ("ts_ns", "px", "volume"))
    return TickColumns(name, *(column(np.array(one, np.int64)) for one in values))
