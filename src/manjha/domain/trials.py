"""Trials: what was tried on which data, and what came of it. Counting them says how much of the best one is luck."""

import hashlib
from enum import StrEnum

import msgspec

from manjha.domain.bars import Interval
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash

PICO = 10**12
"""Statistics are kept as integers of 1e-12, so that a row says the same in every database."""


class TrialStatus(StrEnum):
    """How it ended. PRUNED: given up before its end, because the first part was poor."""

    OK = "ok"
    FAILED = "failed"
    PRUNED = "pruned"


def tried_name(strategy: str, chosen_from: str) -> str:
    """Return how people read whose trials are counted: "evolved-0123abcd (chosen from evolved)"."""
    return f"{strategy} (chosen from {chosen_from})" if chosen_from else strategy


class TrialScope(msgspec.Struct, frozen=True, kw_only=True):
    """Which trials count together: those of a strategy on the same instruments over periods that overlap.

    With them count the trials under the name that the strategy was chosen from, if there is one: choosing among them
    was the first part of its search. The length of the bars is no part of it: who searches on with 5-minute bars looks
    at the same days again. Trials of before the ledger knew instruments by themselves are found by their `data_set`.
    """

    strategy: str
    instruments: str
    data_set: str
    first_ns: TsNs
    last_ns: TsNs
    chosen_from: str = ""

    @property
    def strategies(self) -> tuple[str, ...]:
        """The names whose trials count."""
        return (self.strategy, self.chosen_from) if self.chosen_from else (self.strategy,)

    def has(self, subject: "TrialSubject") -> bool:
        """Tell whether trials of a subject count here."""
        is_same = subject.instruments == self.instruments or subject.data_set == self.data_set
        is_then = subject.first_ns < self.last_ns and self.first_ns < subject.last_ns
        return subject.strategy in self.strategies and is_same and is_then


class TrialSubject(msgspec.Struct, frozen=True, kw_only=True):
    """What all variants of a search have in common: strategy, data and engine.

    `source_hash` is of the strategy's source text, `data_hash` of the bars and corporate actions of the run,
    `settings_hash` of everything else that decides an outcome (market rules, fills, slippage, sizing, limits, product,
    capital). `data_set` names the data for people, whatever the span: "NSE:RELIANCE 1d"; `instruments` leaves the
    interval out: "NSE:RELIANCE". `first_ns` is the first bar's open, `last_ns` the last one's close. `chosen_from` is
    the name under which the trials are recorded that the strategy itself was chosen from, empty where it was not.
    """

    strategy: str
    source_hash: str
    instruments: str
    data_set: str
    data_hash: str
    interval: Interval
    first_ns: TsNs
    last_ns: TsNs
    settings_hash: str
    seed: int = 0
    chosen_from: str = ""

    @property
    def scope(self) -> TrialScope:
        """Which trials count together with those of this subject."""
        return TrialScope(
            strategy=self.strategy,
            instruments=self.instruments,
            data_set=self.data_set,
            first_ns=self.first_ns,
            last_ns=self.last_ns,
            chosen_from=self.chosen_from,
        )


class ReturnMoments(msgspec.Struct, frozen=True):
    """Daily returns in five numbers, each in 1e-12; None where it is not defined.

    `count` days; sample deviation; skewness and kurtosis from population moments (3e12 is a normal distribution's
    kurtosis); `sharpe` is mean over deviation of a day, not annualised, without a risk-free rate.
    """

    count: int = 0
    mean: int | None = None
    deviation: int | None = None
    skewness: int | None = None
    kurtosis: int | None = None
    sharpe: int | None = None


class TrialOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one evaluation. Money in 1e-4 rupee, `total_return` and `max_drawdown` (negative) in 1e-12.

    `returns` are the daily returns packed by `research.search.summary`; empty where they were not asked for.
    """

    status: TrialStatus
    error: str = ""
    moments: ReturnMoments = ReturnMoments()
    final: Cash | None = None
    total_return: int | None = None
    max_drawdown: int | None = None
    trades: int = 0
    returns: bytes = b""


class Trial(msgspec.Struct, frozen=True):
    """One evaluated variant. `parameters` is a JSON object of all parameters, keys sorted, without spaces."""

    subject: TrialSubject
    parameters: str
    outcome: TrialOutcome

    @property
    def variant(self) -> str:
        """What was tried, whatever the span: the hash that distinct trials are counted by.

        On bars of another length it is another variant: it was looked at once more.
        """
        subject = self.subject
        return _hash(
            subject.strategy, subject.source_hash, subject.data_set, subject.settings_hash, subject.seed,
            self.parameters,
        )  # fmt: skip

    @property
    def key(self) -> str:
        """What makes it the same evaluation: the variant, on the same bars."""
        return _hash(self.variant, self.subject.data_hash)


def _hash(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]
