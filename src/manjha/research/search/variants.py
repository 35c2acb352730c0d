"""A spec as one of many: other parameters, a first part of its span, and the hashes that say what was tried on what."""

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any

import msgspec
import numpy as np

from manjha.domain.bars import BarColumns, format_interval
from manjha.domain.errors import DataError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TsNs
from manjha.domain.trials import TrialSubject
from manjha.research.backtest import BacktestSpec
from manjha.strategy.interface import Strategy
from manjha.strategy.params import Value

NAME_MAX = 200
"""Letters of a data set's name; more instruments are counted and hashed."""
COLUMNS = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")


def vary(spec: BacktestSpec, parameters: Mapping[str, Value]) -> BacktestSpec:
    """Return the spec with an unused strategy of other parameters. Raises `UsageError` where it does not take them."""
    fresh = type(spec.strategy)(**parameters)
    vars(fresh)["product"] = spec.strategy.product
    return msgspec.structs.replace(spec, strategy=fresh)


def first_part(spec: BacktestSpec, part: tuple[int, int]) -> BacktestSpec:
    """Return the spec on the first `part[0]` of `part[1]` equal parts of its bars, in whole days.

    Raises
    ------
    DataError
        That is less than a day.
    """
    longest = max(spec.bars, key=len)
    at = len(longest) * part[0] // part[1]
    if at >= len(longest):
        return spec
    end_ns = (longest.ts_open_ns[at] + IST_OFFSET_NS) // DAY_NS * DAY_NS - IST_OFFSET_NS
    if end_ns <= longest.ts_open_ns[0]:
        raise DataError(
            f"{part[0]}/{part[1]} of the span is less than a day", hint="Give a longer span, or no --prune."
        )
    bars, further = ([_until(columns, end_ns) for columns in group] for group in (spec.bars, spec.further))
    return msgspec.structs.replace(spec, bars=tuple(bars), further=tuple(further))


def subject_of(spec: BacktestSpec) -> TrialSubject:
    """Return what all variants of a spec have in common."""
    bars = [columns for columns in spec.bars if len(columns)]
    return TrialSubject(
        strategy=spec.strategy.name,
        source_hash=source_hash(type(spec.strategy)),
        instruments=instruments_named(spec.instruments),
        data_set=data_set_of(spec),
        data_hash=data_hash(spec),
        interval=spec.bars[0].interval,
        first_ns=TsNs(min(columns.ts_open_ns[0] for columns in bars)),
        last_ns=TsNs(max(columns.ts_close_ns[len(columns) - 1] for columns in bars)),
        settings_hash=settings_hash(spec),
        seed=spec.seed,
        chosen_from=spec.strategy.chosen_from,
    )


def parameters_of(strategy: Strategy) -> str:
    """Return all parameters of a strategy in the form of the ledger."""
    return canonical(strategy.values)


def canonical(values: Mapping[str, Value]) -> str:
    """Return values as JSON with sorted keys and no spaces."""
    return msgspec.json.encode(dict(sorted(values.items()))).decode()


def data_set_of(spec: BacktestSpec) -> str:
    """Return the name of a run's data set, see `data_set_named`."""
    return data_set_named(spec.instruments, spec.bars[0].interval)


def data_set_named(instruments: Sequence[Instrument], length: int) -> str:
    """Return the name of a data set, whatever the span: "NSE:A, NSE:B 1d"."""
    return _named(instruments, f" {format_interval(length)}")


def instruments_named(instruments: Sequence[Instrument]) -> str:
    """Return the name of instruments, whatever the interval: "NSE:A, NSE:B"."""
    return _named(instruments, "")


def _named(instruments: Sequence[Instrument], interval: str) -> str:
    names = sorted(instrument.display for instrument in instruments)
    text = f"{', '.join(names)}{interval}"
    if len(text) <= NAME_MAX:
        return text
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"{len(names)} instruments from {names[0]} to {names[-1]}{interval} #{mark}"


def data_hash(spec: BacktestSpec) -> str:
    """Return the SHA-256 (hex) of every bar and corporate action of a run."""
    digest = hashlib.sha256()
    for columns in (*spec.bars, *spec.further):
        digest.update(f"{columns.instrument} {columns.interval} {len(columns)}\n".encode())
        for name in COLUMNS:
            digest.update(getattr(columns, name))
    digest.update(repr(spec.actions).encode())
    return digest.hexdigest()


def settings_hash(spec: BacktestSpec) -> str:
    """Return the SHA-256 (hex) of what else decides an outcome. The version of the code is not part of it."""
    decisive = (
        *(
            spec.initial,
            spec.sizing,
            spec.limits,
            spec.fills,
            spec.slippage,
            spec.latency_ns,
            sorted(spec.bands.items()),
        ),
        *(spec.rules.hash, spec.rates, spec.sessions_from_data, spec.contract_notes, spec.strategy.product),
    )
    return hashlib.sha256(repr(decisive).encode()).hexdigest()


def source_hash(strategy: type[Strategy]) -> str:
    """Return the SHA-256 (hex) of the files that a strategy and the strategies it inherits from stand in.

    Of one that stands in no file, as one typed into a session, the compiled methods are taken.
    """
    digest = hashlib.sha256()
    for owner in strategy.__mro__[: strategy.__mro__.index(Strategy)]:
        module = inspect.getmodule(owner)
        try:
            text = inspect.getsource(module) if module is not None else ""
        except (OSError, TypeError):
            text = ""
        digest.update(text.encode() if text else _compiled(owner))
    return digest.hexdigest()


def _compiled(owner: type) -> bytes:
    codes = [value.__code__ for value in vars(owner).values() if isinstance(value, FunctionType)]
    return b"".join(map(_bytes_of, codes)) + repr(sorted(owner.__annotations__)).encode()


def _bytes_of(code: CodeType) -> bytes:
    inner = [one for one in code.co_consts if isinstance(one, CodeType)]
    plain: list[Any] = [one for one in code.co_consts if not isinstance(one, CodeType)]
    return code.co_code + repr((plain, code.co_names)).encode() + b"".join(map(_bytes_of, inner))


def _until(columns: BarColumns, end_ns: int) -> BarColumns:
    end = int(np.searchsorted(np.asarray(columns.ts_open_ns), end_ns))
    return msgspec.structs.replace(columns, **{name: getattr(columns, name)[:end] for name in COLUMNS})
