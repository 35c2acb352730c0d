"""Indicators and features as subjects: which columns a function wants, and how it gets them."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manjha.domain.bars import BarColumns
from manjha.domain.errors import UsageError
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.research.bias.subjects import FunctionSubject
from manjha.research.bias.tape import Track, track_of
from manjha.strategy.indicators import Indicator

COLUMNS = ("open", "high", "low", "close", "volume", "oi", "ts", "day")
WHOLE = ("columns", "bars", "data", "features")
"""Names of an only parameter that gets all columns as a mapping: a feature's signature."""


def indicator_subject(indicator: Indicator, bars: BarColumns, label: str, params: Mapping[str, Any]) -> FunctionSubject:
    """Return an indicator of the registry as a subject. Raises `UsageError` for a parameter that it has not."""
    indicator.values(params)
    names = ["close" if name == "x" else name for name in indicator.inputs]

    def call(columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        out = indicator.arrays(*(columns[name] for name in names), **params)
        return dict(zip(indicator.outputs, out, strict=True))

    return FunctionSubject(indicator.name, call, _only(column_track(bars, label), names))


def function_subject(
    function: Callable[..., Any], bars: BarColumns, label: str, params: Mapping[str, Any]
) -> FunctionSubject:
    """Return a user's function as a subject.

    A parameter without a default is a column by its name; an only one of another name gets the close, and one named
    `columns`, `bars`, `data` or `features` a mapping of all. The others are set by `params`. Prices are int64 in 1e-4
    rupee, as `ctx.indicator` gives them; volume and open interest float64.

    Raises
    ------
    UsageError
        An unknown parameter, or one that is no column.
    """
    name = getattr(function, "__name__", "function")
    wanted, known = _signature(function, name)
    unknown = [key for key in params if key not in known]
    if unknown:
        raise UsageError(
            f"{name} has no parameter {unknown[0]!r} with a default", hint=f"It has: {', '.join(known) or 'none'}."
        )
    ready, track = partial(function, **params), column_track(bars, label)
    if len(wanted) == 1 and wanted[0] in WHOLE:
        return FunctionSubject(name, ready, track)
    names = ["close"] if len(wanted) == 1 and wanted[0] not in COLUMNS else wanted
    strange = [each for each in names if each not in COLUMNS]
    if strange or not names:
        raise UsageError(
            f"{name} takes {', '.join(wanted) or 'no columns'}, expected names of columns",
            hint=f"Columns are {', '.join(COLUMNS)}; one parameter named columns gets all of them.",
        )
    return FunctionSubject(name, lambda columns: ready(*(columns[each] for each in names)), _only(track, names))


def feature_subject(
    name: str, feature: Callable[[Mapping[str, NDArray[Any]]], Any], columns: Mapping[str, Any], ts_ns: Any = None
) -> FunctionSubject:
    """Return a function of any columns as a subject; `ts_ns` are the moments at which rows become known.

    Without moments the rows are taken as a day apart from 1970 on, so that reports name them by number of days.
    """
    arrays = {str(key): np.asarray(values) for key, values in columns.items()}
    count = len(next(iter(arrays.values()))) if arrays else 0
    close_ns = np.arange(1, count + 1) * DAY_NS if ts_ns is None else np.asarray(ts_ns, dtype=np.int64)
    if not count or any(values.shape != close_ns.shape for values in arrays.values()):
        raise UsageError(f"{name}: expected columns of one length, were {[len(v) for v in arrays.values()]}")
    return FunctionSubject(name, feature, Track("", 0, close_ns, close_ns, arrays))


def column_track(bars: BarColumns, label: str) -> Track:
    """Return bars as the columns that functions get."""
    track = track_of(bars, label)
    columns = dict(track.columns)
    for name in ("volume", "oi"):
        columns[name] = columns[name].astype(np.float64)
    columns["ts"], columns["day"] = track.close_ns, (track.open_ns + IST_OFFSET_NS) // DAY_NS
    return Track(label, track.interval, track.open_ns, track.close_ns, columns)


def _only(track: Track, names: list[str]) -> Track:
    """Return the columns that a function gets, so that no other is blamed or changed in vain."""
    columns = {name: values for name, values in track.columns.items() if name in names}
    return Track(track.label, track.interval, track.open_ns, track.close_ns, columns)


def _signature(function: Callable[..., Any], name: str) -> tuple[list[str], list[str]]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name} is no function with a signature: {error}") from error
    wanted = [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return wanted, [p.name for p in parameters if p.default is not p.empty]
