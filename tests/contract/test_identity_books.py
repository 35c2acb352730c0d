"""What the books of tokens, sessions, people, attempts and the log do, whatever database is under them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec
import pytest

from manjha.adapters.sql.database import Database
from manjha.adapters.sql.unit_of_work import SqlUnitOfWork
from manjha.domain.errors import InvariantBroken, UsageError
from manjha.domain.identity import (
    ApiToken,
    Attempt,
    AuditEntry,
    AuditHead,
    OneTimeLink,
    Person,
    Session,
    SessionKeys,
    audit_faults,
    audit_row,
)
from manjha.domain.moments import TsNs
from manjha.ports.unit_of_work import Records, UnitOfWork
from tests.fakes.databases import forgetful_postgres, url

__all__ = ["forgetful_postgres", "url"]

AT = 1_720_000_000_000_000_000
BIG = 9_223_372_036_854_775_807
WORDS = "मांझा – ₹ 10,00,000 \N{KITE} 'quoted' \\ \"twice\"\n"
KEY = bytes(range(32))


@pytest.fixture
def work(url: str) -> Iterator[UnitOfWork]:
    made = SqlUnitOfWork(Database(url))
    yield made
    made.close()


def token(number: int = 1, **changes: object) -> ApiToken:
    made = ApiToken(
        id=f"t{number}", name=f"token {number}", salt=b"\x00" * 16, hash=b"\xff" * 32, scopes=("read", "trade"),
        created_ns=TsNs(AT),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def session(number: int = 1, **changes: object) -> Session:
    made = Session(id=f"s{number}", owner="owner", started_ns=TsNs(AT + number), expires_ns=TsNs(AT + 100))
    return msgspec.structs.replace(made, **changes)


def keys(number: int = 1, of: int = 1, **changes: object) -> SessionKeys:
    made = SessionKeys(
        id=f"k{number}", session=f"s{of}", access_hash=b"\x00", access_expires_ns=TsNs(AT + 10),
        refresh_hash=b"\xff", refresh_expires_ns=TsNs(AT + 50),
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def link(number: int = 1, **changes: object) -> OneTimeLink:
    made = OneTimeLink(id=f"l{number}", owner="owner", hash=b"\x01", made_ns=TsNs(AT), expires_ns=TsNs(AT + 10))
    return msgspec.structs.replace(made, **changes)


def entry(number: int = 1, **changes: object) -> AuditEntry:
    return msgspec.structs.replace(AuditEntry(ts_ns=TsNs(AT + number), kind="token.made", who="asha"), **changes)


def in_one(work: UnitOfWork, do: Callable[[Records], object]) -> None:
    with work.begin() as records:
        do(records)


def refused(work: UnitOfWork, do: Callable[[Records], object], words: str) -> None:
    with pytest.raises(UsageError, match=words), work.begin() as records:
        do(records)


def add(made: ApiToken, records: Records) -> None:
    records.tokens.add(made)


def log(records: Records, *entries: AuditEntry) -> None:
    for each in entries:
        records.audit.append(audit_row(KEY, records.audit.held_head(), each))


def test_a_token_is_found_used_and_revoked(work: UnitOfWork) -> None:
    made = token(name=WORDS, expires_ns=TsNs(BIG), addresses=("10.0.0.0/8", "::1"), owner="asha")
    in_one(work, lambda records: records.tokens.add(made))
    with work.begin() as records:
        found = records.tokens.find("t1")
        assert (found, type(found.hash) if found else None) == (made, bytes)
        for at in (5, 9, 7):
            records.tokens.used("t1", TsNs(at))
        records.tokens.revoke("t1", TsNs(20))
        records.tokens.revoke("t1", TsNs(30))
        found = records.tokens.find("t1")
    assert found == msgspec.structs.replace(made, used_ns=9, revoked_ns=20)
    refused(work, lambda records: records.tokens.revoke("t9", TsNs(1)), "no token of id t9")


def test_a_name_is_free_again_when_its_token_is_revoked_or_replaced(work: UnitOfWork) -> None:
    in_one(work, lambda records: records.tokens.add(token(1, name="bot")))
    for same in (token(2, name="bot"), token(1, name="other")):
        refused(work, partial(add, same), "a valid one named")
    with work.begin() as records:
        records.tokens.revoke("t1", TsNs(1))
        records.tokens.add(token(2, name="bot", created_ns=TsNs(AT - 1)))
        assert records.tokens.replace("t2", "t3", TsNs(AT + 5))
        records.tokens.add(token(3, name="bot"))
        assert [one.id for one in records.tokens.tokens()] == ["t2", "t1", "t3"]


def test_a_token_is_replaced_once_and_ends_no_later_than_it_would_have(work: UnitOfWork) -> None:
    with work.begin() as records:
        for number, expires in enumerate((None, TsNs(AT + 2), TsNs(AT + 90))):
            records.tokens.add(token(number, expires_ns=expires))
            assert records.tokens.replace(f"t{number}", "next", TsNs(AT + 5))
            assert not records.tokens.replace(f"t{number}", "again", TsNs(AT + 90))
        found = records.tokens.tokens()
        assert [(one.expires_ns, one.replaced_by) for one in found] == [(AT + at, "next") for at in (5, 2, 5)]
        records.tokens.add(token(9, revoked_ns=TsNs(1)))
        assert not records.tokens.replace("t9", "next", TsNs(AT + 5))


def test_a_session_goes_on_by_its_keys_until_it_is_revoked(work: UnitOfWork) -> None:
    begun, first, second = session(address="::1"), keys(), keys(2)
    with work.begin() as records:
        records.sessions.add(begun, first)
        records.sessions.add(session(2), keys(9, of=2))
        assert records.sessions.find("k1") == (begun, first)
        assert records.sessions.find("k7") is None
        assert records.sessions.spend("k1", TsNs(AT + 3), TsNs(AT + 5))
        assert not records.sessions.spend("k1", TsNs(AT + 4), TsNs(AT + 9))
        records.sessions.renew(second, TsNs(AT + 40))
        begun = msgspec.structs.replace(begun, stepped_up_ns=AT + 40)
        spent = msgspec.structs.replace(first, spent_ns=AT + 3, access_expires_ns=AT + 5)
        assert records.sessions.find("k1") == (begun, spent)
        alive = {one.id: of.id for of, one in records.sessions.live_keys(TsNs(AT + 5))}
        assert alive == {"k2": "s1", "k9": "s2"}
        assert [one.id for one in records.sessions.sessions(TsNs(AT + 99))] == ["s2", "s1"]
        assert records.sessions.revoke("s1", TsNs(AT + 6), WORDS)
        assert not records.sessions.revoke("s1", TsNs(AT + 7), "again")
        assert records.sessions.find("k2") == (msgspec.structs.replace(begun, revoked_ns=AT + 6, why=WORDS), second)
        assert [one.id for _, one in records.sessions.live_keys(TsNs(AT + 5))] == ["k9"]
        assert list(records.sessions.live_keys(TsNs(AT + 10))) == []
        assert [one.id for one in records.sessions.sessions(TsNs(AT + 99))] == ["s2"]
        assert list(records.sessions.sessions(TsNs(AT + 100))) == []


def test_old_sessions_are_forgotten_with_their_keys(work: UnitOfWork) -> None:
    with work.begin() as records:
        for number, changes in enumerate(({}, {"revoked_ns": AT + 1}, {"expires_ns": AT + 1})):
            records.sessions.add(session(number, **changes), keys(number, of=number))
        records.sessions.forget(TsNs(AT + 2))
        assert [records.sessions.find(f"k{number}") is None for number in range(3)] == [False, True, True]


def test_of_many_who_spend_a_refresh_at_once_one_was_first(work: UnitOfWork) -> None:
    in_one(work, lambda records: records.sessions.add(session(), keys()))

    def spend(_: int) -> bool:
        with work.begin() as records:
            return records.sessions.spend("k1", TsNs(AT), TsNs(AT))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(spend, range(40))) == 1


def test_a_person_is_kept_and_each_step_is_good_once(work: UnitOfWork) -> None:
    with work.begin() as records:
        assert records.people.find("asha") == Person(name="asha")
        assert not records.people.use_step("asha", 5)
        for password in ("$argon2id$1", "$argon2id$2"):
            made = Person(name="asha", password=password, changed_ns=TsNs(BIG), has_factor=True, factor_step=7)
            records.people.put(made)
            assert records.people.find("asha") == made
        assert [records.people.use_step("asha", step) for step in (7, 9, 8, 9, 10)] == [False, True, False, False, True]


def test_a_link_is_good_once_in_its_time_and_the_newest_only(work: UnitOfWork) -> None:
    with work.begin() as records:
        for number in (1, 2):
            records.people.add_link(link(number))
        records.people.add_link(link(3, owner="somebody"))
        assert (records.people.link("l1"), records.people.link("l2")) == (None, link(2))
        uses = [("l1", AT), ("l2", AT + 10), ("l2", AT + 9), ("l2", AT + 9), ("l9", AT)]
        assert [records.people.use_link(one, TsNs(at)) for one, at in uses] == [False, False, True, False, False]
        assert records.people.link("l2") == link(2, used_ns=TsNs(AT + 9))
        records.people.drop_links("somebody")
        assert records.people.link("l3") is None


def test_attempts_are_held_put_and_bounded(work: UnitOfWork) -> None:
    some = [Attempt(key=f"a{n}", due_ns=TsNs(BIG), failures=n, locked_ns=TsNs(n), changed_ns=TsNs(n)) for n in range(9)]
    with work.begin() as records:
        assert records.attempts.held([]) == {}
        assert records.attempts.held({"x", "a1"}) == {key: Attempt(key=key) for key in ("a1", "x")}
        records.attempts.put(some)
        records.attempts.put([msgspec.structs.replace(some[0], changed_ns=TsNs(99))])
        records.attempts.bound(3)
        kept = records.attempts.held([one.key for one in some])
        assert [key for key, one in kept.items() if one.due_ns] == ["a0", "a7", "a8"]


def test_what_many_count_at_once_is_counted(work: UnitOfWork) -> None:
    def count(_: int) -> None:
        with work.begin() as records:
            held = records.attempts.held({"a", "b"})
            records.attempts.put([msgspec.structs.replace(one, failures=one.failures + 1) for one in held.values()])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(40)))
    with work.begin() as records:
        assert {one.failures for one in records.attempts.held({"a", "b"}).values()} == {40}


def test_the_log_is_a_chain_in_pages(work: UnitOfWork) -> None:
    entries = [entry(number, who=WORDS, details=WORDS, address="::1") for number in range(1, 8)]
    in_one(work, lambda records: log(records, *entries))
    with work.read() as records:
        head, rows = records.audit.head(), records.audit.rows()
        assert [row.entry for row in rows] == entries
        assert (head.seq, head.hash) == (7, rows[-1].hash)
        assert list(audit_faults(KEY, rows, head)) == []
        assert [row.seq for row in records.audit.rows(after=2, limit=3)] == [3, 4, 5]
        assert [row.seq for row in records.audit.newest(limit=2)] == [7, 6]
        assert [row.seq for row in records.audit.newest(before=3)] == [2, 1]


def test_many_who_log_at_once_make_one_chain(work: UnitOfWork) -> None:
    def write(number: int) -> None:
        in_one(work, lambda records: log(records, entry(number), entry(number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(20)))
    with work.read() as records:
        assert list(audit_faults(KEY, records.audit.rows(), records.audit.head())) == []
        assert records.audit.head().seq == 40


def test_a_row_goes_nowhere_but_to_the_end(work: UnitOfWork) -> None:
    in_one(work, lambda records: log(records, entry(1)))
    with pytest.raises(InvariantBroken, match="without its head"), work.begin() as records:
        records.audit.append(audit_row(KEY, AuditHead(7, b"x"), entry(2)))


def test_a_reader_waits_for_no_writer(work: UnitOfWork) -> None:
    in_one(work, lambda records: log(records, entry(1)))
    with work.begin() as writer:
        log(writer, entry(2))
        with work.read() as reader:
            assert reader.audit.head().seq == 1
    with work.read() as reader:
        assert reader.audit.head().seq == 2
