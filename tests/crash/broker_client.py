"""The way to the broker process: one connection a request, and an outcome that claims no more than is proven."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from manjha.domain.broker import OrderSeen, Outcome, OutcomeUnknown, PositionSeen, TradeSeen
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.errors import SourceError
from manjha.domain.outcomes import Answer, outcome_of
from manjha.ports.gateway import LastLook, no_objection
from tests.crash.armed import reach

TIMEOUT_S = 0.5
T = TypeVar("T")


class BrokerClient:
    """Implements `ports.gateway.Gateway`."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def submit(self, approved: Approved[SubmitOrder], last_look: LastLook = no_objection) -> Outcome:
        """Send an order under its tag."""
        order = approved.command.order
        return await self._sent(
            {
                "do": "place", "tag": approved.command.tag, "instrument": order.instrument, "side": int(order.side),
                "qty": order.qty, "type": str(order.type), "product": str(order.product), "limit": order.limit,
                "trigger": order.trigger,
            },
            last_look,
        )  # fmt: skip

    async def modify(
        self, approved: Approved[ModifyOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        """Send new terms."""
        asked = approved.command
        terms = {"qty": asked.qty, "limit": asked.limit, "trigger": asked.trigger}
        return await self._sent({"do": "modify", "number": broker_id, "order": asked.order_id} | terms, last_look)

    async def cancel(
        self, approved: Approved[CancelOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        """Send a cancel."""
        return await self._sent({"do": "cancel", "number": broker_id, "order": approved.command.order_id}, last_look)

    async def orders(self) -> tuple[OrderSeen, ...]:
        """Read all orders of the day."""
        return await self._read("orders", tuple[OrderSeen, ...])

    async def trades(self) -> tuple[TradeSeen, ...]:
        """Read all trades of the day."""
        return await self._read("trades", tuple[TradeSeen, ...])

    async def positions(self) -> tuple[PositionSeen, ...]:
        """Read what the account holds."""
        return await self._read("positions", tuple[PositionSeen, ...])

    async def hints(self) -> AsyncIterator[str]:
        """Yield numbers of orders of which something was heard, empty for a new link."""
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(b'{"do":"hints"}\n')
                yield ""
                while line := await reader.readline():
                    yield line.decode().strip()
            await asyncio.sleep(0.05)

    # ---- one request

    async def _sent(self, request: dict[str, Any], last_look: LastLook) -> Outcome:
        body = json.dumps(request | {"by": os.getpid()}).encode() + b"\n"
        point = {"place": "", "cancel": "cancel: ", "modify": "modify: "}[request["do"]]
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError as error:
            return outcome_of(Answer(written=0, words=str(error)))
        try:
            reach(f"{point}connected")
            if why := last_look():
                return outcome_of(Answer(written=0, words=why))
            async with asyncio.timeout(TIMEOUT_S):
                half = len(body) // 2
                writer.write(body[:half])
                reach(f"{point}half of the request is out")
                writer.write(body[half:])
                await writer.drain()
                reach(f"{point}the request is out")
                line = await reader.readline()
                reach(f"{point}the answer is here")
        except (OSError, TimeoutError) as error:
            return outcome_of(Answer(written=len(body), words=str(error) or "timed out"))
        finally:
            writer.close()
        return _outcome(len(body), line)

    async def _read(self, what: str, kind: type[T]) -> T:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**26)
            try:
                writer.write(json.dumps({"do": what}).encode() + b"\n")
                async with asyncio.timeout(4 * TIMEOUT_S):
                    line = await reader.readline()
            finally:
                writer.close()
            return msgspec.json.decode(line, type=kind)
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            raise SourceError(f"the broker's {what} cannot be read: {error}") from error


def _outcome(written: int, line: bytes) -> Outcome:
    try:
        said = json.loads(line)
        return outcome_of(
            Answer(
                written=written, status=said["status"], kind=said["kind"], words=said["words"], broker_id=said["number"]
            )
        )
    except (ValueError, KeyError, TypeError):
        return OutcomeUnknown("an answer that cannot be read" if line else "the connection was closed")
