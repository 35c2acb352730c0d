"""A compiled run of a strategy that acts in `on_bar`."""

from copy import copy
from typing import Any

import numpy as np

from manjha.domain.bars import BarColumns
from manjha.domain.moments import day_of
from manjha.domain.orders import Side
from manjha.research.backtest import BacktestSpec
from manjha.research.compile import load
from manjha.research.compile.arithmetic import KINDS, REASONS
from manjha.research.compile.kinds import BOOL, INT, MARKET, SIDE, TEXT
from manjha.research.compile.program import Path, Program
from manjha.research.compile.source import NotCompilable
from manjha.research.compile.words import COLUMNS
from manjha.research.kernel import cache
from manjha.research.kernel import records as s
from manjha.research.kernel.outcome import KernelOutcome
from manjha.research.kernel.run import KernelMarket, KernelRefused, carry_through, context_of, new_tables
from manjha.research.kernel.tables import Tables
from manjha.research.targets import Stated
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy, overrides
from manjha.strategy.views import Line, Timeline

_PROGRAMS: dict[type, list[Program]] = {}
LOG_ROWS = 2**16
"""Rows that logs have from the start at most; memory is only taken for those that are written."""
FEW_BARS = 64
"""Bars on which `init` is tried."""
COLUMN_NAMES = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
PROGRAMS_MAX = 16
"""Translations of one class that are remembered: for other instruments, or attributes of other kinds."""


def program_of(strategy: Strategy, ctx: Context) -> Program:
    """Return a strategy's translation, after its `init`. Raises `NotCompilable`."""
    known = _PROGRAMS.setdefault(type(strategy), [])
    for program in known:
        if program.suits(strategy, ctx):
            return program
    made = Program(strategy, ctx)
    known.append(made)
    del known[:-PROGRAMS_MAX]
    return made


def run_on_bar(spec: BacktestSpec, market: KernelMarket, on_compile: cache.OnCompile | None = None) -> KernelOutcome:
    """Run a strategy that acts in `on_bar`, over a market that suits the spec; see `kernel.run_kernel`.

    The strategy's attributes hold afterwards what they hold after a run of the event engine.
    """
    strategy = spec.strategy
    ctx = market.begun(strategy)
    try:
        program = program_of(strategy, ctx)
        module = load.loaded(program.source, strategy.name, on_compile)
    except NotCompilable as error:
        raise KernelRefused(f"the kernel does not do this: {error}") from None
    nothing = Stated(np.zeros(0, np.int64), np.zeros((0, len(spec.instruments)), np.int64))
    tables = new_tables(spec, market, nothing, min(len(market.timeline), LOG_ROWS))
    texts = list(program.texts)
    own = _own(program, strategy, ctx, module.OWN, texts)
    tables.take("own", own)
    tables.take("lines", _lines(program, strategy, ctx, tables))
    tables.take("asked", np.zeros(s.PLAN_SIZE, s.ASKED))
    _tell(tables, spec, ctx, module.act.address)
    try:
        carry_through(tables, on_compile)
    except KernelRefused:
        stopped = int(tables.account[0]["stopped"])
        if tables.account[0]["status"] != s.UNLIKE:
            raise
        line, reason = divmod(stopped, KINDS)
        raise KernelRefused(
            f"the kernel does not do this: {strategy.name} came at line {line} to {REASONS[reason]}"
        ) from None
    _give_back(program, strategy, ctx, tables.arrays["own"][0], texts)
    return KernelOutcome(tables, tuple(texts))


def refusal_of(spec: BacktestSpec) -> str:
    """Say why a strategy's `on_bar` cannot be compiled, with the line; empty when it can, and where `init` fails.

    Whatever goes wrong in `init` goes wrong in the run, and is said there.
    """
    try:
        _tried(spec)
    except NotCompilable as error:
        return str(error)
    return ""


def warm(spec: BacktestSpec, on_compile: cache.OnCompile | None = None) -> None:
    """Have the code of a strategy that acts in `on_bar` in the cache and in this process. Raises `NotCompilable`."""
    program = _tried(spec)
    if program is not None:
        load.loaded(program.source, spec.strategy.name, on_compile)


def is_ready(spec: BacktestSpec) -> bool:
    """Tell whether the code of a strategy that acts in `on_bar` is in the cache."""
    try:
        program = _tried(spec)
    except NotCompilable:
        return False
    return program is not None and load.is_compiled(load.name_of(program.source))


def _tried(spec: BacktestSpec) -> Program | None:
    """Return a strategy's translation without the run; None where `init` fails. Raises `NotCompilable`.

    `init` sees the first bars only, as the kinds of attributes are all that counts.
    """
    strategy = copy(spec.strategy)
    vars(strategy).update(remembered(strategy))
    ctx = context_of(spec, Timeline([_first(each) for each in spec.bars], [_first(each) for each in spec.further]))
    try:
        strategy.init(ctx)
    except Exception:  # noqa: BLE001 - a strategy's own mistake may be any
        return None
    return program_of(strategy, ctx)


def remembered(strategy: Strategy) -> dict[str, Any]:
    """Return what a strategy holds before `init`, which may change its lists, so that it can begin again."""
    return {name: copy(v) if isinstance(v, list | dict | set) else v for name, v in vars(strategy).items()}


def _first(columns: BarColumns) -> BarColumns:
    """Return the first bars."""
    held = {name: getattr(columns, name)[:FEW_BARS] for name in COLUMN_NAMES}
    return BarColumns(columns.instrument, columns.interval, **held)


def _tell(tables: Tables, spec: BacktestSpec, ctx: Context, address: int) -> None:
    """Tell the kernel whom to call, and from when on."""
    account = tables.account[0]
    account["acts_at"] = address
    account["acts_on_session"] = overrides(spec.strategy, "on_session")
    account["warmup"], account["held_until"] = ctx.warmup, 0
    if spec.trade_from_ns:
        first = int(np.searchsorted(tables.bars.begin, spec.trade_from_ns))
        account["warmup"], account["held_until"] = max(ctx.warmup, first), day_of(spec.trade_from_ns)


# ---- attributes


def _own(program: Program, strategy: Strategy, ctx: Context, layout: Any, texts: list[str]) -> s.Records:
    """Return the record of the strategy's attributes before the first bar; words that are new go to `texts`."""
    own = np.zeros(1, layout)
    own[0]["run_interval"] = ctx.interval
    markets = list(ctx.markets.values())
    for name, kind in program.kinds.items():
        value = getattr(strategy, name)
        if kind == MARKET:
            value = next(number for number, each in enumerate(markets) if each is value)
        elif kind == TEXT:
            if value not in texts:
                texts.append(value)
            value = texts.index(value)
        own[0][f"x_{name}"] = value
    return own


def _give_back(program: Program, strategy: Strategy, ctx: Context, own: Any, texts: list[str]) -> None:
    markets = list(ctx.markets.values())
    for name in program.set:
        kind, value = program.kinds[name], own[f"x_{name}"].item()
        if kind in (BOOL, INT):
            value = bool(value) if kind == BOOL else value
        elif kind == SIDE:
            value = Side(value)
        elif kind == TEXT:
            value = texts[value]
        elif kind == MARKET:
            value = markets[value]
        setattr(strategy, name, value)


# ---- lines


def _lines(program: Program, strategy: Strategy, ctx: Context, tables: Tables) -> s.Records:
    """Return where each line lies: those of the instruments by column, then those of the strategy."""
    many = len(ctx.markets)
    lines = np.zeros(len(COLUMNS) * many + len(program.lines), s.LINE)
    held = []
    for number, name in enumerate(COLUMNS):
        if name in program.columns:
            held += [(number * many + i, market.line(name)) for i, market in enumerate(ctx.markets.values())]
    held += [(len(COLUMNS) * many + j, _reached(strategy, path)) for j, path in enumerate(program.lines)]
    for number, line in held:
        for field, part in zip(("data_at", "rows_at", "basis_at"), line.parts(), strict=True):
            if part is not None:
                held_part = tables.arrays[f"line {number} {field}"] = np.ascontiguousarray(part)
                lines[number][field] = held_part.ctypes.data
    return lines


def _reached(strategy: Strategy, path: Path) -> Line:
    found: Any = strategy
    for part in path:
        found = getattr(found, part) if isinstance(part, str) else found[part]
    assert isinstance(found, Line)  # noqa: S101 - the translation looked like this one
    return found
