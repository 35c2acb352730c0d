"""Who trades at the exchange: users, and the apps that act for them (fact sheet 1.4, 1.6 to 1.8)."""

from enum import StrEnum

import msgspec

from manjha.domain.money import RUPEE, Cash

EXCHANGES = ("BFO", "MCX", "NSE", "CDS", "BSE", "BCD", "MF", "NFO")
PRODUCTS = ("CNC", "NRML", "MIS", "MTF", "CO")
ORDER_TYPES = ("MARKET", "LIMIT", "SL", "SL-M")
_NEVER = "1970-01-01 00:00:00"


class Plan(StrEnum):
    """What an app has paid for: PERSONAL has orders and portfolio, CONNECT market data as well."""

    PERSONAL = "personal"
    CONNECT = "connect"


class App(msgspec.Struct, frozen=True, kw_only=True):
    """A registered app.

    `redirect_url` is where a login ends (empty: a page of the exchange that shows the request token), `postback_url`
    where news of its orders goes. `addresses` are those that orders may come from; none stands for none configured.
    `users` are those that may log in to it; none stands for all. `refreshes` gives it refresh tokens.
    """

    api_key: str
    api_secret: str
    redirect_url: str = ""
    postback_url: str = ""
    plan: Plan = Plan.CONNECT
    addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    users: tuple[str, ...] = ()
    refreshes: bool = False
    number: int = 1


class Owned(msgspec.Struct, frozen=True):
    """Shares that a user has from before the first day: `qty` of them, bought at `px` (1e-4 rupee)."""

    exchange: str
    symbol: str
    qty: int
    px: int


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A client of the broker. `cash` and `commodity_cash` are what its two ledgers have at the start, in 1e-4 rupee."""

    user_id: str
    name: str = ""
    cash: Cash = Cash(10_00_000 * RUPEE)
    commodity_cash: Cash = Cash(10_00_000 * RUPEE)
    holdings: tuple[Owned, ...] = ()
    demat_consent: str = "consent"


def profile(user: User) -> dict[str, object]:
    """Return what `/user/profile` says of a user."""
    return {
        "user_id": user.user_id,
        "user_type": "individual",
        "email": f"{user.user_id.lower()}@simulated.invalid",
        "user_name": user.name or user.user_id,
        "user_shortname": (user.name or user.user_id).partition(" ")[0],
        "broker": "ZERODHA",
        "exchanges": list(EXCHANGES),
        "products": list(PRODUCTS),
        "order_types": list(ORDER_TYPES),
        "avatar_url": None,
        "meta": {"demat_consent": user.demat_consent},
    }


def full_profile(user: User) -> dict[str, object]:
    """Return what `/user/profile/full` says of a user; what is masked there is invented here."""
    return {
        **profile(user),
        "twofa_type": "totp",
        "phone": "*0000",
        "bank_accounts": [{"name": "SIMULATED BANK", "branch": "", "account": "*0000"}],
        "dp_ids": ["0000000000000000"],
        "pan": "*000S",
        "tags": [],
        "password_timestamp": _NEVER,
        "twofa_timestamp": _NEVER,
        "meta": {"poa": "physical" if user.demat_consent == "physical" else "", "silo": "", "account_blocks": []},
    }
