"""What data jobs report: frozen values that the command line prints and the API sends."""

import msgspec

from manjha.domain.bars import Interval
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Px
from manjha.ports.market_data import Conflict


class Problem(msgspec.Struct, frozen=True):
    """What stopped a file, and what to do next."""

    message: str
    hint: str = ""


class Tally(msgspec.Struct, frozen=True):
    """How often, of what."""

    what: str
    count: int


class FileReport(msgspec.Struct, frozen=True):
    """What became of one file. `rows` stood in it; each is added, unchanged, conflicting, replaced or in `quarantined`,
    or belongs to the rows that `notes` says were left out.

    `conflicts` names at most the first thousand contradicting fields. `quarantine_file` lists the rows not taken.
    """

    file: str
    sha256: str = ""
    format: str = ""
    adjustment: str = ""
    rows: int = 0
    added: int = 0
    unchanged: int = 0
    conflicting: int = 0
    replaced: int = 0
    quarantined: tuple[Tally, ...] = ()
    quarantine_file: str = ""
    conflicts: tuple[Conflict, ...] = ()
    instruments: int = 0
    actions: int = 0
    notes: tuple[str, ...] = ()
    problem: Problem | None = None

    @property
    def outcome(self) -> str:
        """One word: "failed", "absent" (there was no such file), "added", "replaced", "unchanged", "conflicting"."""
        if self.problem:
            return "failed"
        if not self.sha256:
            return "absent"
        if self.added or self.instruments or self.actions:
            return "added"
        if self.replaced:
            return "replaced"
        return "conflicting" if self.conflicting else "unchanged"


class Step(msgspec.Struct, frozen=True):
    """A raw price that jumped from one day's close to the next open with no corporate action known.

    `ratio` is the larger price in 1/1000 of the smaller; `guess` is what usually makes a jump of that size, or empty.
    """

    instrument: InstrumentId
    name: str
    day: TradingDay
    close_before: Px
    open_after: Px
    ratio: int
    guess: str


class ImportSummary(msgspec.Struct, frozen=True):
    """What an import did, file by file."""

    files: tuple[FileReport, ...]
    steps: tuple[Step, ...] = ()

    @property
    def failed(self) -> int:
        """How many files could not be used."""
        return sum(report.problem is not None for report in self.files)


class DayGap(msgspec.Struct, frozen=True):
    """Bars that are missing on a day: all of them, or some. `spans` are the opens of the first and last of each run."""

    day: TradingDay
    expected: int
    found: int
    spans: tuple[tuple[TsNs, TsNs], ...] = ()


class GapReport(msgspec.Struct, frozen=True):
    """What the calendar expects of a series from `first` to `last` (both included) and the store does not have."""

    instrument: InstrumentId
    name: str
    interval: Interval
    adjustment: str
    first: TradingDay
    last: TradingDay
    days: int
    gaps: tuple[DayGap, ...]

    @property
    def missing_days(self) -> int:
        """How many days have no bar at all."""
        return sum(gap.found == 0 for gap in self.gaps)

    @property
    def missing_bars(self) -> int:
        """How many bars are missing in all."""
        return sum(gap.expected - gap.found for gap in self.gaps)


class SeriesView(msgspec.Struct, frozen=True):
    """A stored series with the names that people use."""

    instrument: InstrumentId
    name: str
    interval: Interval
    adjustment: str
    rows: int
    first_ns: TsNs
    last_ns: TsNs
    sources: tuple[str, ...]
    sha256: str


class FetchSummary(msgspec.Struct, frozen=True):
    """What a download gave: `requests` were needed for `missing_days`; `problem` says why it ended early."""

    source: str
    missing_days: int
    requests: int
    files: tuple[FileReport, ...]
    steps: tuple[Step, ...] = ()
    problem: Problem | None = None
