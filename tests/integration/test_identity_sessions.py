"""Sessions: a password that is set by a link, login, refresh, what is stolen, step-up, the second factor."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.moments import HOUR_NS, MINUTE_NS, SECOND_NS
from manjha.services.identity.caller import Scope, TooManyAttemptsError, UnknownCallerError
from manjha.services.identity.passwords import LINK_NS
from manjha.services.identity.second_factor import STEP_NS, code_at
from manjha.services.identity.sessions import ACCESS_NS, FACTOR, LATE_NS, QUIET_NS, SESSION_NS, Opened, Proof
from manjha.services.identity.stored import BELIEVED_NS
from tests.fakes.access import AT, HERE, PASSWORD, House, house_in

ELSEWHERE = "198.51.100.9"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with house_in(tmp_path) as made:
        made.access.passwords.set_here(PASSWORD, "asha")
        yield made


def log_in(house: House, password: str = PASSWORD, code: str = "", address: str = HERE, before: str = "") -> Opened:
    return house.access.sessions.log_in(Proof(password, code), address, before)


def is_let_in(house: House, access: str) -> bool:
    try:
        house.identity.authenticate(access, HERE)
    except (UnknownCallerError, TooManyAttemptsError):
        return False
    return True


def answer(house: House, password: str, address: str = HERE, code: str = "") -> str:
    try:
        log_in(house, password, code, address)
    except UnknownCallerError:
        return "wrong"
    except TooManyAttemptsError:
        return "too many"
    return "in"


def enrolled(house: House) -> str:
    """Enrol a second factor; return its secret."""
    secret, address = house.access.sessions.enrol()
    assert f"secret={secret}" in address
    house.access.sessions.confirm_factor(code_now(house, secret), HERE)
    house.clock.now += STEP_NS
    return secret


def code_now(house: House, secret: str, skew: int = 0) -> str:
    return code_at(secret, house.clock.now // STEP_NS + skew)


def test_who_knows_the_password_may_read_trade_and_administer(house: House) -> None:
    opened = log_in(house)
    caller = house.identity.authenticate(opened.access, ELSEWHERE)
    assert (caller.id, caller.name, caller.kind) == (opened.session.id, "owner", "session")
    assert caller.scopes == {Scope.READ, Scope.TRADE, Scope.ADMIN}
    assert caller.stepped_up_until_ns == 0
    assert opened.access not in repr(opened)
    assert PASSWORD not in repr(Proof(PASSWORD))


@pytest.mark.parametrize(
    "password",
    ["", PASSWORD[:-1], PASSWORD + " ", PASSWORD.upper(), "x" * 5_000, "\ud800", "\0", PASSWORD + "x" * 5_000],
)
def test_a_wrong_password_lets_nobody_in(house: House, password: str) -> None:
    assert answer(house, password) == "wrong"


def test_where_no_password_is_set_none_lets_in(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        assert not house.access.passwords.is_set()
        assert [answer(house, password) for password in ("", PASSWORD)] == ["wrong", "wrong"]


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "abababababababab", "ä" * 600])
def test_a_password_that_will_not_do_is_not_set(house: House, password: str) -> None:
    with pytest.raises(UsageError):
        house.access.passwords.set_here(password, "asha")
    assert answer(house, PASSWORD) == "in"


def test_a_link_sets_the_password_once_in_its_time(house: House) -> None:
    passwords = house.access.passwords
    opened = log_in(house)
    first, link = passwords.make_link("asha"), passwords.make_link("asha")
    with pytest.raises(UsageError):
        passwords.set_by_link(link, "short", HERE)
    passwords.set_by_link(link, "another four words", HERE)
    assert not is_let_in(house, opened.access)
    assert [answer(house, one, ELSEWHERE) for one in (PASSWORD, "another four words")] == ["wrong", "in"]
    late = passwords.make_link("asha")
    house.clock.now += LINK_NS
    for number, bad in enumerate((first, link, late, "", "mjl_x", log_in(house, "another four words").access)):
        with pytest.raises(UnknownCallerError, match="not good"):
            passwords.set_by_link(bad, "third set of words", f"203.0.113.{number}")
    assert answer(house, "third set of words", "203.0.113.99") == "wrong"


def test_links_cannot_be_tried_without_end(house: House) -> None:
    seen = []
    for _ in range(50):
        try:
            house.access.passwords.set_by_link("x", "another four words", HERE)
        except (UnknownCallerError, TooManyAttemptsError) as error:
            seen.append(type(error))
    assert seen.count(UnknownCallerError) == 5


def test_an_access_is_short_and_a_refresh_brings_the_next(house: House) -> None:
    assert ACCESS_NS <= 15 * MINUTE_NS
    first = log_in(house)
    house.clock.now += ACCESS_NS - 1
    assert is_let_in(house, first.access)
    house.clock.now += 1
    assert not is_let_in(house, first.access)
    second = house.access.sessions.refresh(first.refresh, HERE)
    assert is_let_in(house, second.access)
    assert second.session.id == first.session.id
    assert len({first.access, first.refresh, second.access, second.refresh}) == 4


def test_what_was_under_way_with_the_access_before_is_let_in_for_a_little_while(house: House) -> None:
    first = log_in(house)
    house.access.sessions.refresh(first.refresh, HERE)
    house.clock.now += LATE_NS - 1
    assert is_let_in(house, first.access)
    house.clock.now += 1
    assert not is_let_in(house, first.access)


def test_a_refresh_that_is_used_twice_ends_the_session_for_thief_and_owner(house: House) -> None:
    stolen = log_in(house)
    other = log_in(house, address=ELSEWHERE)
    thief = house.beside()
    owner = house.access.sessions.refresh(stolen.refresh, HERE)
    assert is_let_in(house, owner.access)
    with pytest.raises(UnknownCallerError):
        thief.access.sessions.refresh(stolen.refresh, ELSEWHERE)
    house.clock.now += BELIEVED_NS
    assert BELIEVED_NS < SECOND_NS
    for process in (house, thief):
        assert not is_let_in(process, owner.access)
        assert not is_let_in(process, stolen.access)
        assert is_let_in(process, other.access)
    with pytest.raises(UnknownCallerError):
        house.access.sessions.refresh(owner.refresh, HERE)
    assert "session.stolen" in [row.entry.kind for row in house.access.audit.newest()]
    thief.close()


def test_of_many_who_refresh_at_once_one_goes_on_and_then_nobody(house: House) -> None:
    opened = log_in(house)

    def refresh(_: int) -> str:
        try:
            return house.access.sessions.refresh(opened.refresh, HERE).access
        except UnknownCallerError:
            return ""

    with ThreadPoolExecutor(8) as pool:
        came = [one for one in pool.map(refresh, range(16)) if one]
    assert len(came) == 1
    assert not is_let_in(house, came[0])


def test_nobody_goes_on_after_too_long_a_silence_or_too_long_a_day(house: House) -> None:
    quiet = log_in(house)
    house.clock.now += QUIET_NS
    with pytest.raises(UnknownCallerError):
        house.access.sessions.refresh(quiet.refresh, HERE)
    busy = log_in(house)
    end = house.clock.now + SESSION_NS
    while house.clock.now + HOUR_NS < end:
        house.clock.now += HOUR_NS
        busy = house.access.sessions.refresh(busy.refresh, HERE)
    house.clock.now = end
    assert not is_let_in(house, busy.access)
    with pytest.raises(UnknownCallerError):
        house.access.sessions.refresh(busy.refresh, HERE)


@pytest.mark.parametrize("which", ["access", "token", "nonsense", "made up"])
def test_nothing_but_its_refresh_carries_a_session_on(house: House, which: str) -> None:
    opened = log_in(house)
    others = {
        "access": opened.access,
        "token": opened.refresh.replace("mjr_", "mjt_"),
        "nonsense": "mjr_",
        "made up": opened.refresh[:-64] + "0" * 64,
    }
    with pytest.raises(UnknownCallerError):
        house.access.sessions.refresh(others[which], HERE)
    assert is_let_in(house, opened.access)
    assert not is_let_in(house, opened.refresh)


def test_a_login_ends_the_session_that_the_browser_had(house: House) -> None:
    first = log_in(house)
    second = log_in(house, before=first.access)
    assert second.session.id != first.session.id
    assert [is_let_in(house, one.access) for one in (first, second)] == [False, True]


def test_a_logout_ends_a_session_at_once(house: House) -> None:
    opened, other = log_in(house), log_in(house)
    assert [one.id for one in house.access.sessions.sessions()] == sorted((opened.session.id, other.session.id))
    assert house.access.sessions.log_out(opened.session.id, "owner")
    assert not house.access.sessions.log_out(opened.session.id, "owner")
    assert [is_let_in(house, one.access) for one in (opened, other)] == [False, True]
    with pytest.raises(UnknownCallerError):
        house.access.sessions.refresh(opened.refresh, HERE)


def test_a_step_up_holds_five_minutes_and_changes_the_keys(house: House) -> None:
    opened = log_in(house)
    stepped = house.access.sessions.step_up(opened.access, Proof(PASSWORD), HERE)
    caller = house.identity.authenticate(stepped.access, HERE)
    assert caller.stepped_up_until_ns == AT + 5 * MINUTE_NS
    assert not is_let_in(house, opened.access)
    carried = house.access.sessions.refresh(stepped.refresh, HERE)
    assert house.identity.authenticate(carried.access, HERE).stepped_up_until_ns == AT + 5 * MINUTE_NS
    with pytest.raises(UnknownCallerError, match="over"):
        house.access.sessions.step_up(opened.access, Proof(PASSWORD), HERE)


def test_a_wrong_proof_is_no_step_up(house: House) -> None:
    opened = log_in(house)
    for proof in (Proof("wrong four words"), Proof(), Proof(code="000000")):
        with pytest.raises(UnknownCallerError):
            house.access.sessions.step_up(opened.access, proof, HERE)
    assert house.identity.authenticate(opened.access, HERE).stepped_up_until_ns == 0


def test_with_a_second_factor_both_are_asked_for(house: House) -> None:
    secret = enrolled(house)
    code = code_now(house, secret)
    tries = [(PASSWORD, ""), (PASSWORD, "000000"), ("wrong four words", code), ("", code)]
    assert [answer(house, password, HERE, one) for password, one in tries] == ["wrong"] * 4
    house.clock.now += STEP_NS
    assert answer(house, PASSWORD, ELSEWHERE, code_now(house, secret)) == "in"


def test_a_code_is_good_once(house: House) -> None:
    secret = enrolled(house)
    code = code_now(house, secret)
    assert [answer(house, PASSWORD, one, code) for one in (HERE, ELSEWHERE)] == ["in", "wrong"]
    # Nor is one of a step before it, that nobody has used.
    assert answer(house, PASSWORD, HERE, code_now(house, secret, -1)) == "wrong"
    assert answer(house, PASSWORD, HERE, code_now(house, secret, 1)) == "in"


def test_a_code_alone_steps_up(house: House) -> None:
    secret = enrolled(house)
    opened = log_in(house, code=code_now(house, secret))
    house.clock.now += STEP_NS
    stepped = house.access.sessions.step_up(opened.access, Proof(code=code_now(house, secret)), HERE)
    assert house.identity.authenticate(stepped.access, HERE).stepped_up_until_ns > house.clock.now


def test_a_factor_counts_once_its_first_code_was_seen(house: House) -> None:
    secret, _ = house.access.sessions.enrol()
    assert answer(house, PASSWORD) == "in"
    with pytest.raises(UnknownCallerError):
        house.access.sessions.confirm_factor("000000" if code_now(house, secret) != "000000" else "1", HERE)
    assert not house.access.sessions.has_factor()
    house.access.sessions.confirm_factor(code_now(house, secret), HERE)
    assert house.access.sessions.has_factor()
    with pytest.raises(UsageError, match="Enrol one first"):
        house.access.sessions.confirm_factor(code_now(house, secret, 1), HERE)
    house.access.sessions.drop_factor("asha", "")
    assert answer(house, PASSWORD) == "in"


def test_where_the_factor_is_lost_nobody_is_let_in(house: House) -> None:
    enrolled(house)
    del house.secrets.held[FACTOR]
    with pytest.raises(SettingsError, match="not in the secret store"):
        log_in(house, code=code_at("", house.clock.now // STEP_NS))


def test_of_ten_thousand_wrong_logins_ten_in_a_minute_are_looked_at(house: House) -> None:
    seen = []
    for number in range(10_000):
        house.clock.now = AT + number * MINUTE_NS // 10_000
        seen.append(answer(house, "wrong four words", f"198.51.{number % 100}.{number // 100}"))
    assert seen.count("wrong") <= 10
    assert set(seen) == {"wrong", "too many"}
    kinds = [row.entry.kind for row in house.access.audit.newest(limit=1000)]
    assert kinds.count("login.refused") == seen.count("wrong")


def test_ten_failures_in_a_row_lock_an_address_for_longer_each_time(house: House) -> None:
    for _ in range(9):
        house.clock.now += MINUTE_NS
        assert answer(house, "wrong four words") == "wrong"
    waits = []
    for _ in range(8):
        house.clock.now += HOUR_NS
        assert answer(house, "wrong four words") == "wrong"
        with pytest.raises(TooManyAttemptsError) as refused:
            log_in(house)
        waits.append(refused.value.wait_s)
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_the_right_password_begins_the_count_again(house: House) -> None:
    for _ in range(3):
        for _ in range(9):
            house.clock.now += MINUTE_NS
            assert answer(house, "wrong four words") == "wrong"
        house.clock.now += MINUTE_NS
        assert answer(house, PASSWORD) == "in"


def test_a_lock_outlives_a_restart(house: House) -> None:
    for _ in range(10):
        house.clock.now += MINUTE_NS
        answer(house, "wrong four words")
    again = house.beside()
    house.clock.now += 30 * SECOND_NS
    assert answer(again, PASSWORD) == "too many"
    assert answer(again, PASSWORD, ELSEWHERE) == "in"
    house.clock.now += 30 * SECOND_NS
    assert answer(again, PASSWORD) == "in"
    again.close()


def test_many_at_the_edge_are_let_try_no_more_than_there_are_tries(house: House) -> None:
    with ThreadPoolExecutor(16) as pool:
        seen = list(pool.map(lambda number: answer(house, "wrong four words", f"203.0.113.{number}"), range(200)))
    assert seen.count("wrong") == 5
