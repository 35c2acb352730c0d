"""A study: it finds what is good, the same way each time, and lies in its journal."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from manjha.domain.errors import UsageError
from manjha.research.search import study as studies
from manjha.research.search.objective import Objective, parse_objective
from manjha.research.search.space import Dimension, Point
from manjha.research.search.study import Sampler, Study, StudyTerms, mend_journal, parse_sampler

ONE = (parse_objective("sharpe"),)
TWO = (*ONE, parse_objective("volatility"))
PLANE = (Dimension("x", tuple(range(0, 101)), 0, 100, 1), Dimension("y", (), 0.0, 1.0))
LIST = (Dimension("mode", ("a", "b")),)
Told = list[tuple[Point, float]]


def opened(
    path: Path | str, sampler: Sampler, *, objectives: tuple[Objective, ...] = ONE, anchor: str = "same", seed: int = 1
) -> Study:
    return Study(
        StudyTerms(
            name="plane",
            storage=str(path),
            sampler=sampler,
            objectives=objectives,
            dimensions=PLANE,
            seed=seed,
            anchor=anchor,
        )
    )


def anything(point: Point) -> str:
    return ""


def hill(point: Point) -> float:
    """Return a height, at most 1, above (70, 0.3)."""
    return 1 - ((float(point["x"]) - 70) / 100) ** 2 - (float(point["y"]) - 0.3) ** 2


def climb(study: Study, batches: int, against: Callable[[Point], str] = anything) -> Told:
    told: Told = []
    for _ in range(batches):
        for proposal in study.propose(6, against):
            value = hill(proposal.point)
            study.tell(proposal.number, [value], f'"{proposal.number}"')
            told.append((proposal.point, value))
    return told


@pytest.mark.slow
@pytest.mark.parametrize("sampler", list(Sampler))
def test_every_sampler_finds_the_top_of_a_hill(tmp_path: Path, sampler: Sampler) -> None:
    told = climb(opened(tmp_path / "a.journal", sampler), 12)
    assert max(value for _, value in told) > 0.99
    late, early = ([value for _, value in part] for part in (told[-24:], told[:24]))
    assert sum(late) > sum(early)


@pytest.mark.parametrize("sampler", list(Sampler))
def test_a_study_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path, sampler: Sampler) -> None:
    whole = climb(opened(tmp_path / "a.journal", sampler), 6)
    first = climb(opened(tmp_path / "b.journal", sampler), 3)
    again = opened(tmp_path / "b.journal", sampler)
    assert again.told == 18
    assert first + climb(again, 3) == whole


def test_another_seed_is_another_course(tmp_path: Path) -> None:
    one, other = (climb(opened(tmp_path / f"{seed}.journal", Sampler.TPE, seed=seed), 2) for seed in (1, 2))
    assert one != other


def test_what_speaks_against_a_proposal_keeps_it_out(tmp_path: Path) -> None:
    told = climb(
        opened(tmp_path / "a.journal", Sampler.TPE), 3, lambda point: "too far" if float(point["x"]) > 40 else ""
    )
    assert len(told) == 18
    assert max(float(point["x"]) for point, _ in told) <= 40


def test_conditions_that_nothing_meets_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "TRIES", 10)
    with pytest.raises(UsageError, match="10 in a row are ruled out, the last by: x > y"):
        opened(tmp_path / "a.journal", Sampler.TPE).propose(1, lambda point: "x > y")


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    study = opened(tmp_path / "a.journal", Sampler.TPE)
    first, second, third, _ = study.propose(4, anything)
    study.tell(first.number, [0.5], "good")
    study.tell(second.number, [float("nan")], "undefined")
    study.tell(third.number, [0.1], "poor", is_pruned=True)
    study.abandon()
    again = opened(tmp_path / "a.journal", Sampler.TPE)
    assert list(again.kept()) == [("good", (0.5,)), ("undefined", None), ("poor", None)]
    assert again.told == 3


def test_what_is_worse_than_most_is_hopeless(tmp_path: Path) -> None:
    study = opened(tmp_path / "a.journal", Sampler.TPE)
    proposals = study.propose(7, anything)
    for height, proposal in enumerate(proposals[:5]):
        assert not study.is_hopeless(proposal.number, 0, float(height))
        study.tell(proposal.number, [float(height)], "x")
    assert not study.is_hopeless(proposals[5].number, 0, 3.0)
    assert study.is_hopeless(proposals[6].number, 0, 1.0)
    assert not study.is_hopeless(proposals[6].number, 1, float("nan"))


def test_a_killed_search_leaves_a_journal_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    study = opened(path, Sampler.TPE)
    climb(study, 1)
    study.propose(3, anything)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code": 5, "worker')
    mend_journal(path)
    assert path.read_bytes() == whole
    path.write_bytes(whole + b'{"op_code": 5, "worker')
    assert len(climb(opened(path, Sampler.TPE), 1)) == 6
    assert opened(path, Sampler.TPE).told == 12


def test_another_search_under_the_same_name_is_refused(tmp_path: Path) -> None:
    opened(tmp_path / "a.journal", Sampler.TPE)
    with pytest.raises(UsageError, match="the study plane searches something else"):
        opened(tmp_path / "a.journal", Sampler.TPE, anchor="other")
    with pytest.raises(UsageError, match="has other objectives"):
        opened(tmp_path / "a.journal", Sampler.TPE, objectives=TWO)


@pytest.mark.parametrize("text", ["hello\nworld\n", '{"a": 1}\n', "[1]\n", '{"op_code": 99}\n', "\xff\n"])
def test_a_file_that_is_no_journal_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.journal").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match="expected the journal of a study in") as raised:
        opened(tmp_path / "a.journal", Sampler.TPE)
    assert "move that file away" in raised.value.hint


@pytest.mark.parametrize("address", ["nonsense://x", "sqlite:////nowhere/at/all.db", "http://"])
def test_an_address_that_is_no_database_is_told(address: str) -> None:
    with pytest.raises(UsageError, match="the study plane cannot be opened, because the database") as raised:
        opened(address, Sampler.TPE)
    assert "--storage" in raised.value.hint


def test_without_optuna_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError) as raised:
        opened(tmp_path / "a.journal", Sampler.TPE)
    assert "manjha[research]" in raised.value.hint


def test_samplers_have_names() -> None:
    assert [parse_sampler(text, 1) for text in ("", "TPE", "cma_es", "NSGA-II")] == ["tpe", "tpe", "cma-es", "nsga2"]
    assert parse_sampler("", 2) is Sampler.NSGA2
    with pytest.raises(UsageError, match="unknown sampler 'random'"):
        parse_sampler("random", 1)


@pytest.mark.parametrize(
    ("dimensions", "objectives", "message"),
    [
        (PLANE, TWO, "CMA-ES has one objective"),
        (PLANE[:1], ONE, "but 1 varies"),
        (PLANE + LIST, ONE, "but mode is a list"),
    ],
)
def test_what_cma_es_cannot_do_is_refused(
    tmp_path: Path, dimensions: tuple[Dimension, ...], objectives: tuple[Objective, ...], message: str
) -> None:
    terms = StudyTerms(
        name="a", storage=str(tmp_path / "a"), sampler=Sampler.CMA_ES, objectives=objectives, dimensions=dimensions,
        seed=0, anchor="",
    )  # fmt: skip
    with pytest.raises(UsageError, match=message):
        Study(terms)
