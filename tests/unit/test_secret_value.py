"""A secret shows itself to nobody who does not ask for it by name."""

import copy
import json
import logging
import pickle
import traceback
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.secret import SHOWN, Secret, same

WORD = "canary-word"
texts = st.text()


class Keys(NamedTuple):
    name: str
    secret: Secret


def test_only_reveal_gives_it() -> None:
    secret = Secret(WORD)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>30}",
        "{} {!r}".format(*[secret, secret]),
        format(secret, ">40"),
    ]
    shown += [repr(Keys("a", secret)), str([secret]), str({"a": secret}), f"{Keys('a', secret)}"]
    assert secret.reveal() == WORD
    assert not any(WORD in text for text in shown)
    assert all(SHOWN in text for text in shown)


@pytest.mark.parametrize("write", [pickle.dumps, json.dumps, msgspec.json.encode, msgspec.msgpack.encode])
def test_it_is_not_written(write: object) -> None:
    assert callable(write)
    for value in (Secret(WORD), [Secret(WORD)], {"a": Secret(WORD)}):
        with pytest.raises(TypeError) as refused:
            write(value)
        assert WORD not in str(refused.value)


def test_a_copy_is_the_same_and_a_dict_has_none_as_a_key() -> None:
    secret = Secret(WORD)
    assert copy.deepcopy([secret])[0] is secret
    assert copy.copy(secret) is secret
    with pytest.raises(TypeError, match="unhashable"):
        hash(secret)
    with pytest.raises(TypeError):
        vars(secret)


def test_logs_and_tracebacks_with_values_do_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(WORD)
    logging.getLogger("here").warning("with %s and %r", secret, {"a": secret})

    def broken(given: Secret) -> None:
        raise ValueError(given)

    try:
        broken(secret)
    except ValueError as error:
        told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert WORD not in told + caplog.text
    assert SHOWN in told


@given(texts, texts)
def test_two_are_the_same_as_their_texts_are(one: str, two: str) -> None:
    assert (Secret(one) == Secret(two)) == (one == two)
    assert Secret(one).matches(one)
    assert Secret(one).matches(two) == same(one, two.encode()) == (one == two)
    assert bool(Secret(one)) == bool(one)


def test_no_secret_is_a_text() -> None:
    secret: object = Secret(WORD)
    assert secret != WORD
    assert not same("\ud800", WORD)
