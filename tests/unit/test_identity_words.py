"""Codes of time by the vectors of the RFCs, addresses behind proxies, and the arithmetic of attempts."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.errors import UsageError
from manjha.domain.identity import Attempt
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TsNs
from manjha.services.identity.addresses import client_address, house_of, is_loopback, read_networks
from manjha.services.identity.attempts import BAD_TOKENS, BY_ADDRESS, BY_PERSON, Rule, failed, taken, wait_of
from manjha.services.identity.second_factor import STEP_NS, code_at, new_factor, step_of

SEED = base64.b32encode(b"12345678901234567890").decode()
PROXIES = read_networks(["10.0.0.0/8", "127.0.0.1", "2001:db8::/64"], "proxies")


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(second: int, code: str) -> None:
    """Appendix B, the column of SHA1."""
    assert code_at(SEED, second * SECOND_NS // STEP_NS, 8) == code
    assert code_at(SEED, second * SECOND_NS // STEP_NS) == code[2:]


def test_codes_are_those_of_rfc_4226() -> None:
    """Appendix D."""
    expected = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
    assert [code_at(SEED, count) for count in range(10)] == expected


def test_a_clock_may_be_off_by_one_step() -> None:
    secret, now = new_factor(), 1_000_000
    assert len(base64.b32decode(secret)) == 20
    codes = [code_at(secret, now + skew) for skew in (-2, -1, 0, 1, 2)]
    found = [step_of(secret, code, now * STEP_NS) for code in codes]
    assert found[1:4] == [now - 1, now, now + 1]
    assert found[0] in (None, *found[1:4])
    assert step_of(secret, "", now * STEP_NS) is None
    assert step_of(secret, "٣٣٣٣٣٣", now * STEP_NS) is None


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # A peer that is no proxy of ours may say what it likes.
        ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"),
        ("203.0.113.9", ["127.0.0.1", "10.0.0.1"], "203.0.113.9"),
        ("192.168.0.1", ["1.2.3.4"], "192.168.0.1"),
        ("", ["1.2.3.4"], ""),
        ("testclient", ["1.2.3.4"], ""),
        # A proxy's word counts, for what it has added itself.
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["127.0.0.1, 1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["9.9.9.9, 1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["9.9.9.9", "1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["9.9.9.9, 1.2.3.4, 10.1.1.1"], "1.2.3.4"),
        ("10.0.0.1", ["nonsense, 10.1.1.1"], "10.1.1.1"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4:80"], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4,"], "10.0.0.1"),
        ("10.0.0.1", ["10.2.2.2, 10.3.3.3"], "10.2.2.2"),
        ("127.0.0.1", ["::ffff:1.2.3.4"], "1.2.3.4"),
        ("::ffff:127.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("2001:db8::7", ["fe80::1%eth0"], "fe80::1"),
        ("10.0.0.1", [", ".join(["1.2.3.4"] * 5_000)], "1.2.3.4"),
        ("10.0.0.1", ["٣.2.3.4"], "10.0.0.1"),
    ],
)
def test_the_client_is_who_a_declared_proxy_says(peer: str, forwarded: list[str], client: str) -> None:
    assert client_address(peer, forwarded, PROXIES) == client


@given(st.lists(st.text(max_size=40), max_size=5))
def test_without_declared_proxies_no_header_has_any_effect(forwarded: list[str]) -> None:
    assert client_address("127.0.0.1", forwarded, ()) == "127.0.0.1"
    assert client_address("203.0.113.9", forwarded, PROXIES) == "203.0.113.9"


def test_an_ipv6_house_is_one_place() -> None:
    assert house_of("2001:db8:1:2:3:4:5:6") == house_of("2001:db8:1:2::1") != house_of("2001:db8:1:3::1")
    assert (house_of("1.2.3.4"), house_of("::ffff:1.2.3.4"), house_of("x")) == ("1.2.3.4", "1.2.3.4", "unknown")


def test_only_this_machine_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.1", "", "localhost.example.com")))  # noqa: S104


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(UsageError, match=r"proxies expects addresses or networks .* was '10\.0\.0\.0/99'"):
        read_networks(["10.0.0.0/99"], "proxies")


@pytest.mark.parametrize("rule", [BY_ADDRESS, BY_PERSON, BAD_TOKENS, Rule(1, 7, 2, 10, 40)])
@given(gaps=st.lists(st.integers(0, 30 * SECOND_NS), min_size=1, max_size=120))
def test_in_no_window_are_more_attempts_than_burst_and_pace_allow(rule: Rule, gaps: list[int]) -> None:
    held, now, made = Attempt(key="x"), MINUTE_NS, []
    for gap in gaps:
        now += gap
        if not wait_of(held, rule, now):
            held = taken(held, rule, now)
            made.append(now)
    for start in made:
        within = [at for at in made if start <= at < start + MINUTE_NS]
        assert len(within) <= rule.burst + MINUTE_NS // rule.pace_ns


@given(gap=st.integers(0, MINUTE_NS), tries=st.integers(0, 40))
def test_who_waits_as_long_as_told_is_let_try(gap: int, tries: int) -> None:
    held, now = Attempt(key="x"), MINUTE_NS
    for _ in range(tries):
        now += gap + wait_of(held, BY_ADDRESS, now + gap)
        assert wait_of(held, BY_ADDRESS, now) == 0
        held = failed(taken(held, BY_ADDRESS, now), BY_ADDRESS, now)


@given(back=st.integers(0, 10**18))
def test_a_clock_that_is_set_back_locks_nobody_for_longer_than_the_rule(back: int) -> None:
    held = Attempt(key="x", due_ns=TsNs(2 * 10**18), failures=50, locked_ns=TsNs(2 * 10**18))
    assert wait_of(held, BY_ADDRESS, 2 * 10**18 - back) <= BY_ADDRESS.lock_max_ns
