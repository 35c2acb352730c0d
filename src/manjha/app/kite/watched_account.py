"""An account at Kite as its sentinel sees it: a way of its own to the broker, whatever the trader does or knows.

All that is taken from the trader is which instruments it trades: they go by our ids, everything else by Kite's names,
so that nothing that the account shows is unknown. What keeps the account from being seen is a `SourceError`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import msgspec

from manjha.adapters.kite.mapping import Names
from manjha.adapters.kite.outside import OutsideAccount
from manjha.app.bootstrap import instrument_book, system_clock
from manjha.app.kite.account import AtKite, found_today
from manjha.app.secret_stores import SEAL_KEY
from manjha.app.settings import Settings
from manjha.app.trading.account_parts import places
from manjha.app.trading.live_checks import require_account
from manjha.app.trading.traded_where import KITE, PAPER, SIMULATED_KITE, traded_at
from manjha.domain.broker import OrderSeen, Outcome, PositionSeen, TradeSeen
from manjha.domain.commands import Approved, CancelOrder
from manjha.domain.errors import SettingsError, SourceError, UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs, day_of
from manjha.domain.secret import same
from manjha.domain.vitals import LedgerCopy

T = TypeVar("T")
NO_NAMES = Names({}, ())
"""By these everything goes by Kite's own names."""


class _Wanted(NamedTuple):
    """Which instruments go by our ids, and the day whose names of Kite's are theirs."""

    day: TradingDay
    instruments: tuple[InstrumentId, ...]


class WatchedAccount:
    """Implements `app.sentinel.Account`.

    Costs of Kite's rate limits, which it shares with the trader: three reads a look; a profile for each new login; a
    list of instruments a day for each exchange of the trader's; a read and a cancel an order while orders are
    cancelled.

    Parameters
    ----------
    kite
        The way to Kite; nobody need be logged in yet.
    ledger
        The newest copy of the trader's ledger, for which instruments it trades.
    """

    def __init__(self, settings: Settings, account: str, kite: AtKite, ledger: Callable[[], LedgerCopy | None]) -> None:
        self._settings, self._account, self._kite, self._ledger = settings, account, kite, ledger
        self._outside = OutsideAccount(kite.rest)
        self._known_by = ""
        self._wanted: _Wanted | None = None
        self._finding: asyncio.Task[Names] | None = None

    def now_ns(self) -> TsNs:
        """Return what time it is where the account trades."""
        times = self._kite.times
        # After a machine has slept, its own clock is right, and one that does not jump is behind.
        return times.now_ns() if times.at_simulation else system_clock().now_ns()

    def why_not(self) -> str:
        """Say why the account cannot be seen as far as is known without asking Kite; empty where it can."""
        try:
            why = self._kite.login.why_not() or ("" if self._kite.login.key else "the app's key is not known")
        except SettingsError as error:
            return error.message
        return f"{why}: run `manjha login`" if why else self._elsewhere()

    async def orders(self) -> tuple[OrderSeen, ...]:
        """Read all orders of the day, whoever placed them, by Kite's names: what is to be cancelled needs no list."""
        await self._admitted()
        return await self._outside.orders(NO_NAMES)

    async def trades(self) -> tuple[TradeSeen, ...]:
        """Read all trades of the day, whoever made them."""
        return await self._outside.trades(await self._names())

    async def positions(self) -> tuple[PositionSeen, ...]:
        """Read what the account holds, deliveries included."""
        return await self._outside.positions(await self._names())

    async def cancel(self, approved: Approved[CancelOrder], broker_id: str) -> Outcome:
        """Cancel an order that `orders` has shown, by the variety that stood there."""
        return await self._outside.cancel(approved, broker_id)

    def _elsewhere(self) -> str:
        """Say why what would be seen is not what the trader trades; empty where it is."""
        where = traded_at(places(self._settings, self._account).folder)
        here = SIMULATED_KITE if self._kite.times.at_simulation else KITE
        if where == PAPER:
            return "it is traded on paper, whose exchange lives in the trader"
        if where and where != here:
            return f"it is traded at {where}, and kite.url ({self._settings.kite.url}) is {here}"
        return ""

    async def _admitted(self) -> None:
        """See that somebody is logged in and that it is the account; asked of Kite once for each login."""
        why = self.why_not()
        if why:
            raise SourceError(why, hint=f"Both need the environment of the trader: {SEAL_KEY}, MANJHA_KITE_…")
        token = self._kite.login.token()
        if not same(self._known_by, token):
            await _sourced(require_account(self._kite.rest, self._account))
            self._known_by = token

    async def _names(self) -> Names:
        await self._admitted()
        ledger = self._ledger()
        wanted = _Wanted(day_of(self.now_ns()), ledger.instruments if ledger is not None else ())
        failed = self._finding is not None and self._finding.done() and self._finding.exception() is not None
        if self._finding is None or failed or wanted != self._wanted:
            self._wanted = wanted
            # A list is long: whoever has waited long enough leaves, and finds it ready the next time.
            self._finding = asyncio.create_task(self._found(wanted))
        return await asyncio.shield(self._finding)

    async def _found(self, wanted: _Wanted) -> Names:
        """Find what the trader trades on Kite's list of today; what is not there goes by Kite's name."""
        book = instrument_book(self._settings)
        known = ((name, book.known(name, wanted.day)) for name in wanted.instruments)
        # The trader's id stays what it was when it began, whatever the book has joined it to since.
        traded = [msgspec.structs.replace(one, id=name) for name, one in known if one is not None]
        today, _ = await _sourced(found_today(self._kite.rest, traded))
        return today.names


async def _sourced(asked: Awaitable[T]) -> T:
    """Wait for an answer; whatever of ours keeps it from being had, nothing was seen."""
    try:
        return await asked
    except (UsageError, SettingsError) as error:
        raise SourceError(error.message, hint=error.hint) from error
