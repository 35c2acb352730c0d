"""More than can be taken: ticks while nobody takes them, events while nothing is sent. What waits is counted from
outside, by what was handed over and what comes out again."""

import asyncio

from manjha.app.trading.inbox import Inbox
from manjha.domain.events import BandChanged
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.ticks import Tick
from tests.fakes.paper import Paper
from tests.fakes.tick_runs import random_tick_run

TICKS_BOUND = 4_096
"""Ticks that may wait in an inbox (RELIABILITY INV-25: every queue has a bound)."""
ROWS_BOUND = 500
"""Rows that may wait for the disk."""
STORM = 10_000
NAMES = tuple(InstrumentId(f"NSE:S{number}") for number in range(50))


def tick_storm(*, joins: bool) -> str:
    """Hand over ticks that nobody takes; return what is wrong, or nothing."""

    async def storm() -> str:
        inbox, handed = Inbox(joins=joins), 0

        async def hand_over() -> None:
            nonlocal handed
            for at in range(STORM):
                await inbox.put(Tick(NAMES[at % len(NAMES)], TsNs(at), Px(1_000_000), Qty(1)))
                handed += 1

        feeding = asyncio.create_task(hand_over())
        for _ in range(5):
            await asyncio.sleep(0)
        feeding.cancel()
        came, volume = 0, 0
        while (tick := inbox.take()) is not None:
            came, volume = came + 1, volume + tick.volume
        if came > TICKS_BOUND:
            return f"INV-25 {came} ticks waited, {TICKS_BOUND} may"
        return "" if volume == handed else f"INV-25 {handed - volume} of what was handed over is lost"

    return asyncio.run(storm())


def row_storm() -> str:
    """Let things happen on which nothing is sent; return what is wrong with the rows that wait, or nothing."""
    paper = Paper(random_tick_run(3), "run")
    session = paper.start()
    session.trader.rest()
    written, most = len(paper.shared.rows), 0
    for happened in range(1, STORM // 5):
        event = BandChanged(NAMES[0], Px(happened), Px(happened + 1), session.pump.now_ns)
        session.pump.apply(event)
        most = max(most, happened - (len(paper.shared.rows) - written))
    return f"INV-25 {most} rows waited for the disk, {ROWS_BOUND} may" if most > ROWS_BOUND else ""


def storms() -> str:
    """Go through all of them; return what is wrong first."""
    return tick_storm(joins=False) or tick_storm(joins=True) or row_storm()
