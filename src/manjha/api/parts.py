"""What routes may ask: use cases and ports, put together by the composition root."""

from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import Depends, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from manjha.market.rules import MarketRules
    from manjha.ports.clock import Clock
    from manjha.ports.jobs import JobWatch
    from manjha.ports.kill_switch import KillSwitch
    from manjha.ports.limit_book import LimitBook
    from manjha.ports.market_data import BarStore, InstrumentSource
    from manjha.ports.strategies import StrategySource
    from manjha.ports.traders import Traders
    from manjha.ports.unit_of_work import UnitOfWork
    from manjha.services.accounts.following import FollowedAccounts
    from manjha.services.hooks import Hooks
    from manjha.services.identity.access import Access
    from manjha.services.identity.addresses import Network
    from manjha.services.identity.caller import Identity
    from manjha.services.instrument_search import InstrumentSearch
    from manjha.services.jobs.desk import JobDesk
    from manjha.services.once_only import OnceOnly


class ApiParts(msgspec.Struct, frozen=True, kw_only=True):
    """What the API works with. `ready` returns what is wrong, one sentence each; nothing where it can serve.

    `proxies` stand before it and tell whose request it is. `postbacks` takes what Kite says of an order and tells
    whether it is believed. `own_account` is the account of the settings, whose id in words lifts the kill switch.
    """

    version: str
    clock: "Clock"
    identity: "Identity"
    access: "Access"
    proxies: "Sequence[Network]"
    ready: "Callable[[], list[str]]"
    instruments: "InstrumentSource"
    search: "InstrumentSearch"
    bars: "BarStore"
    rules: "MarketRules"
    strategies: "StrategySource"
    records: "UnitOfWork"
    jobs: "JobDesk"
    job_watch: "JobWatch"
    traders: "Traders"
    followed: "FollowedAccounts"
    once: "OnceOnly"
    kill: "KillSwitch"
    limits: "LimitBook"
    hooks: "Hooks"
    postbacks: "Callable[[bytes], bool]"
    own_account: str


async def parts_of(request: Request) -> ApiParts:
    """Return what the application of this request works with."""
    found: ApiParts = request.app.state.parts
    return found


Parts = Annotated[ApiParts, Depends(parts_of)]
"""What a route's function asks for."""
