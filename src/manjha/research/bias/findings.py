"""What a check found, as values: the verdict with its evidence, and what is worth a warning."""

from enum import StrEnum

import msgspec

from manjha.domain.moments import TsNs


class FindingKind(StrEnum):
    """What is wrong."""

    LOOK_AHEAD = "look-ahead"
    SAME_PRICE = "decides by the price it fills at"
    STATE = "keeps state between runs"
    CHANCE = "not repeatable"


class Cause(msgspec.Struct, frozen=True):
    """The cells that move what should be fixed: columns of one or more series, in the bars that close from
    `first_ns` to `last_ns`. `is_missing` tells that the bars were taken away instead of changed."""

    series: tuple[str, ...]
    interval: str
    columns: tuple[str, ...]
    first_ns: TsNs
    last_ns: TsNs
    is_missing: bool = False


class Finding(msgspec.Struct, frozen=True):
    """One thing that changes though nothing up to its moment did.

    `item` is "orders" or the name of a line; `before` and `after` what it was and became; `points` how many of the
    points showed it; `arrays` names columns kept by the strategy that differ at the same moment; `how` is the change of
    the data that showed it.
    """

    kind: FindingKind
    item: str
    ts_ns: TsNs
    before: str
    after: str
    cause: Cause | None = None
    points: int = 1
    arrays: tuple[str, ...] = ()
    how: str = ""


class BiasReport(msgspec.Struct, frozen=True):
    """The verdict on one subject; times are those of its first and last bar.

    `runs` counts how often it was run, `compared` those on other data that it was held against, `broken` those of them
    that came to nothing.
    """

    subject: str
    series: tuple[str, ...]
    interval: str
    first_ns: TsNs
    last_ns: TsNs
    bars: int
    points: int
    compared: int
    broken: int
    runs: int
    seed: int
    decisions: int
    lines: int
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()

    @property
    def is_biased(self) -> bool:
        """Whether anything was found that a backtest must not do."""
        return bool(self.findings)

    @property
    def is_checked(self) -> bool:
        """Whether enough was compared for the absence of findings to say something: half of what was tried."""
        return self.compared > 0 and self.compared >= self.broken and bool(self.decisions or self.lines)
