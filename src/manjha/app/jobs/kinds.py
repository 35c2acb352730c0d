"""The table of kinds: what each is asked with, how that is checked, and what a worker does.

Training of models will be a row of it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

import msgspec

from manjha.app.settings import Settings
from manjha.services.jobs import asked
from manjha.services.jobs.kinds import JobKind


class Entry(msgspec.Struct, frozen=True):
    """A row: parameters, and "module:function" of the check and of the work, loaded where they are used."""

    asked: type[asked.Asked]
    check: str
    work: str
    goes_on: bool = False


_CHECKS, _RESEARCH, _DATA = "manjha.app.jobs.checks", "manjha.app.jobs.research_runs", "manjha.app.jobs.data_runs"
TABLE: Mapping[str, Entry] = {
    "backtest": Entry(asked.BacktestAsked, f"{_CHECKS}:check_backtest", f"{_RESEARCH}:do_backtest"),
    "sweep": Entry(asked.SweepAsked, f"{_CHECKS}:check_sweep", f"{_RESEARCH}:do_sweep"),
    "optimisation": Entry(
        asked.OptimisationAsked, f"{_CHECKS}:check_optimisation", f"{_RESEARCH}:do_optimisation", goes_on=True
    ),
    "walk-forward": Entry(asked.WalkForwardAsked, f"{_CHECKS}:check_walk_forward", f"{_RESEARCH}:do_walk_forward"),
    "validation": Entry(asked.ValidationAsked, f"{_CHECKS}:check_validation", f"{_RESEARCH}:do_validation"),
    "bias-check": Entry(asked.BiasCheckAsked, f"{_CHECKS}:check_bias_check", f"{_RESEARCH}:do_bias_check"),
    "data-import": Entry(asked.ImportAsked, f"{_CHECKS}:check_import", f"{_DATA}:do_import"),
    "data-fetch": Entry(asked.FetchAsked, f"{_CHECKS}:check_fetch", f"{_DATA}:do_fetch", goes_on=True),
}


def kinds_of(settings: Settings) -> dict[str, JobKind]:
    """Return the kinds, their checks bound to a home."""
    return {
        name: JobKind(name, entry.asked, partial(_checked, settings, entry.check), entry.goes_on)
        for name, entry in TABLE.items()
    }


def work_of(kind: str) -> Callable[..., Any]:
    """Return what a worker does for a kind: called with the workplace and the parameters."""
    return _loaded(TABLE[kind].work)


def _checked(settings: Settings, check: str, given: object) -> None:
    _loaded(check)(settings, given)


def _loaded(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found
