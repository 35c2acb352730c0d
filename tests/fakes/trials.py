"""Trials by hand, and a ledger in memory."""

from collections.abc import Sequence

import msgspec

from manjha.domain.bars import DAY
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash
from manjha.domain.trials import PICO, ReturnMoments, Trial, TrialOutcome, TrialScope, TrialStatus, TrialSubject

SUBJECT = TrialSubject(
    strategy="sma-cross",
    source_hash="5" * 64,
    instruments="NSE:ALPHA",
    data_set="NSE:ALPHA 1d",
    data_hash="d" * 64,
    interval=DAY,
    first_ns=TsNs(1_700_000_000_000_000_000),
    last_ns=TsNs(1_710_000_000_000_000_000),
    settings_hash="e" * 64,
)
FAILED = TrialOutcome(status=TrialStatus.FAILED, error="ZeroDivisionError: division by zero")
PRUNED = TrialOutcome(status=TrialStatus.PRUNED, trades=1)


def done(sharpe: int = PICO // 10, *, returns: bytes = b"") -> TrialOutcome:
    return TrialOutcome(
        status=TrialStatus.OK,
        moments=ReturnMoments(250, PICO // 1000, PICO // 100, -PICO, 3 * PICO, sharpe),
        final=Cash(11_000_000_000),
        total_return=PICO // 10,
        max_drawdown=-PICO // 20,
        trades=12,
        returns=returns,
    )


def trial(number: int, outcome: TrialOutcome | None = None, subject: TrialSubject = SUBJECT) -> Trial:
    return Trial(subject, f'{{"fast":{number}}}', outcome or done())


RANK = {TrialStatus.FAILED: 0, TrialStatus.PRUNED: 1, TrialStatus.OK: 2}


class MemoryTrialLedger:
    """Implements `ports.trials.TrialLedger`; `batches` are the sizes of what came at once."""

    def __init__(self) -> None:
        self.rows: dict[str, Trial] = {}
        self.studies: set[tuple[str, str]] = set()
        self.batches: list[int] = []

    def record(self, study: str, trials: Sequence[Trial]) -> int:
        before = len(self.rows)
        self.batches.append(len(trials))
        for one in trials:
            held = self.rows.get(one.key)
            if held is None or self._is_better(one.outcome, held.outcome):
                self.rows[one.key] = one
            self.studies.add((study, one.key))
        return len(self.rows) - before

    def count(self, scope: TrialScope) -> int:
        return len({one.variant for one in self.counted(scope)})

    def counted(self, scope: TrialScope) -> list[Trial]:
        found = [one for one in self.rows.values() if scope.has(one.subject)]
        return [
            msgspec.structs.replace(one, outcome=msgspec.structs.replace(one.outcome, returns=b""))
            for one in found
            if one.outcome.status is not TrialStatus.FAILED
        ]

    def sharpes(self, scope: TrialScope, data_hash: str) -> list[int | None]:
        found = sorted(self.counted(scope), key=lambda one: one.subject.data_hash == data_hash)
        return list({one.variant: one.outcome.moments.sharpe for one in found}.values())

    def trials(self, strategy: str, data_set: str, *, study: str = "") -> list[Trial]:
        return [
            one
            for key, one in self.rows.items()
            if (one.subject.strategy, one.subject.data_set) == (strategy, data_set)
            and (not study or (study, key) in self.studies)
        ]

    def subjects(self, study: str) -> list[tuple[str, str]]:
        found = (self.rows[key].subject for name, key in self.studies if name == study)
        return sorted({(one.strategy, one.data_set) for one in found})

    def _is_better(self, new: TrialOutcome, old: TrialOutcome) -> bool:
        if RANK[new.status] != RANK[old.status]:
            return RANK[new.status] > RANK[old.status]
        return old.status is TrialStatus.FAILED or bool(new.returns)
