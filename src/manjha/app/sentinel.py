"""The sentinel: a process of its own that watches a trader, and stops trading when the trader cannot.

Every second it feels the pulse; every minute it compares what the broker shows with what the trader believes. What it
decides stands in `services.watching`. It needs nothing of the trader but two small files.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from manjha.domain.broker import OrderSeen, Outcome, PositionSeen, Sent, TradeSeen
from manjha.domain.commands import Approved, CancelOrder
from manjha.domain.errors import SourceError
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.notes import Note, NoteKind, NoteLevel
from manjha.domain.orders import OrderId
from manjha.ports.clock import Clock
from manjha.ports.notifier import Notifier
from manjha.ports.vitals import Vitals
from manjha.services.watching import LOOK_NS, Alarm, Difference, Pulse, differences, felt, lasting, own_open

AGAIN_NS = 10 * SECOND_NS
"""From one attempt to cancel what is left to the next."""
PULSE_S = 1.0
ANSWER_S = 15.0
"""How long the broker may take to answer: a sentinel that waits does not feel the pulse."""


class KillThrower(Protocol):
    """What the sentinel needs of a kill switch."""

    def throw(self, level: str, reason: str, ts_ns: int) -> None:
        """Throw it for everything. Raises `OSError`."""


class Account(Protocol):
    """What the sentinel needs of an account at a broker: it can place nothing. A failure to read is a `SourceError`."""

    async def orders(self) -> tuple[OrderSeen, ...]:
        """Read all orders of the day, whoever placed them."""

    async def trades(self) -> tuple[TradeSeen, ...]:
        """Read all trades of the day."""

    async def positions(self) -> tuple[PositionSeen, ...]:
        """Read what the account holds."""

    async def cancel(self, approved: Approved[CancelOrder], broker_id: str) -> Outcome:
        """Send a cancel of an order that `orders` has shown."""


class SentinelParts(msgspec.Struct, frozen=True, kw_only=True):
    """What a sentinel works with. Without an account it cancels nothing and compares nothing.

    `clock` is the machine's: people read its times. `in_session` tells whether the market is open at such a moment;
    `mono_ns` is a clock that does not jump.
    """

    vitals: Vitals
    kill: KillThrower
    notifier: Notifier
    clock: Clock
    in_session: Callable[[int], bool]
    mono_ns: Callable[[], int]
    account: Account | None = None


class Sentinel:
    """Watches one account."""

    def __init__(self, parts: SentinelParts) -> None:
        self._parts = parts
        self._pulse = Pulse()
        self._seen: tuple[Difference, ...] = ()
        self._acted: frozenset[str] = frozenset()
        self._told: dict[str, str] = {}
        self._look_ns = self._cancel_ns = 0
        self._cancels = False

    async def run(self, ends: asyncio.Event) -> None:
        """Look once a second until `ends` is set."""
        while not ends.is_set():
            await self.look()
            try:
                async with asyncio.timeout(PULSE_S):
                    await ends.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Feel the pulse, and do what is due."""
        parts, now = self._parts, self._parts.mono_ns()
        in_session = parts.in_session(parts.clock.now_ns())
        beat = parts.vitals.heartbeat()
        self._pulse, alarm = felt(self._pulse, beat, now, in_session=in_session)
        if alarm is not None:
            self._raise(alarm)
        if self._cancels and now >= self._cancel_ns:
            self._cancel_ns = now + AGAIN_NS
            await self._cancel_own()
        if in_session and self._is_trading() and now >= self._look_ns:
            self._look_ns = now + LOOK_NS
            await self._compare()

    def _is_trading(self) -> bool:
        last = self._pulse.last
        return last is not None and not last.ended and last.reconciled_ns > 0

    def _raise(self, alarm: Alarm) -> None:
        if alarm is Alarm.SILENT:
            self._throw("cancel-all", alarm)
            # The trader may be stopped, not dead: what it sends when it wakes up is cancelled too.
            self._cancels = self._parts.account is not None
        if alarm is Alarm.BACK:
            self._cancels = False
        self._call("sentinel", alarm)

    def _throw(self, level: str, reason: str) -> None:
        try:
            self._parts.kill.throw(level, f"sentinel: {reason}", self._parts.clock.now_ns())
        except OSError as error:
            self._call("kill switch", f"it could not be thrown ({error.strerror}): {reason}")

    async def _cancel_own(self) -> None:
        """Cancel our open orders, and again until a read shows none; a read that fails says nothing."""
        account = self._parts.account
        if account is None:
            return
        try:
            async with asyncio.timeout(ANSWER_S):
                left = own_open(await account.orders())
        except (SourceError, TimeoutError) as error:
            self._tell_once("orders", f"open orders cannot be read, so none is cancelled yet: {_words(error)}")
            return
        self._told.pop("orders", None)
        refused = [why for order in left if (why := await self._cancel(account, order))]
        if left:
            what = f"{len(left)} open orders of ours, asked to cancel: {', '.join(one.broker_id for one in left)}"
            self._tell_once("cancelled", what + (f"; refused {', '.join(refused)}" if refused else ""))

    async def _cancel(self, account: Account, order: OrderSeen) -> str:
        """Ask for a cancel; return why it was not taken, empty where it was."""
        # The one command that is made outside the gate: it can only take risk away, and the gate may be dead.
        approved = Approved(CancelOrder(OrderId(order.tag)))
        try:
            async with asyncio.timeout(ANSWER_S):
                outcome = await account.cancel(approved, order.broker_id)
        except TimeoutError as error:
            return f"{order.broker_id}: {_words(error)}"
        return "" if isinstance(outcome, Sent) else f"{order.broker_id}: {outcome.reason}"

    async def _compare(self) -> None:
        account = self._parts.account
        if account is None:
            return
        try:
            async with asyncio.timeout(ANSWER_S):
                positions, trades = await account.positions(), await account.trades()
        except (SourceError, TimeoutError) as error:
            # Nothing was seen: neither that they agree, nor that they differ.
            self._tell_once("broker", f"the account cannot be compared: {_words(error)}")
            return
        self._told.pop("broker", None)
        # The ledger is read last: what the broker showed before is booked by now, or late.
        now = differences(self._parts.vitals.ledger(), positions, trades)
        last, self._seen = lasting(self._seen, now), now
        self._act_on(last)

    def _act_on(self, last: Sequence[Difference]) -> None:
        new = [one for one in last if one.about not in self._acted]
        # What is gone and comes back is acted on again.
        self._acted = (self._acted | {one.about for one in new}) & {one.about for one in self._seen}
        if new:
            words = "; ".join(one.words for one in new)
            self._throw("no-new", words)
            self._call("difference", words)

    def _tell_once(self, about: str, what: str) -> None:
        if self._told.get(about) != what:
            self._told[about] = what
            self._call(about, what)

    def _call(self, about: str, what: str) -> None:
        now: TsNs = self._parts.clock.now_ns()
        self._parts.notifier.tell(Note(NoteKind.CALL, NoteLevel.ALARM, f"Sentinel: {about}", what, now))


def _words(error: Exception) -> str:
    return str(error) or f"no answer within {ANSWER_S:.0f} s"
