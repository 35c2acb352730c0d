"""Which combinations are tried."""

import pytest

from manjha.domain.errors import UsageError
from manjha.research.search.objective import dominates, parse_objective
from manjha.research.search.points import Chosen, grid, latin_hypercube
from manjha.services.sweeps import Sampling, parse_sampling
from tests.fakes.searches import candidates_of


def test_the_last_dimension_turns_fastest() -> None:
    points = list(grid(candidates_of("mode=long,flat", "length=1:2"), Chosen()))
    assert [tuple(point.values()) for point in points] == [("long", 1), ("long", 2), ("flat", 1), ("flat", 2)]


def test_conditions_see_parameters_that_are_not_varied() -> None:
    chosen = Chosen()
    points = list(grid(candidates_of("length=1:4", constraints=("length > 2 * lots",)), chosen))
    assert [point["length"] for point in points] == [3, 4]
    assert (chosen.left_out, chosen.why) == (2, "length > 2 * lots")


def test_what_the_strategy_refuses_is_left_out() -> None:
    chosen = Chosen()
    assert len(list(grid(candidates_of("length=29:32"), chosen))) == 2
    assert (chosen.left_out, chosen.why) == (2, "waves: length must be at most 30")


def test_a_grid_without_steps_or_end_is_refused() -> None:
    with pytest.raises(UsageError, match="a grid needs a step for lots"):
        list(grid(candidates_of("lots=0:1"), Chosen()))
    with pytest.raises(UsageError, match="400,040 combinations"):
        list(grid(candidates_of("lots=0:1:0.0001", "length=1:40"), Chosen()))


def test_the_same_seed_draws_the_same() -> None:
    space = candidates_of("length=1:20", "lots=0.5:2")
    first, again, other = (latin_hypercube(space, 30, seed, Chosen()) for seed in (1, 1, 2))
    assert first == again != other


def test_a_hypercube_covers_every_dimension_evenly() -> None:
    drawn = latin_hypercube(candidates_of("length=1:20", "lots=0:2"), 20, 3, Chosen())
    assert sorted(point["length"] for point in drawn) == list(range(1, 21))
    assert sorted(int(float(point["lots"]) * 10) for point in drawn) == list(range(20))


def test_draws_are_distinct_and_meet_the_conditions() -> None:
    drawn = latin_hypercube(
        candidates_of("length=1:30", "mode=long,flat", constraints=("length < 6",)), 100, 0, Chosen()
    )
    assert len({tuple(point.values()) for point in drawn}) == len(drawn) == 10


@pytest.mark.parametrize("text", ["lhs", "lhs:0", "lhs:x", "sobol:5", "500"])
def test_an_unknown_sample_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="unknown sample"):
        parse_sampling(text, 0)


def test_a_sample_is_read() -> None:
    assert parse_sampling("lhs:500", 3) == Sampling(500, 3)
    assert parse_sampling("", 3) == Sampling()


@pytest.mark.parametrize(
    ("text", "name", "more"),
    [
        ("sharpe", "sharpe", True),
        ("max-drawdown", "max_drawdown", True),
        ("volatility", "volatility", False),
        ("charges_stt", "charges_stt", False),
        ("max:volatility", "volatility", True),
        ("min:trades", "trades", False),
    ],
)
def test_objectives_have_a_direction(text: str, name: str, more: bool) -> None:
    found = parse_objective(text)
    assert (found.name, found.more_is_better) == (name, more)


@pytest.mark.parametrize("text", ["sharp", "best:sharpe", "start", ""])
def test_an_unknown_objective_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="unknown objective"):
        parse_objective(text)


def test_a_near_objective_is_named() -> None:
    with pytest.raises(UsageError) as raised:
        parse_objective("sharp")
    assert "Did you mean 'sharpe'?" in raised.value.hint


def test_dominance_looks_at_directions() -> None:
    both = (parse_objective("sharpe"), parse_objective("volatility"))
    assert dominates((2.0, 0.1), (1.0, 0.1), both)
    assert not dominates((2.0, 0.2), (1.0, 0.1), both)
    assert not dominates((1.0, 0.1), (1.0, 0.1), both)
