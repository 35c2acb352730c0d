"""What the API works with, put together from the settings."""

from typing import TYPE_CHECKING

from manjha.app.bootstrap import bar_store, instrument_book, market_rules, strategy_source, system_clock, unit_of_work
from manjha.domain.errors import SettingsError

if TYPE_CHECKING:
    from manjha.api.parts import ApiParts
    from manjha.app.settings import Settings
    from manjha.ports.unit_of_work import UnitOfWork
    from manjha.services.identity.caller import Identity


def api_parts(settings: "Settings", identity: "Identity") -> "ApiParts":
    """Return what an application is made with; its database is brought up to date at the first request."""
    from importlib.metadata import version

    from manjha.api.parts import ApiParts
    from manjha.app.jobs.dispatching import job_desk
    from manjha.services.instrument_search import InstrumentSearch
    from manjha.services.jobs.desk import BookWatch

    records, book, clock = unit_of_work(settings), instrument_book(settings), system_clock()
    return ApiParts(
        version=version("manjha"),
        clock=clock,
        identity=identity,
        ready=lambda: missing(records),
        instruments=book,
        search=InstrumentSearch(book, clock),
        bars=bar_store(settings),
        rules=market_rules(settings),
        strategies=strategy_source(settings),
        records=records,
        jobs=job_desk(settings),
        job_watch=BookWatch(records),
    )


def missing(records: "UnitOfWork") -> list[str]:
    """Return what keeps the API from serving, one sentence each: its database does not answer."""
    try:
        with records.begin() as books:
            books.settings.get("none")
    except SettingsError as error:
        return [str(error)]
    return []
