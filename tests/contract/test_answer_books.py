"""The books of kept answers and hooks on each database."""

from collections.abc import Iterator

import msgspec
import pytest

from manjha.adapters.sql.database import Database
from manjha.adapters.sql.unit_of_work import SqlUnitOfWork
from manjha.domain.answers import KeptAnswer
from manjha.domain.errors import UsageError
from manjha.domain.hooks import Hook, Proof
from manjha.domain.moments import TsNs
from manjha.domain.money import Qty
from manjha.domain.orders import AccountId, Product, StrategyId
from tests.fakes.databases import forgetful_postgres, url

__all__ = ["forgetful_postgres", "url"]

ASKED = KeptAnswer(caller="me", key="k", fingerprint="f", own_key="api-1", made_ns=TsNs(10))
HOOK = Hook(
    id="h", name="breakout", account=AccountId("A"), strategy=StrategyId("tv"), instruments=("NSE:A", "NSE:B"),
    product=Product.MIS, qty_max=Qty(5), per_minute=6, proof=Proof.SIGNATURE, is_on=True, made_ns=TsNs(1), made_by="me",
)  # fmt: skip


@pytest.fixture
def work(url: str) -> Iterator[SqlUnitOfWork]:
    made = SqlUnitOfWork(Database(url))
    yield made
    made.close()


def test_the_first_who_asks_under_a_key_is_kept_and_the_first_answer_too(work: SqlUnitOfWork) -> None:
    other = msgspec.structs.replace(ASKED, fingerprint="g", own_key="api-2")
    with work.begin() as books:
        assert books.answers.begin(ASKED) == ASKED
        assert books.answers.begin(other) == ASKED
        assert books.answers.begin(msgspec.structs.replace(other, caller="you")).own_key == "api-2"
    done = msgspec.structs.replace(ASKED, status=201, body="{}")
    with work.begin() as books:
        books.answers.finish(done)
        books.answers.finish(msgspec.structs.replace(done, status=409))
    with work.begin() as books:
        assert books.answers.begin(other) == done
        assert books.answers.forget(TsNs(10)) == 0
        assert books.answers.forget(TsNs(11)) == 2


def test_hooks_are_as_they_were_put_and_changed_by_version(work: SqlUnitOfWork) -> None:
    second = msgspec.structs.replace(HOOK, is_on=False, version=2)
    with work.begin() as books:
        books.hooks.add(HOOK)
    with pytest.raises(UsageError, match="there is a hook"), work.begin() as books:
        books.hooks.add(msgspec.structs.replace(HOOK, id="other"))
    with work.begin() as books:
        assert (books.hooks.find("h"), books.hooks.find("x"), books.hooks.hooks()) == (HOOK, None, [HOOK])
        books.hooks.change(second)
    with pytest.raises(UsageError, match="somebody else"), work.begin() as books:
        books.hooks.change(second)
    with work.begin() as books:
        assert books.hooks.hooks() == [second]
        assert [books.hooks.remove("h"), books.hooks.remove("h")] == [True, False]


def test_a_word_is_used_once_until_it_is_forgotten(work: SqlUnitOfWork) -> None:
    with work.begin() as books:
        assert [books.hooks.first_time("h", "w", TsNs(20)) for _ in range(2)] == [True, False]
        assert books.hooks.first_time("other", "w", TsNs(20))
        assert books.hooks.forget_words(TsNs(20)) == 0
        assert books.hooks.forget_words(TsNs(21)) == 2
        assert books.hooks.first_time("h", "w", TsNs(20))
