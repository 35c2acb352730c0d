"""The check itself: run, run again, cut, change what is to come, and compare what was decided before."""

from collections.abc import Callable, Iterator

import numpy as np

from manjha.domain.bars import format_interval
from manjha.domain.errors import DataError
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, TsNs
from manjha.research.bias.blame import Blamer, Evidence
from manjha.research.bias.compare import ORDERS, TARGET, Difference, differences, is_stated, last_change
from manjha.research.bias.findings import BiasReport, Finding, FindingKind
from manjha.research.bias.points import points
from manjha.research.bias.same_price import same_price
from manjha.research.bias.subjects import Broken, Subject, Trace, attempted
from manjha.research.bias.tape import Change, Kind, Tape, changeable, changed, differs
from manjha.research.bias.warmup import warmup_warnings

POINTS = 24
"""Points of a check, unless asked for otherwise."""
ENOUGH = 6
"""At how many points something must have been seen for the verdict to need no more of them."""
BLAMED_MAX = 8
"""How many items get a cause; each costs as many runs as halving takes."""
EVERYWHERE = (Kind.MISSING, Kind.INVERTED, Kind.LEVEL, Kind.SHUFFLED)
Tell = Callable[[int, int], None]


class Detector:
    """One check of one subject."""

    def __init__(self, subject: Subject, *, count: int = POINTS, seed: int = 0, tell: Tell | None = None) -> None:
        self.subject = subject
        self.count = count
        self.seed = seed
        self.tell = tell
        self.runs = 0
        self.compared = 0
        self.broken: list[str] = []
        self.looked_at = 0
        self.seen: dict[str, tuple[Evidence, set[int]]] = {}

    def check(self) -> BiasReport:
        """Return the verdict.

        Raises
        ------
        DataError
            There are too few bars to cut anywhere.
        """
        subject = self.subject
        whole = self._trace()
        chosen = points(whole, subject.tape, self.count, self.seed)
        if not chosen:
            raise DataError(
                f"{subject.name} has its first value at bar {whole.warmup + 1} of {len(whole.closes)}: "
                "nothing comes after it that could be changed",
                hint="Give an earlier --from, or shorter lengths.",
            )
        findings = self._repeats(whole)
        # Without a run that can be had twice there is nothing to compare with.
        if not any(one.kind is FindingKind.CHANCE for one in findings):
            self._use_fresh_if_needed(whole, chosen[len(chosen) // 2])
            self._compare(whole, chosen)
            findings += self._causes(whole)
            if subject.fills_at_close:
                findings += same_price(subject, whole, chosen, self._counted)
        return self._report(whole, findings)

    def _trace(self) -> Trace:
        self._counted()
        return self.subject.trace(self.subject.tape)

    def _counted(self) -> None:
        self.runs += 1

    # ---- is it the same twice?

    def _repeats(self, whole: Trace) -> list[Finding]:
        """Return what changes when nothing changed: chance, or state that a run leaves to the next one."""
        found = self._first_difference(whole, self._trace())
        if found is None:
            return []
        self.subject.forget()
        is_state = self._first_difference(whole, self._trace()) is None
        self.subject.has_state = is_state
        kind = FindingKind.STATE if is_state else FindingKind.CHANCE
        return [Finding(kind, found.item, TsNs(found.ts_ns), found.before, found.after)]

    def _first_difference(self, whole: Trace, other: Trace) -> Difference | None:
        last = len(whole.closes) - 1
        return next(differences(whole, other, last, self.subject.display, cut=False, upto=last), None)

    def _use_fresh_if_needed(self, whole: Trace, point: int) -> None:
        """Read the strategy's file anew for every run when an earlier run changes what a later one computes."""
        if self.subject.has_state:
            return
        tape = changed(self.subject.tape, int(whole.closes[point]), Change(Kind.INVERTED, self.seed))
        used = self._tried(tape, None)
        self.subject.forget()
        fresh = self._tried(tape, None)
        if isinstance(used, Broken) or isinstance(fresh, Broken):
            self.subject.has_state = isinstance(used, Broken) is not isinstance(fresh, Broken)
            return
        self.subject.has_state = self._first_difference(fresh, used) is not None

    # ---- cut and change

    def _compare(self, whole: Trace, chosen: list[int]) -> None:
        columns = changeable(self.subject.tape)
        for index, point in enumerate(chosen):
            if any(len(at) >= ENOUGH for _, at in self.seen.values()):
                return
            self.looked_at = index + 1
            if self.tell is not None:
                self.tell(index, len(chosen))
            changes = [Change(kind, self.seed + index) for kind in EVERYWHERE]
            if columns:
                changes.append(Change(Kind.COLUMN, self.seed + index, columns[index % len(columns)]))
            for change in changes:
                for difference in self._differences(whole, point, change):
                    self._note(Evidence(difference, point, change))

    def _differences(self, whole: Trace, point: int, change: Change) -> Iterator[Difference]:
        subject = self.subject
        tape = changed(subject.tape, int(whole.closes[point]), change)
        is_cut = change.kind is Kind.MISSING
        if not is_cut and not differs(subject.tape, tape):
            return
        trace = self._tried(tape, point)
        if isinstance(trace, Broken):
            self.broken.append(trace.why)
            return
        self.compared += 1
        upto = point if not is_cut or subject.cuts_decide else _evening_before(whole, point)
        yield from differences(whole, trace, point, subject.display, cut=is_cut, upto=upto)

    def _tried(self, tape: Tape, point: int | None) -> Trace | Broken:
        self._counted()
        return attempted(self.subject, tape, point)

    def _note(self, evidence: Evidence) -> None:
        """Keep the best evidence of each item: a change of bars says more than their absence, a near point more."""
        item = evidence.difference.item
        best, at = self.seen.get(item, (evidence, set()))
        at.add(evidence.point)
        if _rank(evidence) < _rank(best):
            best = evidence
        self.seen[item] = (best, at)

    # ---- why

    def _causes(self, whole: Trace) -> list[Finding]:
        blamer = Blamer(self.subject, whole, self._counted)
        findings = []
        for number, (item, (evidence, at)) in enumerate(sorted(self.seen.items(), key=lambda one: one[0] == ORDERS)):
            cause = blamer.cause(evidence) if number < BLAMED_MAX else None
            one = evidence.difference
            findings.append(
                Finding(
                    FindingKind.LOOK_AHEAD,
                    item,
                    TsNs(one.ts_ns),
                    one.before,
                    one.after,
                    cause,
                    len(at),
                    self._arrays(whole, evidence) if item == ORDERS or is_stated(item) else (),
                    evidence.change.kind,
                )
            )
        return findings

    def _arrays(self, whole: Trace, evidence: Evidence) -> tuple[str, ...]:
        """Return the strategy's own arrays that differ as well by the moment of the difference."""
        tape = changed(self.subject.tape, int(whole.closes[evidence.point]), evidence.change)
        trace = self._tried(tape, evidence.point)
        if isinstance(trace, Broken):
            return ()
        return tuple(
            name
            for name, values in whole.arrays.items()
            if last_change(values, trace.arrays.get(name), evidence.difference.ts_ns) is not None
        )

    # ---- words

    def _report(self, whole: Trace, findings: list[Finding]) -> BiasReport:
        subject = self.subject
        warnings = list(warmup_warnings(subject, whole, self._counted))
        if self.broken:
            warnings.append(
                f"{len(self.broken)} of {self.compared + len(self.broken)} runs on data cut short or changed came to "
                f"nothing and say nothing; the first with {self.broken[0]}"
            )
        if not whole.decisions and not whole.lines:
            warnings.append("it asked for nothing and kept no line on these bars, so there was nothing to compare")
        main = subject.tape[0]
        return BiasReport(
            subject=subject.name,
            series=tuple(dict.fromkeys(track.label for track in subject.tape if track.label)),
            interval=format_interval(main.interval) if main.interval else "",
            first_ns=TsNs(int(whole.closes[0])),
            last_ns=TsNs(int(whole.closes[-1])),
            bars=len(whole.closes),
            points=self.looked_at,
            compared=self.compared,
            broken=len(self.broken),
            runs=self.runs,
            seed=self.seed,
            decisions=len(whole.decisions)
            + sum(int((~np.isnan(v.numbers)).sum()) for n, v in whole.lines.items() if n.startswith(TARGET)),
            lines=len(whole.lines),
            findings=tuple(findings),
            warnings=tuple(warnings),
            assumptions=(FILLS_AT_CLOSE,) if subject.fills_at_close else (),
        )


FILLS_AT_CLOSE = "market orders fill at the close that decided them (--fill close), which nobody can do exactly"


def _rank(evidence: Evidence) -> tuple[int, int]:
    one = evidence.difference
    return int(evidence.change.kind is Kind.MISSING), one.position - evidence.point if one.position >= 0 else 0


def _evening_before(whole: Trace, point: int) -> int:
    """Return the last position of the day before a point's day; -1 where there is none."""
    day = (whole.closes - 1 + IST_OFFSET_NS) // DAY_NS
    return int(np.searchsorted(day, day[point])) - 1
