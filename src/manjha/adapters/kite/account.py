"""What Kite says of an account as a whole: who it is, its money, and its book in Kite's own names."""

import msgspec

from manjha.adapters.kite.limits import RateClass
from manjha.adapters.kite.mapping import (
    HoldingRow,
    Names,
    OrderRow,
    Positions,
    TradeRow,
    cash_of,
    positions_seen,
    trade_seen,
)
from manjha.adapters.kite.rest import UNREADABLE, VERSION, Envelope, KiteRest
from manjha.adapters.kite.transport import Request, Transport
from manjha.domain.broker import PositionSeen, TradeSeen
from manjha.domain.errors import SourceError
from manjha.domain.money import Cash
from manjha.domain.outcomes import OK


class Profile(msgspec.Struct):
    """Who is logged in."""

    user_id: str
    user_name: str = ""
    exchanges: list[str] = []
    products: list[str] = []


class HeldRow(msgspec.Struct):
    """A net position as Kite counts it; `quantity` in its units, `multiplier` units each (KITE_CONNECT_V3 2.6.4)."""

    exchange: str
    tradingsymbol: str
    product: str
    quantity: int
    multiplier: float = 1
    average_price: float | None = 0.0
    last_price: float | None = 0.0
    pnl: float | None = 0.0


class _Positions(msgspec.Struct):
    net: list[HeldRow]


class _Available(msgspec.Struct):
    cash: float = 0.0
    opening_balance: float = 0.0
    live_balance: float = 0.0
    collateral: float = 0.0
    intraday_payin: float = 0.0


class _Utilised(msgspec.Struct):
    debits: float = 0.0


class _Ledger(msgspec.Struct):
    enabled: bool = False
    net: float = 0.0
    available: _Available = msgspec.field(default_factory=_Available)
    utilised: _Utilised = msgspec.field(default_factory=_Utilised)


class Funds(msgspec.Struct, frozen=True):
    """The money of one of the account's two ledgers, in 1e-4 rupee; read, never rebuilt (KITE_CONNECT_V3 2.7)."""

    segment: str
    net: Cash
    cash: Cash
    collateral: Cash
    payin: Cash
    used: Cash


async def profile_of(transport: Transport, key: str, token: str) -> Profile:
    """Return whose session a token is. Raises `SourceError` where Kite does not say."""
    headers = {"X-Kite-Version": VERSION, "Authorization": f"token {key}:{token}"}
    told = await transport.ask(Request("GET", "/user/profile"), headers)
    try:
        envelope = msgspec.json.decode(told.body, type=Envelope) if told.body else Envelope()
        if told.status == OK and envelope.status == "success":
            return msgspec.json.decode(envelope.data, type=Profile)
        why = told.words or envelope.message or f"status {told.status}"
    except UNREADABLE:
        why = f"an answer that cannot be read, status {told.status}"
    raise SourceError(f"Kite shows no profile: {why}", hint="Run `manjha login` again.")


async def profile(rest: KiteRest) -> Profile:
    """Return who is logged in. Raises as `KiteRest.get`."""
    return await rest.get("/user/profile", RateClass.OTHER, Profile)


async def order_rows(rest: KiteRest) -> list[OrderRow]:
    """Return the day's orders in Kite's names, whoever placed them. Raises as `KiteRest.get`."""
    return await rest.get("/orders", RateClass.OTHER, list[OrderRow])


async def trades_of(rest: KiteRest, names: Names) -> tuple[TradeSeen, ...]:
    """Return all trades of the day in our words. Raises as `KiteRest.get`."""
    rows = await rest.get("/trades", RateClass.OTHER, list[TradeRow])
    return tuple(trade_seen(row, names) for row in rows)


async def positions_of(rest: KiteRest, names: Names) -> tuple[PositionSeen, ...]:
    """Return what the account holds in our words, deliveries included: two requests. Raises as `KiteRest.get`."""
    positions = await rest.get("/portfolio/positions", RateClass.OTHER, Positions)
    holdings = await rest.get("/portfolio/holdings", RateClass.OTHER, list[HoldingRow])
    return tuple(positions_seen(positions.net, holdings, names))


async def held_rows(rest: KiteRest) -> list[HeldRow]:
    """Return the net positions. Raises as `KiteRest.get`."""
    return (await rest.get("/portfolio/positions", RateClass.OTHER, _Positions)).net


async def funds(rest: KiteRest) -> list[Funds]:
    """Return the ledgers that the account has. Raises as `KiteRest.get`."""
    found = await rest.get("/user/margins", RateClass.OTHER, dict[str, _Ledger])
    return [_funds(segment, ledger) for segment, ledger in found.items() if ledger.enabled]


def _funds(segment: str, ledger: _Ledger) -> Funds:
    available = ledger.available
    amounts = (ledger.net, available.cash, available.collateral, available.intraday_payin, ledger.utilised.debits)
    return Funds(segment, *(cash_of(amount) for amount in amounts))
