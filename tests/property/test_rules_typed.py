"""Every rule that is drawn, crossed or mutated is well typed, small enough, and its strategy compiles."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.orders import Product
from manjha.research.evolve.breeding import Herd, Herding
from manjha.research.evolve.grammar import Grammar, GrammarTerms
from manjha.research.evolve.record import HerdState
from manjha.research.evolve.source import Written, class_of, in_words, source_of
from manjha.research.evolve.trees import canonical, parse

TERMS = st.builds(
    GrammarTerms,
    has_volume=st.booleans(),
    has_short=st.booleans(),
    has_clock=st.booleans(),
    longest=st.integers(2, 200),
)


@pytest.mark.slow
@given(terms=TERMS, seed=st.integers(0, 2**32), room=st.integers(0, 40), rounds=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_every_rule_is_well_typed_and_compiles(terms: GrammarTerms, seed: int, room: int, rounds: int) -> None:
    grammar = Grammar(terms)
    herd = Herd(grammar, Herding(population=10, seed=seed, max_size=grammar.smallest + room))
    chance = random.Random(seed)
    for _ in range(rounds):
        herd.breed([chance.random() for _ in herd.trees])
    for tree, text in zip(herd.trees, herd.texts, strict=True):
        assert len(tree) <= grammar.smallest + room
        rule = parse(text)
        grammar.require(rule)
        grammar.require(parse(str(tree)))
        assert canonical(rule) == rule
        assert rule.text == text
        assert class_of(text, grammar, Product.CNC)().needs_volume <= terms.has_volume
        assert max(map(len, source_of(text, grammar, Written()).splitlines())) <= 120
        assert in_words(rule, grammar)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_the_course_follows_from_the_seed_and_disturbs_nothing(seed: int) -> None:
    grammar = Grammar(GrammarTerms())
    before = random.getstate()
    courses = []
    for _ in range(2):
        herd = Herd(grammar, Herding(population=8, seed=seed))
        herd.breed([float(len(text)) for text in herd.texts])
        courses.append(herd.texts)
        assert random.getstate() == before
    assert courses[0] == courses[1]


@given(terms=TERMS, seed=st.integers(0, 2**32), rounds=st.integers(0, 3))
@settings(max_examples=10, deadline=None)
def test_a_herd_that_was_put_away_goes_on_as_it_would_have(terms: GrammarTerms, seed: int, rounds: int) -> None:
    grammar, herding = Grammar(terms), Herding(population=8, seed=seed)
    herd = Herd(grammar, herding)
    for _ in range(rounds):
        herd.breed([float(len(text)) for text in herd.texts])
    text = msgspec.json.encode(herd.state)
    other = Herd(grammar, herding, msgspec.json.decode(text, type=HerdState))
    for _ in range(3):
        assert other.state == herd.state
        assert other.texts == herd.texts
        for one in (herd, other):
            one.breed([float(len(text)) for text in one.texts])
