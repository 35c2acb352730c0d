"""Strategies that state targets at few bars, and read columns at few rows: which leak and which do not."""

from typing import Any, ClassVar

import numpy as np

from manjha.domain.sizing import TargetUnit
from manjha.strategy.indicators import sma
from manjha.strategy.interface import Floats, History
from manjha.strategy.turns import Changes, crossings_at
from tests.fakes.leaks.cases import Case

EVERY = 10


def closes(history: History) -> Floats:
    return history.column("close")[:, 0]


class CrossingsAhead(Case):
    """States the crossings of the next bar."""

    def targets(self, history: History) -> Any:
        close = np.append(closes(history)[1:], np.nan)
        return crossings_at(close, sma(close, 8))


class CrossingsOfTheMean(Case):
    """States where the close crosses the mean of the whole sample."""

    def targets(self, history: History) -> Any:
        close = closes(history)
        return crossings_at(close, np.full(len(close), close.mean()))


class RowsAhead(Case):
    """Reads the close of the row after the one that it speaks of."""

    def targets(self, history: History) -> Any:
        rows = np.arange(EVERY, len(history.ts_ns) - 1, EVERY)
        later = history.at("close", rows + 1)[:, 0]
        return Changes(rows, np.where(later > history.at("close", rows)[:, 0], 1.0, 0.0))


class BestRows(Case):
    """Speaks at the lowest and the highest closes of the sample only."""

    unit: ClassVar[TargetUnit] = TargetUnit.QTY

    def targets(self, history: History) -> Any:
        close = closes(history)
        order = np.argsort(close, kind="stable")
        rows = np.sort(np.concatenate([order[:20], order[-20:]]))
        return Changes(rows, np.where(close[rows] < np.median(close), 10.0, 0.0))


class WinnersAhead(Case):
    """Holds the share that will do best over the next ten bars."""

    shares: ClassVar[int] = 3
    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT

    def targets(self, history: History) -> Any:
        rows = np.arange(0, len(history.ts_ns) - EVERY, EVERY)
        gains = history.at("close", rows + EVERY) / history.at("close", rows)
        return Changes(rows, np.where(gains == gains.max(axis=1, keepdims=True), 0.9, 0.0))


class Crossings(Case):
    """States the crossings of the close and its mean at the bars in which they come."""

    def targets(self, history: History) -> Any:
        close = closes(history)
        return crossings_at(close, sma(close, 8))


class CrossingsBy(Case):
    """Wants the close above its mean by a margin."""

    def targets(self, history: History) -> Any:
        close = closes(history)
        return crossings_at(close, sma(close, 12), by=1.0, above=0.5, below=-0.5)


class RowsBehind(Case):
    """Compares with the close of ten rows before."""

    def targets(self, history: History) -> Any:
        rows = np.arange(EVERY, len(history.ts_ns), EVERY)
        before = history.at("close", rows - EVERY)[:, 0]
        return Changes(rows, np.where(history.at("close", rows)[:, 0] > before, 1.0, 0.0))


class ByTheCalendar(Case):
    """Goes in and out at bars that are known beforehand, whatever the prices."""

    unit: ClassVar[TargetUnit] = TargetUnit.QTY

    def targets(self, history: History) -> Any:
        rows = np.arange(5, len(history.ts_ns), EVERY)
        return Changes(rows, np.where(np.arange(len(rows)) % 2 == 0, 10.0, 0.0))


class WinnersBehind(Case):
    """Holds the share that did best over the last ten bars."""

    shares: ClassVar[int] = 3
    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT

    def targets(self, history: History) -> Any:
        rows = np.arange(EVERY, len(history.ts_ns), EVERY)
        gains = history.at("close", rows) / history.at("close", rows - EVERY)
        return Changes(rows, np.where(gains == gains.max(axis=1, keepdims=True), 0.9, 0.0))


LEAKS: tuple[type[Case], ...] = (CrossingsAhead, CrossingsOfTheMean, RowsAhead, BestRows, WinnersAhead)
CLEAN: tuple[type[Case], ...] = (Crossings, CrossingsBy, RowsBehind, ByTheCalendar, WinnersBehind)
