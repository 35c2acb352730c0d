"""Puts the parts together, by hand. The only place that chooses adapters."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from manjha.app.settings import Settings
from manjha.domain.errors import DataError, OutsideTable, UsageError
from manjha.domain.instrument import Instrument, Kind
from manjha.domain.moments import TradingDay

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from manjha.adapters.files.actions import ActionFile
    from manjha.adapters.files.bar_store import ParquetBarStore
    from manjha.adapters.files.instruments import InstrumentBook
    from manjha.adapters.files.job_folders import JobFolders
    from manjha.adapters.sql.database import Database
    from manjha.domain.kill import Scope
    from manjha.domain.orders import AccountId
    from manjha.domain.ticks import Tick, TickColumns
    from manjha.market.rules import MarketRules
    from manjha.ports.clock import Clock
    from manjha.ports.feed import Feed
    from manjha.ports.journal import Journal
    from manjha.ports.kill_switch import KillSwitch
    from manjha.ports.market_data import HistorySource
    from manjha.ports.segments import MarketSegments
    from manjha.ports.strategies import StrategySource
    from manjha.ports.study_journals import StudyJournal
    from manjha.ports.tasks import TaskRunner
    from manjha.ports.trials import TrialLedger
    from manjha.ports.unit_of_work import UnitOfWork
    from manjha.risk.control_limits import ControlLimits
    from manjha.services.backtests import BacktestServices
    from manjha.services.data_jobs import DataServices
    from manjha.services.folding import Reference
    from manjha.services.tick_runs import TickReader

SOURCES: dict[str, str] = {name: f"manjha.app.sources:{name}" for name in ("nse", "bse", "yahoo", "kite")}
"""Where history can be downloaded: name to "module:function", called with the settings and the clock."""


STUDY_NAME_MAX = 200
"""Letters of a study's name, which is a file's name too."""


def system_clock() -> "Clock":
    """Return the machine's clock."""
    from manjha.adapters.system.clock import SystemClock

    return SystemClock()


def bar_store(settings: Settings) -> "ParquetBarStore":
    """Return the bar store."""
    from manjha.adapters.files.bar_store import ParquetBarStore

    return ParquetBarStore(settings.home / "bars", settings.store.cache_mb << 20)


def instrument_book(settings: Settings) -> "InstrumentBook":
    """Return the instrument book."""
    from manjha.adapters.files.instruments import InstrumentBook

    return InstrumentBook(settings.home / "instruments")


def action_file(settings: Settings) -> "ActionFile":
    """Return the corporate actions."""
    from manjha.adapters.files.actions import ActionFile

    return ActionFile(settings.home / "actions.csv")


def market_rules(settings: Settings) -> "MarketRules":
    """Return the rules of the market, with the user's rows laid over them."""
    from manjha.adapters.files.rule_tables import load_rules

    return load_rules(settings.rules_file)


def data_services(settings: Settings) -> "DataServices":
    """Return what data jobs work with."""
    from functools import partial

    from manjha.adapters.files.archives import Archives
    from manjha.adapters.files.quarantine_bin import QuarantineFolder
    from manjha.adapters.formats.registry import import_bytes
    from manjha.services.data_jobs import DataServices

    rules = market_rules(settings)
    book = instrument_book(settings)
    return DataServices(
        store=bar_store(settings),
        instruments=book,
        actions=action_file(settings),
        files=Archives(),
        quarantine=QuarantineFolder(settings.home / "quarantine"),
        read=partial(import_bytes, clock=session_clock(rules, book)),
        clock=system_clock(),
        rules=rules,
    )


def session_clock(
    rules: "MarketRules", book: "InstrumentBook"
) -> Callable[[Instrument, TradingDay], tuple[int, int] | None]:
    """Return who knows when a session opens and its closing price exists; None for a day that did not trade.

    Before and after the calendar the regular hours are taken; an import says how many rows that concerns.
    """
    from manjha.adapters.formats.sessions import regular_session
    from manjha.market.sessions import session

    def hours(instrument: Instrument, day: TradingDay) -> tuple[int, int] | None:
        if instrument.kind in (Kind.EQUITY, Kind.ETF) and not instrument.has_derivatives:
            instrument = book.known(instrument.id, day) or instrument
        try:
            held = session(rules, instrument, day)
        except OutsideTable:
            return regular_session(instrument, day)
        except DataError:
            return None
        return held.open_ns, held.day_close_ns

    return hours


def backtest_services(settings: Settings) -> "BacktestServices":
    """Return what backtests work with."""
    from importlib.metadata import version

    from manjha.services.backtests import BacktestServices

    rules, book = market_rules(settings), instrument_book(settings)
    return BacktestServices(
        store=bar_store(settings),
        instruments=book,
        actions=action_file(settings),
        rules=rules,
        code_version=version("manjha"),
        read_ticks=tick_reader(rules, book),
    )


def tick_reader(rules: "MarketRules", book: "InstrumentBook") -> "TickReader":
    """Return who reads the ticks of one instrument from a file, compressed or not."""

    def read(path: "Path", instrument: Instrument) -> "TickColumns":
        from manjha.adapters.files.archives import Archives
        from manjha.adapters.files.tick_days import is_recorded, recorded_columns
        from manjha.adapters.formats.ticks import read_ticks
        from manjha.ports.market_data import ImportHints

        hints = ImportHints(instrument=instrument.display)
        for name, data in Archives().open_all([path]):
            if is_recorded(data):
                return recorded_columns(data, [instrument.id])[0]
            for ticks in read_ticks(data, name, hints, session_clock(rules, book)):
                return msgspec.structs.replace(ticks, instrument=instrument.id)
        raise DataError(f"no file in {path}", hint="Give the file itself.")

    return read


def replayed_feed(ticks: "Iterable[Tick]", speed: float) -> "Feed":
    """Return known ticks as a feed, `speed` times as fast as they were; 0 for as fast as they are taken."""
    from manjha.adapters.feeds.replayed import ReplayedFeed

    return ReplayedFeed(ticks, system_clock(), speed=speed)


def strategy_source(settings: Settings) -> "StrategySource":
    """Return where strategies are found: the library, MANJHA_HOME/strategies, and files by path."""
    from manjha.app.strategies import StrategyFiles

    return StrategyFiles(settings.home / "strategies")


def task_runner(settings: Settings, jobs: int) -> "TaskRunner":
    """Return who does tasks: this process for one job, else as many processes; for 0 jobs one a core.

    Where a Ray cluster is set, its workers do them instead.
    """
    if settings.tasks.ray_address is not None:
        return _ray_runner(settings.tasks.ray_address, jobs)
    from manjha.adapters.system.processes import InlineRunner, ProcessRunner, cores

    count = jobs or max(1, len(cores()))
    return InlineRunner() if count == 1 else ProcessRunner(count)


def _ray_runner(address: str, jobs: int) -> "TaskRunner":
    try:
        from manjha.adapters.ray.runner import RayRunner
    except ImportError:
        raise UsageError(
            f"tasks.ray_address is {address!r}, but Ray is not installed",
            hint="Install it: pip install 'manjha[scale]'; or leave the setting out.",
        ) from None
    return RayRunner(address, jobs)


def database(settings: Settings) -> "Database":
    """Return the database of records."""
    from manjha.adapters.sql.database import Database

    return Database(settings.database_url or f"sqlite:///{settings.home / 'manjha.db'}")


def trial_ledger(settings: Settings) -> "TrialLedger":
    """Return the trial ledger in the database of records."""
    from manjha.adapters.sql.trial_ledger import SqlTrialLedger

    return SqlTrialLedger(database(settings), system_clock())


def unit_of_work(settings: Settings) -> "UnitOfWork":
    """Return transactions over the database of records."""
    from manjha.adapters.sql.unit_of_work import SqlUnitOfWork

    return SqlUnitOfWork(database(settings))


def job_folders(settings: Settings) -> "JobFolders":
    """Return the folders of jobs."""
    from manjha.adapters.files.job_folders import JobFolders

    return JobFolders(settings.home / "jobs")


def read_model_reference(settings: Settings) -> "Reference":
    """Return whom read models are made with: the instruments that imports have brought, and the market's rules."""
    from manjha.services.read_models import reference_of

    return reference_of(market_rules(settings), instrument_book(settings).known)


def study_storage(settings: Settings, study: str, asked: str) -> str:
    """Return where a study is kept: the URL that was asked for, else its journal in MANJHA_HOME/studies.

    Raises `UsageError` for a name that is no file's name.
    """
    if asked:
        if "://" not in asked:
            raise UsageError(
                f"--storage expects the URL of a database, was {asked!r}",
                hint="Give one like postgresql://user@host/name, or leave it out for a journal in MANJHA_HOME/studies.",
            )
        return asked
    return str(_journal_path(settings, study))


def study_journal(settings: Settings, study: str) -> "AbstractContextManager[StudyJournal]":
    """Return the journal of a study in MANJHA_HOME/studies, to be held by one process at a time.

    Raises `UsageError` for a name that is no file's name, and on entering where another process holds it.
    """
    from manjha.adapters.files.study_journals import open_journal

    return open_journal(_journal_path(settings, study))


def _journal_path(settings: Settings, study: str) -> "Path":
    if not study.strip(".") or {*"/\\:"} & {*study} or len(study) > STUDY_NAME_MAX:
        raise UsageError(f"a study cannot be named {study!r}", hint="Letters, digits, dots, - and _ will do.")
    return settings.home / "studies" / f"{study}.journal"


def journal_to_read(where: str, account: str) -> "Journal":
    """Return a journal to be looked through, by its file or its database's URL. Raises as `SqlJournal` does."""
    from manjha.adapters.sql.journal import SqlJournal
    from manjha.domain.orders import AccountId

    return SqlJournal(_journal_url(where), AccountId(account), reads_only=True)


def journal_to_write(where: str, account: "AccountId") -> "Journal":
    """Return an account's journal, made where there is none. Raises as `SqlJournal` does."""
    from manjha.adapters.sql.journal import SqlJournal

    return SqlJournal(_journal_url(where), account)


def market_segments(settings: Settings, where: str, account: "AccountId", asked: str = "") -> "MarketSegments":
    """Return the market data of an account's journal: in a folder beside its file, else in MANJHA_HOME.

    `asked` is a folder that is taken instead, where they were moved.
    """
    from pathlib import Path

    from manjha.adapters.files.segments import SegmentFolder

    file = where.removeprefix("sqlite:///")
    folder = Path(f"{file}.segments") if "://" not in file else settings.home / "segments" / account
    return SegmentFolder(Path(asked) if asked else folder, account)


def _journal_url(where: str) -> str:
    return where if "://" in where else f"sqlite:///{where}"


def kill_switch(settings: Settings) -> "KillSwitch":
    """Return the kill switch beside the journal, a file in MANJHA_HOME that holds for every account of it."""
    from manjha.adapters.files.kill_switch import KillSwitchFile

    return KillSwitchFile(settings.home / "kill.json", system_clock())


def kill_scope(settings: Settings, strategy: str, instrument: str) -> "Scope":
    """Return whom a kill is for. Raises `UsageError` for an instrument that is not known."""
    from manjha.domain.instrument import InstrumentId
    from manjha.domain.kill import Scope
    from manjha.domain.orders import StrategyId

    found = instrument_book(settings).find(instrument).id if instrument else InstrumentId("")
    return Scope(StrategyId(strategy), found)


def control_limits(settings: Settings, strategy: str = "") -> "ControlLimits":
    """Return the controls of paper and live trading of a strategy; without one, those that all strategies have.

    Limits that were changed over the API are laid over the settings. Raises `SettingsError` and `UsageError` for what
    cannot be.
    """
    from manjha.app.limit_book import with_limits_put

    return control_limits_of(with_limits_put(settings), strategy)


def control_limits_of(settings: Settings, strategy: str) -> "ControlLimits":
    """Return the controls that these settings say, and nothing else. Raises as `control_limits`."""
    from manjha.app.trading.risk_limits import control_limits as from_settings
    from manjha.domain.orders import StrategyId

    return from_settings(settings, StrategyId(strategy), lambda name: instrument_book(settings).find(name).id)


def whoever() -> str:
    """Return who acts at this terminal, as the machine knows it."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def require_source(name: str) -> None:
    """Raise `UsageError` with the names there are where this is none of them."""
    if name not in SOURCES:
        raise UsageError(
            f"unknown source {name!r}",
            hint=f"Known are: {', '.join(sorted(SOURCES)) or 'none'}. `manjha data import PATH` reads files.",
        )


def history_source(name: str, settings: Settings) -> "HistorySource":
    """Return a source of history by the name that `--source` takes. Raises `UsageError` with the names there are."""
    require_source(name)
    module, _, function = SOURCES[name].partition(":")
    source: HistorySource = getattr(import_module(module), function)(settings, system_clock())
    return source
