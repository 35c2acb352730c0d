"""Backtests over ticks: recorded ones from files, or synthetic ones inside stored bars."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from manjha.domain.bars import BarColumns
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, day_of, format_day
from manjha.domain.ticks import TickColumns
from manjha.engine.bars import first_bars
from manjha.research.backtest import BacktestSpec, Driver, Run
from manjha.research.drive import Drive, Progress
from manjha.research.result import BacktestResult
from manjha.research.tick_drive import run_tick_backtest
from manjha.simulator.synthetic_ticks import ticks_within

SYNTHETIC = "synthetic:"
PER_BAR_MAX = 1_000
TickReader = Callable[[Path, Instrument], TickColumns]
"""Reads the ticks of one instrument from a file."""


def over_ticks(asked: Sequence[str], read: TickReader | None) -> Run:
    """Return what runs a plan over ticks: "synthetic:10" for ten in each bar, or a file an instrument, in their order.

    With files the stored bars are history up to the day of the first tick. Raises, when it runs, `UsageError` and
    `DataError` as `run_tick_backtest`, and for words that mean neither.
    """

    def run(spec: BacktestSpec, progress: Progress | None, driver: Driver) -> BacktestResult:
        del progress
        if driver is not Drive:
            raise UsageError(
                "a run over ticks is not written into a journal yet", hint="Leave --journal out, or --ticks."
            )
        if any(text.startswith(SYNTHETIC) for text in asked):
            ticks, note = _synthetic(asked, spec)
            from_ns = 0
        else:
            ticks, note = recorded_ticks(asked, read, spec), f"ticks from {', '.join(asked)}"
            from_ns = day_of(min(each.ts_ns[0] for each in ticks if len(each))) * DAY_NS - IST_OFFSET_NS
        parts = {
            name: tuple(_before(columns, from_ns) for columns in getattr(spec, name)) for name in ("bars", "further")
        }
        return run_tick_backtest(msgspec.structs.replace(spec, **parts, notes=(*spec.notes, note)), ticks)

    return run


def _synthetic(asked: Sequence[str], spec: BacktestSpec) -> tuple[list[TickColumns], str]:
    text = asked[0].removeprefix(SYNTHETIC)
    if len(asked) > 1 or not text.isdecimal() or int(text) > PER_BAR_MAX:
        raise UsageError(
            f"--ticks expects synthetic:N with N from 4 to {PER_BAR_MAX}, was {' '.join(asked)!r}",
            hint="Give --ticks synthetic:10 for ten ticks in each bar.",
        )
    ticks = [ticks_within(columns, spec.seed, int(text)) for columns in spec.bars]
    return ticks, f"ticks are synthetic: {text} inside each bar, by chance of seed {spec.seed}"


def recorded_ticks(
    asked: Sequence[str], read: TickReader | None, spec: BacktestSpec, days: tuple[int, int] | None = None
) -> list[TickColumns]:
    """Return the ticks of a file for each instrument of a run.

    Raises `UsageError` for another number of files; `DataError` for no tick in them, or one outside the first and last
    of `days`.
    """
    if read is None or len(asked) != len(spec.instruments):
        raise UsageError(
            f"--ticks expects a file for each of {len(spec.instruments)} instruments, was given {len(asked)}",
            hint="Repeat --ticks in the order of --instrument, or give --ticks synthetic:10.",
        )
    ticks = [read(Path(text), instrument) for text, instrument in zip(asked, spec.instruments, strict=True)]
    if not any(len(each) for each in ticks):
        raise DataError(f"no tick in {', '.join(asked)}", hint="docs/formats.md says what a file of ticks looks like.")
    if days is not None:
        found = [day_of(each.ts_ns[at]) for each in ticks if len(each) for at in (0, len(each) - 1)]
        if min(found) < days[0] or max(found) > days[1]:
            raise DataError(
                f"the ticks are of {format_day(min(found))} to {format_day(max(found))}, "
                f"asked for were {format_day(days[0])} to {format_day(days[1])}",
                hint="Give --from and --to the days of the ticks.",
            )
    return ticks


def _before(columns: BarColumns, from_ns: int) -> BarColumns:
    """Return the bars that closed by a moment."""
    return first_bars(columns, int(np.searchsorted(np.asarray(columns.ts_close_ns), from_ns, side="right")))
