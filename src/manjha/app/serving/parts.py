"""What the API works with, put together from the settings."""

import time
from functools import cache
from typing import TYPE_CHECKING

from manjha.app.bootstrap import (
    bar_store,
    instrument_book,
    kill_switch,
    market_rules,
    read_model_reference,
    strategy_source,
    system_clock,
    unit_of_work,
)
from manjha.app.limit_book import SettingLimits
from manjha.app.serving.traders import HomeTraders
from manjha.domain.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manjha.api.parts import ApiParts
    from manjha.app.settings import Settings
    from manjha.ports.unit_of_work import UnitOfWork
    from manjha.services.identity.access import Access
    from manjha.services.identity.addresses import Network


def api_parts(settings: "Settings", access: "Access", proxies: "Sequence[Network]" = ()) -> "ApiParts":
    """Return what an application is made with; its database is brought up to date at the first request."""
    from importlib.metadata import version

    from manjha.api.parts import ApiParts
    from manjha.app.jobs.dispatching import job_desk
    from manjha.app.secret_stores import secret_store
    from manjha.app.serving.postbacks import postbacks_of
    from manjha.services.accounts.following import FollowedAccounts
    from manjha.services.hooks import Hooks
    from manjha.services.instrument_search import InstrumentSearch
    from manjha.services.jobs.desk import BookWatch
    from manjha.services.once_only import OnceOnly

    records, book, clock = unit_of_work(settings), instrument_book(settings), system_clock()
    traders = HomeTraders(settings)
    return ApiParts(
        version=version("manjha"),
        clock=clock,
        identity=access.identity,
        access=access,
        proxies=proxies,
        ready=lambda: missing(records),
        instruments=book,
        search=InstrumentSearch(book, clock),
        bars=bar_store(settings),
        rules=market_rules(settings),
        strategies=strategy_source(settings),
        records=records,
        jobs=job_desk(settings),
        job_watch=BookWatch(records),
        traders=traders,
        followed=FollowedAccounts(traders, records, cache(lambda: read_model_reference(settings)), time.monotonic_ns),
        once=OnceOnly(records, clock),
        kill=kill_switch(settings),
        limits=SettingLimits(settings, records),
        hooks=Hooks(records, secret_store(settings), clock),
        postbacks=postbacks_of(settings),
        own_account=settings.account,
    )


def missing(records: "UnitOfWork") -> list[str]:
    """Return what keeps the API from serving, one sentence each: its database does not answer."""
    try:
        with records.begin() as books:
            books.settings.get("none")
    except SettingsError as error:
        return [str(error)]
    return []
