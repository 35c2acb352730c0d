"""Tokens: who is let in by one, from where, how long, and how soon nobody is any more."""

import secrets
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.moments import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from manjha.services.identity.caller import Scope, TooManyAttemptsError, UnknownCallerError
from manjha.services.identity.credentials import PEPPER, Sort, new_credential
from manjha.services.identity.stored import BELIEVED_NS
from manjha.services.identity.tokens import Made, Wanted
from tests.fakes.access import AT, HERE, House, house_in

READ = frozenset({Scope.READ})


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with house_in(tmp_path) as made:
        yield made


def make(house: House, name: str = "bot", **changes: object) -> Made:
    wanted = msgspec.structs.replace(Wanted(name=name, scopes=READ), **changes)
    return house.access.tokens.make(wanted, "asha")


def is_let_in(house: House, text: str, address: str = HERE) -> bool:
    try:
        house.identity.authenticate(text, address)
    except (UnknownCallerError, TooManyAttemptsError):
        return False
    return True


def test_a_token_says_who_asks_and_what_he_may(house: House) -> None:
    made = make(house, scopes=frozenset({Scope.READ, Scope.TRADE}))
    caller = house.identity.authenticate(made.text, HERE)
    assert (caller.id, caller.name, caller.kind) == (made.token.id, "bot", "token")
    assert caller.scopes == {Scope.READ, Scope.TRADE}
    assert caller.stepped_up_until_ns == 0


def test_nothing_but_the_token_itself_lets_in(house: House) -> None:
    made = make(house)
    sort, id_, secret = made.text.split("_")
    others = [
        "", "x", secret, f"mjs_{id_}_{secret}", f"mjr_{id_}_{secret}", f"mjt_{id_}_{secret[:-1]}", made.text + "0",
        f"{made.text}\n", made.text.upper(), f"mjt_{id_}_{secrets.token_hex(32)}", new_credential(Sort.TOKEN).text,
        f"{sort}_{id_[::-1]}_{secret}", made.text.replace("_", "-"), "é" * 80, "mjt_" + "٣" * 16 + "_" + "٣" * 64,
    ]  # fmt: skip
    for number, text in enumerate(others):
        assert not is_let_in(house, text, f"198.51.100.{number}"), text
    assert is_let_in(house, made.text)


def test_a_token_has_256_bits_of_chance_and_its_sort_can_be_seen() -> None:
    made = [new_credential(Sort.TOKEN) for _ in range(2_000)]
    assert len({one.secret for one in made}) == len({one.id for one in made}) == 2_000
    bits = b"".join(one.secret for one in made)
    ones = sum(byte.bit_count() for byte in bits)
    # Of half a million fair bits the share of ones is within 5 deviations of a half but once in two million times.
    assert len(bits) == 2_000 * 32
    assert abs(ones - len(bits) * 4) < 5 * (len(bits) * 8) ** 0.5 / 2
    assert all(one.text.startswith("mjt_") and one.secret.hex() not in repr(one) for one in made)


def test_a_copy_of_the_database_lets_nobody_in(house: House, tmp_path: Path) -> None:
    made = make(house)
    secret = made.text.rpartition("_")[2]
    with sqlite3.connect(tmp_path / "manjha.db") as connection:
        dump = "\n".join(connection.iterdump())
        held = connection.execute("SELECT hash FROM api_tokens").fetchone()[0]
    connection.close()
    assert made.text not in dump
    assert secret not in dump.lower()
    assert held.hex() in dump.lower()
    for guess in (held.hex(), made.token.salt.hex().ljust(64, "0")):
        assert not is_let_in(house, f"mjt_{made.token.id}_{guess}")
    # Nor does the same hash, where the pepper is another.
    house.secrets.held[PEPPER] = secrets.token_hex(32)
    other = house.beside()
    assert not is_let_in(other, made.text)
    other.close()


def test_a_token_ends_with_its_last_day(house: House) -> None:
    made = make(house, days=30)
    house.clock.now = AT + 30 * DAY_NS - 1
    assert is_let_in(house, made.text)
    house.clock.now += 1
    assert not is_let_in(house, made.text)


@pytest.mark.parametrize(
    ("networks", "address", "expected"),
    [
        ((), "203.0.113.9", True),
        (("203.0.113.0/24",), "203.0.113.9", True),
        (("203.0.113.0/24",), "203.0.114.9", False),
        (("203.0.113.0/24",), "::ffff:203.0.113.9", True),
        (("203.0.113.9",), "203.0.113.9", True),
        (("2001:db8::/32", "127.0.0.1"), "2001:db8::7", True),
        (("2001:db8::/32", "127.0.0.1"), "::1", False),
        (("203.0.113.0/24",), "", False),
        (("203.0.113.0/24",), "testclient", False),
    ],
)
def test_a_token_may_be_bound_to_addresses(
    house: House, networks: tuple[str, ...], address: str, *, expected: bool
) -> None:
    assert is_let_in(house, make(house, addresses=networks).text, address) is expected


def test_what_is_revoked_here_ends_at_once(house: House) -> None:
    made, other = make(house), make(house, "other")
    assert is_let_in(house, made.text)
    house.access.tokens.revoke(made.token.id, "asha")
    assert not is_let_in(house, made.text)
    assert is_let_in(house, other.text)


def test_what_another_process_revokes_has_ended_within_a_second(house: House) -> None:
    made = make(house)
    api = house.beside()
    assert is_let_in(api, made.text)
    house.access.tokens.revoke(made.token.id, "asha")
    house.clock.now += BELIEVED_NS
    assert BELIEVED_NS < SECOND_NS
    assert not is_let_in(api, made.text)
    api.close()


def test_who_holds_a_stream_open_is_told_when_somebody_is_revoked(house: House) -> None:
    made, other = make(house), make(house, "other")
    api = house.beside()
    callers = [api.identity.authenticate(one.text, HERE) for one in (made, other)]
    told: list[int] = []
    cancel = api.identity.on_change(lambda: told.append(1))
    api.identity.tend()
    assert not told
    house.access.tokens.revoke(made.token.id, "asha")
    api.identity.tend()
    assert told == [1]
    with pytest.raises(UnknownCallerError):
        api.identity.still(callers[0])
    assert api.identity.still(callers[1]) == callers[1]
    cancel()
    house.access.tokens.revoke(other.token.id, "asha")
    api.identity.tend()
    assert told == [1]
    api.close()


def test_a_token_of_a_moment_ago_is_known(house: House) -> None:
    api = house.beside()
    assert not is_let_in(api, new_credential(Sort.TOKEN).text)
    assert is_let_in(api, make(house).text)
    api.close()


def test_a_rotated_token_is_good_beside_the_new_one_for_the_overlap(house: House) -> None:
    old = make(house, scopes=frozenset({Scope.HOOK}), addresses=("192.0.2.0/24",), days=10)
    house.clock.now += DAY_NS
    new = house.access.tokens.rotate(old.token.id, "asha", overlap_ns=HOUR_NS)
    assert (new.token.name, new.token.scopes, new.token.addresses) == ("bot", ("hook",), ("192.0.2.0/24",))
    assert new.token.expires_ns == AT + 11 * DAY_NS
    assert is_let_in(house, old.text)
    assert is_let_in(house, new.text)
    assert house.access.tokens.find("bot").id == new.token.id
    with pytest.raises(UsageError, match="rotated or revoked meanwhile"):
        house.access.tokens.rotate(old.token.id, "asha")
    house.clock.now += HOUR_NS
    assert not is_let_in(house, old.text)
    assert is_let_in(house, new.text)
    with pytest.raises(UsageError, match="is over"):
        house.access.tokens.rotate(old.token.id, "asha")


def test_of_many_who_rotate_at_once_one_does(house: House) -> None:
    made = make(house)

    def rotate(_: int) -> bool:
        try:
            house.access.tokens.rotate(made.token.id, "asha")
        except UsageError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(rotate, range(24))) == 1
    assert len([one for one in house.access.tokens.tokens() if one.replaced_by is None]) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": " "}, "needs a name"),
        ({"name": "a\nb"}, "needs a name"),
        ({"name": "x" * 201}, "needs a name"),
        ({"scopes": frozenset()}, "needs a scope"),
        ({"days": 0}, "1 to 366 days"),
        ({"days": 367}, "1 to 366 days"),
        ({"addresses": ("10.0.0.0/33",)}, "expects addresses or networks"),
    ],
)
def test_what_no_token_can_be_is_refused(house: House, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make(house, **changes)
    assert list(house.access.tokens.tokens()) == []


def test_the_last_use_is_written_at_most_once_a_minute(house: House) -> None:
    made = make(house)
    seen = []
    for _ in range(5):
        is_let_in(house, made.text)
        house.identity.tend()
        seen.append((house.access.tokens.find("bot").used_ns or 0) - AT)
        house.clock.now += 20 * SECOND_NS
    assert seen == [0, 0, 0, MINUTE_NS, MINUTE_NS]


def test_a_place_with_too_many_bad_tokens_costs_the_database_nothing(house: House) -> None:
    made = make(house)
    answers = [_answer(house, new_credential(Sort.TOKEN).text) for _ in range(1_000)]
    assert answers == ["unknown"] * 10 + ["too many"] * 990
    logged = [row.entry.kind for row in house.access.audit.newest(limit=1000)]
    assert logged.count("token.refused") == 10
    # Whoever has a good one is let in all the same, from there too.
    assert is_let_in(house, made.text)
    assert _answer(house, new_credential(Sort.TOKEN).text, "198.51.100.1") == "unknown"
    house.clock.now += MINUTE_NS
    assert [_answer(house, new_credential(Sort.TOKEN).text) for _ in range(11)][9:] == ["unknown", "too many"]


def test_bad_tokens_from_everywhere_are_looked_up_a_few_times_a_second(house: House) -> None:
    answers = [_answer(house, new_credential(Sort.TOKEN).text, f"10.{n // 250}.{n % 250}.1") for n in range(500)]
    assert answers.count("unknown") == 60


def test_where_the_database_cannot_be_read_nobody_is_let_in(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(house)
    assert is_let_in(house, made.text)

    def broken() -> object:
        raise SettingsError("the database cannot be used")

    monkeypatch.setattr(house.database, "reading", broken)
    house.clock.now += BELIEVED_NS
    with pytest.raises(SettingsError):
        house.identity.authenticate(made.text, HERE)


def test_where_the_keys_cannot_be_had_nobody_is_let_in(house: House) -> None:
    made = make(house)
    other = house.beside()
    other.secrets.held[PEPPER] = "guessable"
    with pytest.raises(SettingsError, match="32 bytes of chance"):
        other.identity.authenticate(made.text, HERE)
    other.close()


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "secret",
        "00" * 32,
        "ab" * 32,
        "0123456789abcdef" * 4,
        "5a468c9db6128685aee6eb4116647ce64c94f3038883c024f24b20372fb995",
        "zz" * 32,
    ],
)
def test_a_weak_key_is_refused(house: House, key: str) -> None:
    house.secrets.held = {PEPPER: key, "identity.audit_key": secrets.token_hex(32)}
    with pytest.raises(SettingsError, match="32 bytes of chance"):
        house.desk.ring.now()


def _answer(house: House, text: str, address: str = HERE) -> str:
    try:
        house.identity.authenticate(text, address)
    except UnknownCallerError:
        return "unknown"
    except TooManyAttemptsError:
        return "too many"
    return "let in"
