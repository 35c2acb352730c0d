"""Precision and recall of the look-ahead detector on the planted corpus: both 1.0, member by member."""

from pathlib import Path

import pytest

from manjha.research.bias.detector import Detector
from manjha.research.bias.findings import BiasReport, FindingKind
from manjha.research.bias.subjects import StrategySubject
from tests.fakes.leaks.cases import Case, spec_for
from tests.fakes.leaks.corpus import CLEAN, LEAKS

pytestmark = pytest.mark.slow

POINTS = 12
"""Half of what the command takes, to keep the suite short."""
OTHER_KINDS = {
    "bought-at-the-deciding-close": FindingKind.SAME_PRICE,
    "target-at-the-deciding-close": FindingKind.SAME_PRICE,
    "remembers-the-last-run": FindingKind.STATE,
}


def checked(found: type[Case]) -> BiasReport:
    return Detector(StrategySubject(spec_for(found)), count=POINTS).check()


def test_the_corpus_has_thirty_of_each() -> None:
    assert len(LEAKS) >= 30
    assert len(CLEAN) >= 30
    assert not LEAKS.keys() & CLEAN.keys()
    page = (Path(__file__).parents[2] / "docs" / "bias-check.md").read_text(encoding="utf-8")
    assert f"leak in {len(LEAKS)} ways" in page
    assert f"and {len(CLEAN)} that only look" in page


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_found(name: str) -> None:
    report = checked(LEAKS[name])
    assert {finding.kind for finding in report.findings} == {OTHER_KINDS.get(name, FindingKind.LOOK_AHEAD)}
    for finding in report.findings:
        if finding.kind is FindingKind.LOOK_AHEAD:
            assert finding.cause is not None
            assert finding.cause.last_ns > finding.ts_ns


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_strategy_is_left_alone(name: str) -> None:
    report = checked(CLEAN[name])
    assert report.findings == ()
    assert report.decisions > 0
