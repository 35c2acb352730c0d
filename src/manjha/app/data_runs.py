"""Imports and downloads from words: what `manjha data` and jobs have in common."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from manjha.app.bootstrap import data_services, history_source
from manjha.app.settings import Settings
from manjha.domain.bars import Interval, parse_interval
from manjha.domain.errors import UsageError
from manjha.domain.moments import TradingDay, parse_day
from manjha.ports.market_data import ImportHints
from manjha.services.data_jobs import Progress, Terms, import_paths
from manjha.services.fetch import Wanted, fetch_named
from manjha.services.reports import FetchSummary, ImportSummary


class ImportWords(msgspec.Struct, frozen=True, kw_only=True):
    """What a user types about files; empty where they say it themselves."""

    format: str = ""
    instrument: str = ""
    interval: str = ""
    unit: str = ""
    stamps: str = ""
    zone: str = ""
    day: str = ""
    replace: bool = False


def import_terms(words: ImportWords) -> Terms:
    """Return how files are to be taken. Raises `UsageError` for a word that means nothing."""
    hints = ImportHints(
        format=words.format,
        instrument=words.instrument,
        interval=interval_of(words.interval),
        unit=one_of("--unit", words.unit, ("rupees", "paise")),
        stamps=one_of("--stamps", words.stamps, ("open", "close")),
        zone=one_of("--zone", words.zone, ("IST", "UTC")),
        day=day_of_text(words.day),
    )
    return Terms(hints=hints, replace=words.replace)


def run_import(settings: Settings, paths: Sequence[Path], words: ImportWords, tell: Progress) -> ImportSummary:
    """Read files into the store. Raises as `import_paths`."""
    terms = import_terms(words)
    return import_paths(data_services(settings), paths, terms, tell)


class FetchWords(msgspec.Struct, frozen=True, kw_only=True):
    """What a user types of a download."""

    source: str
    instruments: tuple[str, ...]
    start: str
    end: str
    interval: str = "1d"


def wanted_of(words: FetchWords) -> Wanted:
    """Return what is to be downloaded. Raises `UsageError` for a day or an interval that is none."""
    return Wanted(words.instruments, interval_of(words.interval), parse_day(words.start), parse_day(words.end))


def run_fetch(settings: Settings, words: FetchWords, tell: Progress) -> FetchSummary:
    """Download what is missing, piece by piece. Raises as `fetch_named`."""
    services, chosen = data_services(settings), history_source(words.source, settings)
    return fetch_named(services, chosen, wanted_of(words), tell)


def interval_of(text: str) -> Interval:
    """Read an interval; empty is none. Raises `UsageError`."""
    return parse_interval(text) if text else Interval(0)


def day_of_text(text: str) -> TradingDay | None:
    """Read a day; empty is none. Raises `UsageError`."""
    return parse_day(text) if text else None


def one_of(option: str, value: str, choices: tuple[str, ...]) -> str:
    """Return the choice that a word means, in its own case; empty stays empty. Raises `UsageError`."""
    found = next((choice for choice in choices if choice.lower() == value.lower()), None)
    if value and found is None:
        raise UsageError(f"{option} takes {' or '.join(choices)}, was {value!r}")
    return found or ""
