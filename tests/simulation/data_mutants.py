"""Bugs of time and data that are planted on purpose, and the invariant by which each has to be found (`mutants`)."""

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np

from manjha.app.trading.trader import Trader
from manjha.domain.bars import BarColumns
from manjha.domain.moments import HOUR_NS, SECOND_NS, TsNs
from manjha.domain.money import Px
from manjha.engine.pump import Pump
from manjha.research.backtest import BacktestSpec
from tests.simulation import process as processes
from tests.simulation.day import Day
from tests.simulation.mutants import Planted


def _early_timers() -> AbstractContextManager[Any]:
    """Let timers fire twenty seconds before they are due."""
    plan = Pump._plan

    def patched(pump: Pump, ts_ns: int, action: Any, *, is_timer: bool = True) -> None:
        plan(pump, ts_ns - 20 * SECOND_NS if is_timer else ts_ns, action, is_timer=is_timer)

    return patch.object(Pump, "_plan", patched)


def _wall_clock() -> AbstractContextManager[Any]:
    """Believe a clock that was set an hour ahead while the process runs."""
    advance_to = Trader.advance_to

    def patched(trader: Trader, ts_ns: TsNs) -> None:
        is_set = trader.state.reached > 20
        advance_to(trader, TsNs(ts_ns + HOUR_NS) if is_set else ts_ns)

    return patch.object(Trader, "advance_to", patched)


def _old_prices() -> AbstractContextManager[Any]:
    """Let an order leave however old the prices are that it was decided on."""
    return patch.object(processes, "age_condition", lambda _: lambda *_: "")


def _spec(change: Any) -> AbstractContextManager[Any]:
    made = Day.spec

    def patched(day: Day) -> BacktestSpec:
        spec: BacktestSpec = change(made(day))
        return spec

    return patch.object(Day, "spec", patched)


def _paise_for_rupees() -> AbstractContextManager[Any]:
    """Show the strategy every seventh close a hundred times as high, as a feed without a gate does."""

    def spiked(bars: BarColumns) -> BarColumns:
        close = np.array(bars.close)
        close[::7] *= 100
        return msgspec.structs.replace(bars, close=close.data)

    return _spec(lambda spec: msgspec.structs.replace(spec, bars=tuple(spiked(bars) for bars in spec.bars)))


def _old_list() -> AbstractContextManager[Any]:
    """Trade by a list of instruments of before the ticks were made larger."""
    return _spec(
        lambda spec: msgspec.structs.replace(
            spec, instruments=tuple(msgspec.structs.replace(one, tick=Px(100)) for one in spec.instruments)
        )
    )


OF_DATA: dict[str, tuple[Planted, int, str]] = {
    "M25 timers fire early": (_early_timers, 50, "INV-24"),
    "M26 a clock that was set is believed": (_wall_clock, 50, "INV-24"),
    "M27 old prices are good": (_old_prices, 500, "INV-26"),
    "M28 a spike comes through": (_paise_for_rupees, 100, "INV-27"),
    "M29 the list of yesterday": (_old_list, 100, "INV-28"),
}
"""By name: how it is planted, within how many seeds it has to be found, and by which invariant."""
