"""Strategies of whole columns in a backtest: what they state is computed once, as integers, and the engine wakes there.

Event engine and kernel get the same integers, so that no float of a strategy is turned into money twice.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from manjha.domain.bars import Interval
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TsNs
from manjha.domain.money import PX_MAX, QTY_MAX, RUPEE, Px, Qty
from manjha.domain.orders import Exits, OrderType, Product, Side
from manjha.domain.sizing import NANO, TargetUnit
from manjha.engine.state import EngineState
from manjha.strategy.asked import CancelRequest, OrderRequest, Request, TargetRequest
from manjha.strategy.indicators.memo import Memo, remembering
from manjha.strategy.interface import Changes, Entries, Strategy
from manjha.strategy.views import Timeline

TARGET_MAX = 1e9
"""Largest target taken; beyond it an integer of 1e-9 would leave int64."""
SAYS_NOTHING = -(2**63)
"""The target of an instrument that a wake-up does not speak of."""
ENTRY_FIELDS = ("side", "qty", "limit", "trigger", "stop", "target", "trail", "exit_ns")
"""Columns of a planned entry; one more says what to leave."""
LEAVE, WITHDRAW = 1, 2
_NO_EXITS: Exits | None = None
_KINDS = {
    (False, False): OrderType.MARKET,
    (False, True): OrderType.LIMIT,
    (True, False): OrderType.SL_M,
    (True, True): OrderType.SL,
}


Asked = Callable[[list[int]], list[Request]]
"""Turns a row of `Stated.wanted` into requests, as things stand."""


class Stated(NamedTuple):
    """What a strategy states: ascending positions, and integers of shape (wake-ups, columns).

    Targets have a column an instrument, in 1e-9 of the unit; entries have `ENTRY_FIELDS` and what to leave, prices in
    1e-4 rupee, instrument after instrument. A strategy that chooses a universe has one for each day that is traded, and
    before them the one that stands before the first session opens: shape (1 + days, instruments), 1 for the chosen.
    """

    wakeups: NDArray[np.int64]
    wanted: NDArray[np.int64]
    universe: NDArray[np.int64] | None = None


class ColumnHistory:
    """Implements `strategy.interface.History` over the run's timeline."""

    def __init__(self, timeline: Timeline, instruments: Sequence[Instrument], interval: Interval) -> None:
        self._timeline = timeline
        self._interval = interval
        self._columns: dict[str, NDArray[np.float64]] = {}
        self.instruments: Sequence[Instrument] = instruments
        self.ts_ns: NDArray[np.int64] = np.asarray(timeline.close_ns)
        series = [timeline.series[instrument.id, interval] for instrument in instruments]
        # Of one instrument a column is the series' own; of several it is made here. Nothing refers to the history
        # itself, so that what the memo keeps, a hundred megabytes perhaps, goes at once when the history does.
        made = self._columns
        self.memo = Memo(
            lambda data: any(one.owns(data) for one in series) or any(data is column.base for column in made.values())
        )

    @property
    def day(self) -> NDArray[np.int64]:
        """The trading day of each bar."""
        return (self.ts_ns - 1 + IST_OFFSET_NS) // DAY_NS

    def column(self, field: str) -> NDArray[np.float64]:
        """Return a column of every instrument, shape (bars, instruments), NaN before the first bar.

        It is made once and cannot be written to, as other runs over the same bars read it too.
        """
        if field not in self._columns:
            made = self._made(field)
            made.setflags(write=False)
            self._columns[field] = made
        return self._columns[field]

    def _made(self, field: str) -> NDArray[np.float64]:
        every = [self._timeline.series[instrument.id, self._interval] for instrument in self.instruments]
        if len(every) == 1 and every[0].rows is None:
            return every[0].floats(field)[:, None]
        # Instrument after instrument in memory: written side by side, fifty take four times as long.
        out = np.empty((len(every), len(self.ts_ns)))
        for line, series in zip(out, every, strict=True):
            if series.rows is None:
                series.write(field, line)
            else:
                seen = series.rows >= 0
                line[seen] = series.floats(field)[series.rows[seen]]
                line[~seen] = np.nan
        out.setflags(write=False)
        return out.T

    def at(self, field: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return some rows of a column, shape (rows, instruments), without making the rest of it.

        Raises `UsageError` for rows that are no whole numbers from 0 to the last bar: -1 would be the last one.
        """
        rows = np.asarray(rows)
        if len(rows) and (rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= len(self.ts_ns)):
            raise UsageError(
                f"history.at expects rows from 0 to {len(self.ts_ns) - 1}",
                hint="A mask becomes rows by np.flatnonzero; rows are never negative.",
            )
        rows = rows.astype(np.int64, copy=False)
        if field in self._columns:
            picked: NDArray[np.float64] = self._columns[field][rows]
            return picked
        out = np.full((len(rows), len(self.instruments)), np.nan)
        for line, instrument in zip(out.T, self.instruments, strict=True):
            series = self._timeline.series[instrument.id, self._interval]
            if series.rows is None:
                series.write(field, line, rows)
            else:
                held = series.rows[rows]
                line[held >= 0] = series.floats(field)[held[held >= 0]]
        return out


def stated_targets(strategy: Strategy, history: ColumnHistory) -> Stated:
    """Ask the strategy for its targets.

    Raises
    ------
    UsageError
        The array has another shape than (bars, instruments), or holds an infinite or too large number, or a signal
        outside −1…1; or rows of `Changes` do not ascend within the bars.
    """
    wakeups, values = _spoken(strategy, history)
    bound = 1.0 if strategy.unit is TargetUnit.SIGNAL else TARGET_MAX
    # No comparison holds for a NaN.
    fits = np.abs(values) <= bound
    if _every(fits):
        scaled = np.multiply(values, NANO)
        return Stated(wakeups, np.ascontiguousarray(np.rint(scaled, out=scaled), np.int64))
    said = ~np.isnan(values)
    wrong = said & ~fits
    if wrong.any():
        row, column = (int(at[0]) for at in np.nonzero(wrong))
        raise UsageError(
            f"{strategy.name}.targets gave {values[row, column]} for {history.instruments[column].display} at bar "
            f"{wakeups[row]}; a {strategy.unit} lies within ±{bound:g}"
        )
    wanted = np.where(said, np.rint(np.where(said, values, 0.0) * NANO).astype(np.int64), SAYS_NOTHING)
    speaks = said.any(axis=1)
    return Stated(wakeups[speaks], np.ascontiguousarray(wanted[speaks]))


def _spoken(strategy: Strategy, history: ColumnHistory) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the positions of which a strategy's targets speak and what they say there, (positions, instruments)."""
    with remembering(history.memo):
        given = strategy.targets(history)
    shape = (len(history.ts_ns), len(history.instruments))
    if isinstance(given, Changes):
        return _changes(strategy, given, shape)
    targets = _in_columns(_numbers(strategy, "targets", given).astype(np.float64, copy=False), shape[1])
    if targets.shape != shape:
        raise UsageError(f"{strategy.name}.targets gave an array of shape {targets.shape}, expected {shape}")
    says = targets == targets  # noqa: PLR0124 - NaN is unequal to itself
    wakeups = np.flatnonzero(says if shape[1] == 1 else says.any(axis=1)).astype(np.int64, copy=False)
    return wakeups, targets[wakeups]


def _changes(
    strategy: Strategy, given: Changes, shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return what a strategy states at few positions, looked through."""
    wakeups = _numbers(strategy, "targets", given.rows)
    values = _in_columns(_numbers(strategy, "targets", given.values).astype(np.float64, copy=False), shape[1])
    if wakeups.ndim != 1 or (wakeups.dtype.kind not in "iu" and len(wakeups)):
        raise UsageError(f"{strategy.name}.targets gave rows that are no list of whole numbers")
    wakeups = wakeups.astype(np.int64, copy=False)
    if values.shape != (len(wakeups), shape[1]):
        raise UsageError(
            f"{strategy.name}.targets gave values of shape {values.shape} for {len(wakeups)} rows, expected "
            f"{(len(wakeups), shape[1])}"
        )
    if len(wakeups) and not (wakeups[0] >= 0 and wakeups[-1] < shape[0] and _every(wakeups[1:] > wakeups[:-1])):
        raise UsageError(f"{strategy.name}.targets gave rows that do not ascend within its {shape[0]} bars")
    return wakeups, values


def _numbers(strategy: Strategy, what: str, given: object) -> NDArray[Any]:
    """Return what was given as an array. Raises `UsageError` for what holds anything else than real numbers."""
    try:
        made = np.asarray(given)
        if made.dtype.kind == "O":
            made = made.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        made = np.empty(0, np.str_)
    if made.dtype.kind in "biuf":
        return made
    raise UsageError(
        f"{strategy.name}.{what} gave something else than real numbers",
        hint="Return arrays of numbers; NaN says nothing.",
    )


def _every(flags: NDArray[np.bool_]) -> bool:
    """Tell whether all are true; the method of that name is written in Python, and begins slowly where it is rare."""
    return bool(np.logical_and.reduce(flags, axis=None))


def _in_columns(values: NDArray[np.float64], instruments: int) -> NDArray[np.float64]:
    """Return numbers of one instrument as a column."""
    return values[:, None] if values.ndim == 1 and instruments == 1 else values


def stated_entries(strategy: Strategy, history: ColumnHistory) -> Stated:
    """Ask the strategy for its entries.

    Raises
    ------
    UsageError
        A column of another shape than (bars, instruments), a side that is not 1, 0 or −1, a quantity that is no whole
        number.
    DataError
        A price that is infinite, negative or too large.
    """
    with remembering(history.memo):
        stated = strategy.entries(history)
    shape = (len(history.ts_ns), len(history.instruments))
    # Whole columns are only looked through once for where they say something; a run has a million rows.
    columns = {name: _column(strategy, stated, name, shape) for name in (*ENTRY_FIELDS, "leave", "withdraw")}
    says = np.zeros(shape, np.bool_)
    for name in ("side", "leave", "withdraw"):
        given = columns[name]
        if given is not None:
            says |= (given != 0) & (given == given)  # noqa: PLR0124 - NaN is unequal to itself
    wakeups = np.flatnonzero(says[:, 0] if shape[1] == 1 else says.any(axis=1))
    rows = {
        name: None if given is None else np.nan_to_num(given[wakeups], posinf=np.inf) for name, given in columns.items()
    }
    wanted = np.zeros((len(wakeups), shape[1], len(ENTRY_FIELDS) + 1), np.int64)
    side = rows["side"]
    if side is not None:
        if not np.isin(side, (-1.0, 0.0, 1.0)).all():
            raise UsageError(f"{strategy.name}.entries gave a side other than 1, 0 and −1")
        wanted[:, :, 0] = side
    for name, flag in (("leave", LEAVE), ("withdraw", WITHDRAW)):
        flagged = rows[name]
        if flagged is not None:
            wanted[:, :, -1] |= np.where(flagged != 0, flag, 0)
    ticks = np.array([instrument.tick for instrument in history.instruments], np.int64)
    for number, name in enumerate(ENTRY_FIELDS[1:], 1):
        values = rows[name]
        if values is None:
            continue
        if name == "exit_ns":
            wanted[:, :, number] = values
        else:
            wanted[:, :, number] = _quantities(strategy, values) if name == "qty" else _prices(strategy, values, ticks)
    return Stated(wakeups.astype(np.int64), wanted.reshape(len(wakeups), shape[1] * (len(ENTRY_FIELDS) + 1)))


def stated_from(stated: Stated, first: int) -> Stated:
    """Return what is stated from a position on; what was stated before it is history."""
    skipped = int(np.searchsorted(stated.wakeups, first)) if first else 0
    return Stated(stated.wakeups[skipped:], stated.wanted[skipped:]) if skipped else stated


def plan_targets(state: EngineState) -> None:
    """Ask the strategy for its targets and set the positions at which the engine wakes. Raises `UsageError`."""
    _plan(state, stated_targets, targets_asked)


def plan_entries(state: EngineState) -> None:
    """Ask the strategy for its entries and set the positions at which the engine wakes. Raises as `stated_entries`."""
    _plan(state, stated_entries, entries_asked)


def _plan(
    state: EngineState,
    state_it: Callable[[Strategy, ColumnHistory], Stated],
    asked: Callable[[EngineState], Asked],
) -> None:
    set_plan(state, state_it(state.strategy, _history(state)), asked(state))

    def restate() -> None:
        """State the rest anew: other parameters count from the next bar on."""
        set_plan(state, stated_from(state_it(state.strategy, _history(state)), state.reached), asked(state))
        state.wakeup_at = 0

    state.restate = restate


def set_plan(state: EngineState, stated: Stated, asked: Asked) -> None:
    """Let the engine wake where something is stated."""

    def wanted_at(position: int) -> list[Request]:
        return asked(stated.wanted[np.searchsorted(stated.wakeups, position)].tolist())

    state.wakeups, state.wanted = stated.wakeups.tolist(), wanted_at


def targets_asked(state: EngineState) -> Asked:
    """Return what makes requests of a row of stated targets."""
    ids = [instrument.id for instrument in state.setup.instruments]
    unit, product = TargetUnit(state.strategy.unit), state.ctx.product

    def asked(row: list[int]) -> list[Request]:
        pairs = zip(ids, row, strict=True)
        return [TargetRequest(name, value, unit, product, "") for name, value in pairs if value != SAYS_NOTHING]

    return asked


def entries_asked(state: EngineState) -> Asked:
    """Return what makes requests of a row of stated entries."""
    ids = [instrument.id for instrument in state.setup.instruments]
    width = len(ENTRY_FIELDS) + 1

    def asked(row: list[int]) -> list[Request]:
        made: list[Request] = []
        for number, name in enumerate(ids):
            made += _requests(state, name, row[number * width : (number + 1) * width])
        return made

    return asked


def _requests(state: EngineState, name: InstrumentId, row: list[int]) -> list[Request]:
    """Return what a wake-up asks for in an instrument, as it stands."""
    market, product = state.ctx.markets[name], state.ctx.product
    leaves = row[-1]
    if market.position:
        if not leaves & LEAVE:
            return []
        return [CancelRequest(name, None), TargetRequest(name, 0, TargetUnit.QTY, product, "")]
    if market.working:
        return [CancelRequest(name, None)] if leaves else []
    return [_entry(name, product, row)] if row[0] else []


def _entry(name: InstrumentId, product: Product, row: list[int]) -> OrderRequest:
    side, qty, limit, trigger, stop, target, trail, exit_ns = row[:-1]
    exits = _NO_EXITS
    if stop or target or trail or exit_ns:
        exits = Exits(Px(stop), Px(target), Px(trail), TsNs(exit_ns))
    kind = _KINDS[bool(trigger), bool(limit)]
    return OrderRequest(name, Side(side), Qty(qty), kind, Px(limit), Px(trigger), exits, product, "")


def _history(state: EngineState) -> ColumnHistory:
    return ColumnHistory(state.timeline, state.setup.instruments, state.setup.interval)


def _column(strategy: Strategy, stated: Entries, name: str, shape: tuple[int, int]) -> NDArray[Any] | None:
    """Return a column in the shape of all, None where the strategy leaves it out."""
    found = getattr(stated, name)
    if found is None:
        return None
    given = _numbers(strategy, "entries", found)
    if name == "exit_ns":
        given = given.astype(np.int64, copy=False)
    if given.ndim == 1 and shape[1] == 1:
        given = given[:, None]
    if given.shape != shape:
        raise UsageError(f"{strategy.name}.entries gave {name} of shape {given.shape}, expected {shape}")
    return given


def _quantities(strategy: Strategy, values: NDArray[Any]) -> NDArray[np.int64]:
    if not ((values >= 0) & (values <= QTY_MAX) & (values == np.rint(values))).all():
        raise UsageError(f"{strategy.name}.entries gave a quantity that is no whole number from 0 to {QTY_MAX:,}")
    return values.astype(np.int64)


def _prices(strategy: Strategy, values: NDArray[Any], ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return prices in 1e-4 rupee on the tick, as `domain.money.px_from_float` rounds one."""
    scaled = values * RUPEE
    if not ((scaled >= 0) & (scaled <= PX_MAX)).all():
        raise DataError(f"{strategy.name}.entries gave a price that is not from 0 to ₹10 crore")
    units = np.rint(scaled).astype(np.int64)
    on_tick: NDArray[np.int64] = (2 * units + ticks) // (2 * ticks) * ticks
    return on_tick
