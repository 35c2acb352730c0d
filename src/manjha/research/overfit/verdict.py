"""From numbers to one plain sentence."""

import math
from enum import StrEnum

import msgspec


class Likelihood(StrEnum):
    """What the numbers amount to. The value is for people and ends the sentence."""

    LUCK = "likely luck"
    UNPROVEN = "not proven"
    EDGE = "unlikely to be luck alone"


class Thresholds(msgspec.Struct, frozen=True):
    """Where a number speaks for luck and where for an edge; between the two it proves nothing.

    Deflated Sharpe ratio: luck below `deflated_luck`, because then the best of as many skill-less trials is more
    likely to look as good than not; edge from `deflated_edge`, the usual 95 %. Overfitting: luck from
    `overfitting_luck` where the pick also lost money in more than `loss_luck` of the halvings; edge up to
    `overfitting_edge`, or where it lost in no more than `loss_edge` of them: among trials that are all good the order
    is chance, and no harm. P-value of superior ability: luck above `superiority_luck`, edge up to `superiority_edge`.
    Plateau: never luck by itself, edge from `plateau_edge`.
    """

    deflated_luck: float = 0.5
    deflated_edge: float = 0.95
    overfitting_luck: float = 0.5
    overfitting_edge: float = 0.1
    loss_luck: float = 0.25
    loss_edge: float = 0.05
    superiority_luck: float = 0.5
    superiority_edge: float = 0.05
    plateau_edge: float = 0.5


class Evidence(msgspec.Struct, frozen=True):
    """What a verdict rests on. NaN is a number that could not be had, and has no say.

    `trials` that were evaluated, `place` of the judged one among them (1 is the best), its `deflated` Sharpe ratio;
    `overfitting` and `loss` of CSCV, `superiority` (Hansen's consistent p-value), `plateau` score.
    """

    trials: int
    place: int
    deflated: float
    overfitting: float = math.nan
    loss: float = math.nan
    superiority: float = math.nan
    plateau: float = math.nan


class Verdict(msgspec.Struct, frozen=True):
    """The judgement, in a word and in a sentence without a full stop; `reasons` has what each number says by itself."""

    likelihood: Likelihood
    sentence: str
    reasons: tuple[str, ...]


def verdict(evidence: Evidence, thresholds: Thresholds | None = None) -> Verdict:
    """Judge: luck if one number says so, an edge if all that could be had say so, else not proven.

    The sentence names the deflated Sharpe ratio, and the number that decided where that is another one. Without a
    deflated ratio there is nothing to judge, and the likelihood is UNPROVEN.
    """
    limits = thresholds or Thresholds()
    subject = _subject(evidence)
    if math.isnan(evidence.deflated):
        return Verdict(Likelihood.UNPROVEN, f"{subject} has no Sharpe ratio: there is nothing to judge", ())
    spoken = _spoken(evidence, limits)
    said = {likelihood for _, likelihood in spoken}
    if Likelihood.LUCK in said:
        whole = Likelihood.LUCK
    else:
        whole = Likelihood.UNPROVEN if Likelihood.UNPROVEN in said else Likelihood.EDGE
    words, first = spoken[0]
    decisive = "" if first is whole else ", but " + next(text for text, likelihood in spoken if likelihood is whole)
    reasons = tuple(f"{text}: {likelihood}" for text, likelihood in spoken)
    return Verdict(whole, f"{subject} has {words}{decisive}: {whole}", reasons)


def _subject(evidence: Evidence) -> str:
    if evidence.trials <= 1:
        return "the only trial"
    if evidence.place == 1:
        return f"the best of {evidence.trials:,} trials"
    return f"number {evidence.place:,} of {evidence.trials:,} trials"


def _spoken(evidence: Evidence, limits: Thresholds) -> list[tuple[str, Likelihood]]:
    """Return what each number that could be had says, the deflated ratio first."""
    overfitting, loss, test = evidence.overfitting, evidence.loss, evidence.superiority
    name = "deflated" if evidence.trials > 1 else "probabilistic"
    found = [
        (
            evidence.deflated,
            f"a {name} Sharpe of {_written(evidence.deflated)}",
            _grade(
                luck=evidence.deflated < limits.deflated_luck,
                edge=evidence.deflated >= limits.deflated_edge,
            ),
        ),
        (
            overfitting,
            f"a probability of backtest overfitting of {_written(overfitting)}",
            _grade(
                luck=overfitting >= limits.overfitting_luck and loss > limits.loss_luck,
                edge=overfitting <= limits.overfitting_edge or loss <= limits.loss_edge,
            ),
        ),
        (
            test,
            f"a chance of {_written(test)} that the search alone finds as much",
            _grade(luck=test > limits.superiority_luck, edge=test <= limits.superiority_edge),
        ),
        (
            evidence.plateau,
            f"only {_written(evidence.plateau)} of its neighbours as good"
            if evidence.plateau < limits.plateau_edge
            else f"{_written(evidence.plateau)} of its neighbours as good",
            _grade(luck=False, edge=evidence.plateau >= limits.plateau_edge),
        ),
    ]
    return [(text, likelihood) for value, text, likelihood in found if not math.isnan(value)]


def _grade(*, luck: bool, edge: bool) -> Likelihood:
    if luck:
        return Likelihood.LUCK
    return Likelihood.EDGE if edge else Likelihood.UNPROVEN


def _written(value: float) -> str:
    """Write two digits; never round a doubt away to 0 or 1."""
    if 0.0 < value < 0.005:
        return "less than 0.01"
    return "more than 0.99" if 0.995 <= value < 1.0 else f"{value:.2f}"
