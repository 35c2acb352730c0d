"""A question to the broker of what an order needs: whatever else comes of it is no answer, and said in words."""

import asyncio
from collections.abc import Callable

from manjha.domain.broker import MarginSeen
from manjha.domain.errors import SourceError
from manjha.domain.events import Event, MarginAnswered, MarginUnavailable
from manjha.domain.moments import TsNs
from manjha.domain.orders import Order, OrderId
from manjha.ports.margin_source import MarginSource


async def margin_told(
    source: MarginSource, order: Order, wait_s: float, call: Callable[[str, str], None]
) -> MarginSeen | str:
    """Ask once, and return the answer, or why there is none; `call` hears of a source that breaks its promises."""
    try:
        async with asyncio.timeout(wait_s):
            return await source.margin(order)
    except TimeoutError:
        return f"no answer within {wait_s:g} seconds"
    except SourceError as error:
        return error.message
    except Exception as error:  # noqa: BLE001 - nothing was learned, whatever it was; the order waits for it
        why = f"the source of margins broke: {error!r}"
        call(order.id, why)
        return why


def margin_event(order_id: OrderId, told: MarginSeen | str, now_ns: TsNs) -> Event:
    """Return what the engine hears of an answer."""
    if isinstance(told, MarginSeen):
        return MarginAnswered(order_id, told, now_ns)
    return MarginUnavailable(order_id, told, now_ns)
