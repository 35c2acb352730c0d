"""Tags, sights and outcomes: laws that hold whatever is tried."""

import random

from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.broker import BrokerStatus, OutcomeUnknown, Sent, Sight, Turned, Unsent
from manjha.domain.moments import TradingDay
from manjha.domain.orders import StrategyId
from manjha.domain.outcomes import UNSURE_WORDS, Answer, outcome_of
from manjha.orders.sight import NOTHING_SEEN, joined
from manjha.orders.tags import ALPHABET, read_tag, tag_of

SIGHTS = st.builds(
    Sight,
    st.booleans(),
    st.integers(0, 3),
    st.integers(-1, 3),
    st.sampled_from(BrokerStatus),
    st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(0, 2)),
    st.sampled_from(["", "a", "b"]),
    st.integers(0, 5),
)


@given(
    st.integers(0, 32**3 - 1), st.integers(10_000, 30_000), st.integers(0, 32**5 - 1), st.text(max_size=20),
    st.integers(0, 31),
)  # fmt: skip
def test_a_tag_says_what_was_put_in(epoch: int, day: int, number: int, strategy: str, leg: int) -> None:
    text = tag_of(epoch, TradingDay(day), number, StrategyId(strategy), leg)
    assert len(text) == 20
    assert set(text) <= set(ALPHABET)
    read = read_tag(text)
    assert read is not None
    assert (read.epoch, read.day, read.number, read.leg) == (epoch, day % 32**3, number, leg)


@given(st.integers(1, 10_000), st.integers(0, 19), st.sampled_from(ALPHABET))
def test_a_wrong_letter_is_no_tag(number: int, at: int, letter: str) -> None:
    text = tag_of(3, TradingDay(20_000), number, StrategyId("s"))
    wrong = text[:at] + letter + text[at + 1 :]
    assert (read_tag(wrong) is None) == (wrong != text)


@given(SIGHTS, SIGHTS, SIGHTS)
def test_sights_are_joined_in_any_order(one: Sight, two: Sight, three: Sight) -> None:
    assert joined(one, two) == joined(two, one)
    assert joined(joined(one, two), three) == joined(one, joined(two, three))
    assert joined(one, one) == one
    assert joined(NOTHING_SEEN, one).filled == one.filled


@given(st.lists(SIGHTS, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_any_permutation_with_repeats_comes_to_the_same(sights: list[Sight], rng: random.Random) -> None:
    def folded(some: list[Sight]) -> Sight:
        found = some[0]
        for each in some[1:]:
            found = joined(found, each)
        return found

    shuffled = sights + rng.sample(sights, len(sights))
    rng.shuffle(shuffled)
    assert folded(shuffled) == folded(sights)


KINDS = (
    "", "TokenException", "PermissionException", "InputException", "MarginException", "HoldingException",
    "NetworkException", "DataException", "OrderException", "GeneralException", "UserException",
)  # fmt: skip
WORDS = ("", "Insufficient funds", "Order request timed out. Please check the order book", "Try again later", "<html>")


def test_every_status_and_kind_and_word_is_unknown_unless_it_is_on_the_list() -> None:
    """The table of RELIABILITY 5.2 written once more, by hand; the default row is that nothing is known."""
    for status in range(400, 600):
        for kind in KINDS:
            for words in WORDS:
                outcome = outcome_of(Answer(written=300, status=status, kind=kind, words=words))
                unsure = any(each in words.lower() for each in UNSURE_WORDS)
                definite = (
                    status == 429
                    or (status == 403 and kind in ("TokenException", "PermissionException"))
                    or (
                        status == 400
                        and kind in ("InputException", "MarginException", "HoldingException")
                        and not unsure
                    )
                )
                assert isinstance(outcome, Turned if definite else OutcomeUnknown)


@given(st.integers(0, 400), st.sampled_from([0, 200, 201, 302]), st.text(max_size=10))
def test_only_nothing_written_is_unsent_and_only_a_number_is_sent(written: int, status: int, number: str) -> None:
    outcome = outcome_of(Answer(written=written, status=status, broker_id=number))
    assert isinstance(outcome, Unsent) == (status == 0 and written == 0)
    assert isinstance(outcome, Sent) == (status == 200 and bool(number))
