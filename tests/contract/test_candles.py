"""What every source of minute candles keeps: Kite's way over an exchange on a socket, and the one of the tests."""

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from manjha.adapters.kite.candles import KiteCandles
from manjha.adapters.kite.limits import Limits
from manjha.adapters.kite.observed import Watched
from manjha.adapters.kite.rest import KiteRest, Login
from manjha.adapters.kite.transport import Transport
from manjha.domain.bars import Bar
from manjha.domain.errors import SourceError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, TsNs
from manjha.research.tick_drive import screen
from tests.fakes.exchanges import KEY, an_exchange, on_a_socket, session_of
from tests.fakes.gaps import StreamCandles
from tests.fakes.remote import played
from tests.fakes.virtual_time import VirtualTime
from tests.unit.test_backfill import SlowCandles

Asked = Callable[[int, int], Sequence[Bar]]
"""Asks for minutes that open from the first to before the last, counted from the open of the day."""


def of_kite() -> tuple[Asked, int]:
    exchange = an_exchange("10:00")
    listed = next(one for one in exchange.market.listing.all if one.instrument.symbol == "MANJHA")
    name, bars = listed.instrument.id, exchange.candles.today[listed.instrument.id]
    opens_ns = bars[0].ts_open_ns

    def asked(first: int, last: int, token: str = "", multiplier: int = 1) -> Sequence[Bar]:
        token = token or session_of(exchange).access_token

        async def ask(root: str) -> Sequence[Bar]:
            orders, reads = Transport(root), Transport(root)
            rest = KiteRest(orders, reads, Login(KEY, lambda: token), Limits(time.monotonic))
            source = KiteCandles(rest, {listed.token: Watched(name, multiplier)})
            try:
                return await source.minutes(name, TsNs(opens_ns + first * MINUTE_NS), TsNs(opens_ns + last * MINUTE_NS))
            finally:
                await orders.close()
                await reads.close()

        with on_a_socket(exchange) as root:
            return asyncio.run(ask(root))

    return asked, opens_ns


def of_the_tests() -> tuple[Asked, int]:
    run = played({})
    stream = StreamCandles(run, screen(run.fresh(), run.ticks))
    opens_ns = run.ticks[0].ts_ns[0] // MINUTE_NS * MINUTE_NS
    clock = VirtualTime(opens_ns + 40 * MINUTE_NS)

    def asked(first: int, last: int) -> Sequence[Bar]:
        source = SlowCandles(stream, clock)
        name = InstrumentId(run.ticks[0].instrument)
        return clock.run(source.minutes(name, TsNs(opens_ns + first * MINUTE_NS), TsNs(opens_ns + last * MINUTE_NS)))

    return asked, opens_ns


@pytest.mark.parametrize("make", [of_kite, of_the_tests])
def test_minutes_are_those_that_were_asked_for_in_the_order_of_time(make: Callable[[], tuple[Asked, int]]) -> None:
    asked, opens_ns = make()
    whole = asked(0, 20)
    assert [(bar.ts_open_ns - opens_ns) // MINUTE_NS for bar in whole] == list(range(20))
    assert all(bar.ts_close_ns - bar.ts_open_ns == MINUTE_NS for bar in whole)
    assert all(0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in whole)
    assert any(bar.volume for bar in whole)
    assert asked(5, 9) == whole[5:9]
    assert list(asked(-90, 1)) == [whole[0]]


def test_kites_minutes_are_the_exchanges_own_in_units() -> None:
    exchange = an_exchange("10:00")
    listed = next(one for one in exchange.market.listing.all if one.instrument.symbol == "MANJHA")
    asked, _ = of_kite()
    theirs = exchange.candles.today[listed.instrument.id][:10]
    assert [(one.open, one.high, one.low, one.close, one.volume) for one in asked(0, 10)] == [
        (one.open, one.high, one.low, one.close, one.volume) for one in theirs
    ]
    lots = asked(0, 10, multiplier=5)  # type: ignore[call-arg]
    assert [one.volume for one in lots] == [5 * one.volume for one in theirs]


def test_a_login_that_has_ended_is_an_error_of_the_source() -> None:
    asked, _ = of_kite()
    with pytest.raises(SourceError, match="TokenException") as refused:
        asked(0, 5, "a-token-of-yesterday")  # type: ignore[call-arg]
    # Kite's sentence ends with a stop of its own; what to do is said after ours.
    assert not refused.value.message.endswith(".")
