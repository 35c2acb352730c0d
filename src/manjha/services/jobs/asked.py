"""What each kind of job is asked with: the options of the command of the same name, with the same defaults.

A name is a name here: files of the machine, addresses of databases and code do not come in this way.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from manjha.domain.errors import UsageError

Param = str | int | float
"""A parameter's value: text as on the command line, or a number."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")
"""Names of strategies, indicators and studies."""
LIST_MAX = 500
"""Instruments, ranges or conditions of one job."""
TEXT_MAX = 1_000
"""Letters of a text."""


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every kind of parameters is."""


class Terms(Asked, frozen=True, kw_only=True):
    """The terms of a backtest, as `manjha backtest` takes them."""

    interval: str = "1d"
    also: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    cash: str = "10 lakh"
    size: str = ""
    slippage: str = "1tick"
    participation: str = "100%"
    fill: str = "next-open"
    limit: str = "touch"
    path: str = "worst"
    latency_ms: int = 0
    product: str = ""
    index_proxy: bool = False


class BacktestAsked(Asked, frozen=True, kw_only=True):
    """`manjha backtest`. `band` runs the uncertainty table; `ticks` is empty, or one text as "synthetic:10"."""

    strategy: str
    instruments: tuple[str, ...]
    terms: Terms = Terms()
    params: Mapping[str, Param] = {}
    adjustment: str = ""
    ticks: tuple[str, ...] = ()
    bias_check: bool = True
    band: bool = True


class SearchAsked(Asked, frozen=True, kw_only=True):
    """What `manjha sweep`, `optimize` and `walk-forward` have in common. `ranges` are like "fast=5:50:5"."""

    strategy: str
    instruments: tuple[str, ...]
    terms: Terms = Terms()
    ranges: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    seed: int = 0
    study: str = ""


class SweepAsked(SearchAsked, frozen=True, kw_only=True):
    """`manjha sweep`. `sample` is empty for the whole grid, or like "lhs:500"."""

    sample: str = ""
    objective: str = "sharpe"
    top: int = 10
    returns: bool = True


class OptimisationAsked(SearchAsked, frozen=True, kw_only=True):
    """`manjha optimize`; the study is a journal in MANJHA_HOME/studies, as there."""

    objectives: tuple[str, ...] = ("sharpe",)
    trials: int = 100
    sampler: str = ""
    batch: int = 8
    prune: bool = False
    top: int = 10
    returns: bool = True


class WalkForwardAsked(SearchAsked, frozen=True, kw_only=True):
    """`manjha walk-forward`."""

    windows: int = 10
    ratio: float = 4.0
    anchored: bool = False
    gap: int = 0
    sample: str = ""
    objective: str = "sharpe"


class ValidationAsked(Asked, frozen=True, kw_only=True):
    """`manjha validate`: a strategy on instruments, or a study, or both."""

    strategy: str = ""
    instruments: tuple[str, ...] = ()
    terms: Terms = Terms()
    study: str = ""
    variant: str = ""
    independence: str = "all"
    seed: int = 0


class BiasCheckAsked(Asked, frozen=True, kw_only=True):
    """`manjha bias-check`: a strategy, or an indicator of the registry, on instruments."""

    strategy: str = ""
    indicator: str = ""
    instruments: tuple[str, ...] = ()
    interval: str = "1d"
    also: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    adjustment: str = ""
    params: Mapping[str, Param] = {}
    size: str = ""
    participation: str = "100%"
    fill: str = "next-open"
    product: str = ""
    index_proxy: bool = False
    points: int = 24
    seed: int = 0


class ImportAsked(Asked, frozen=True, kw_only=True):
    """`manjha data import` of files that were uploaded for the job. Words are empty where the files say it."""

    format: str = ""
    instrument: str = ""
    interval: str = ""
    unit: str = ""
    stamps: str = ""
    zone: str = ""
    day: str = ""
    replace: bool = False


class FetchAsked(Asked, frozen=True, kw_only=True):
    """`manjha data fetch`."""

    source: str
    instruments: tuple[str, ...]
    start: str
    end: str
    interval: str = "1d"


BOUNDS = {
    "top": (1, 10_000),
    "trials": (1, 1_000_000),
    "batch": (1, 1000),
    "windows": (1, 1000),
    "gap": (0, 10_000),
    "points": (1, 10_000),
    "seed": (0, 2**63 - 1),
    "latency_ms": (0, 3_600_000),
}
"""Least and most of the whole numbers, as the commands take them."""


def require_sane(asked: Asked) -> None:
    """Refuse what no job may be asked with, whatever else stands in it.

    Raises
    ------
    UsageError
        A path where a name belongs, a number out of its range, too many or too long texts.
    """
    for field in msgspec.structs.fields(asked):
        value = getattr(asked, field.name)
        if field.name in ("strategy", "indicator", "study") and value and not NAME.fullmatch(value):
            raise UsageError(
                f"{field.name} expects a name, was {value[:80]!r}",
                hint="Letters, digits, dots, - and _; files are used from the command line only.",
            )
        if field.name in BOUNDS and not BOUNDS[field.name][0] <= value <= BOUNDS[field.name][1]:
            low, high = BOUNDS[field.name]
            raise UsageError(f"{field.name} expects a whole number from {low} to {high}, was {value}")
        _require_short(field.name, value)
        if isinstance(value, Asked):
            require_sane(value)
    for one in getattr(asked, "ticks", ()):
        if not one.startswith("synthetic:"):
            raise UsageError(f"ticks expects a text like synthetic:10, was {one[:80]!r}")


def _require_short(name: str, value: object) -> None:
    texts: Sequence[object] = [value]
    if isinstance(value, Mapping):
        texts = [*value, *value.values()]
    elif isinstance(value, tuple):
        texts = value
    if len(texts) > LIST_MAX:
        raise UsageError(f"{name} has {len(texts)} entries, at most {LIST_MAX} are taken")
    if any(isinstance(text, str) and len(text) > TEXT_MAX for text in texts):
        raise UsageError(f"{name} has a text of more than {TEXT_MAX} letters")


def as_pairs(params: Mapping[str, Param]) -> dict[str, str]:
    """Return parameters as a person types them."""
    return {name.replace("-", "_"): str(value) for name, value in params.items()}
