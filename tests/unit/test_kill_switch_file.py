"""The kill switch as a file: what was thrown stands over restarts, and what cannot be read is on."""

from pathlib import Path

import pytest

from manjha.adapters.files.kill_switch import KEPT, KillSwitchFile
from manjha.domain.errors import UsageError
from manjha.domain.events import KillSwitched
from manjha.domain.instrument import InstrumentId
from manjha.domain.kill import EVERYTHING, KillLevel, Scope
from manjha.domain.moments import TsNs
from manjha.domain.orders import StrategyId
from manjha.services.kill_switch import in_force, lift, throw

ONE = Scope(strategy=StrategyId("one"))
BOTH = Scope(StrategyId("one"), InstrumentId("NSE:ALPHA"))


class Standing:
    """A clock that stands still."""

    def now_ns(self) -> TsNs:
        """Return the moment."""
        return TsNs(7)

    def wait_until(self, ts_ns: TsNs) -> None:
        """Return at once."""


CLOCK = Standing()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "kill.json"


def switch(path: Path) -> KillSwitchFile:
    return KillSwitchFile(path, CLOCK)


def test_nothing_is_thrown_where_no_file_is(path: Path) -> None:
    assert switch(path).thrown() == ()
    assert in_force(switch(path)) == {}


def test_what_was_thrown_is_told_by_another_process(path: Path) -> None:
    first = throw(switch(path), CLOCK, "no-new", ONE, " too many losses ", "me")
    second = throw(switch(path), CLOCK, "FLATTEN", EVERYTHING, "all of it", "me")
    assert list(switch(path).thrown()) == [first, second]
    assert first == KillSwitched(KillLevel.NO_NEW, ONE, "too many losses", "me", TsNs(7))
    assert in_force(switch(path)) == {ONE: KillLevel.NO_NEW, EVERYTHING: KillLevel.FLATTEN}


def test_lifting_a_scope_leaves_the_others(path: Path) -> None:
    for scope in (ONE, BOTH, EVERYTHING):
        throw(switch(path), CLOCK, "reduce-only", scope, "why", "me")
    lift(switch(path), CLOCK, ONE, "better", "me")
    assert in_force(switch(path)) == {EVERYTHING: KillLevel.REDUCE_ONLY}
    lift(switch(path), CLOCK, EVERYTHING, "better", "me")
    assert in_force(switch(path)) == {}
    assert switch(path).thrown()[-1].reason == "better"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"switches":[{}]}', b'{"switches":[],"more":1}', b"\xff\xfe", b'{"switches":null}']
)
def test_a_file_that_cannot_be_read_is_the_highest_level(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    (found,) = switch(path).thrown()
    assert (found.level, found.scope) == (KillLevel.FLATTEN, EVERYTHING)
    assert str(path) in found.reason
    throw(switch(path), CLOCK, "reduce-only", ONE, "why", "me")
    assert in_force(switch(path)) == {EVERYTHING: KillLevel.FLATTEN, ONE: KillLevel.REDUCE_ONLY}
    lift(switch(path), CLOCK, EVERYTHING, "looked at it", "me")
    assert in_force(switch(path)) == {}


def test_a_level_that_is_none_makes_the_file_unreadable(path: Path) -> None:
    throw(switch(path), CLOCK, "no-new", ONE, "why", "me")
    path.write_text(path.read_text().replace("no-new", "stop"))
    assert in_force(switch(path)) == {EVERYTHING: KillLevel.FLATTEN}


def test_a_folder_in_its_place_is_the_highest_level_too(path: Path) -> None:
    path.mkdir(parents=True)
    assert in_force(switch(path)) == {EVERYTHING: KillLevel.FLATTEN}


def test_every_truncation_of_the_file_is_on(path: Path) -> None:
    throw(switch(path), CLOCK, "no-new", ONE, "why", "me")
    whole = path.read_bytes().rstrip()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert in_force(switch(path)) == {EVERYTHING: KillLevel.FLATTEN}


def test_a_write_that_fails_leaves_what_stood(path: Path) -> None:
    before = throw(switch(path), CLOCK, "no-new", ONE, "why", "me")
    path.with_name("kill.json.tmp").mkdir()
    with pytest.raises(OSError, match=r"kill\.json"):
        throw(switch(path), CLOCK, "flatten", EVERYTHING, "why", "me")
    assert list(switch(path).thrown()) == [before]


def test_the_file_keeps_what_stands_however_long_it_is_used(path: Path) -> None:
    throw(switch(path), CLOCK, "no-new", ONE, "why", "me")
    other = Scope(strategy=StrategyId("another"))
    for _ in range(KEPT):
        throw(switch(path), CLOCK, "flatten", other, "why", "me")
        lift(switch(path), CLOCK, other, "why", "me")
    assert in_force(switch(path)) == {ONE: KillLevel.NO_NEW}
    assert len(switch(path).thrown()) <= KEPT + 2


def test_a_lower_level_takes_nothing_back(path: Path) -> None:
    throw(switch(path), CLOCK, "flatten", ONE, "why", "me")
    throw(switch(path), CLOCK, "reduce-only", ONE, "why", "me")
    assert in_force(switch(path)) == {ONE: KillLevel.FLATTEN}


@pytest.mark.parametrize(
    ("level", "reason", "says"),
    [("stop", "why", "expected a level"), ("off", "why", "a level"), ("flatten", " ", "a reason")],
)
def test_what_is_no_level_or_reason_is_refused(path: Path, level: str, reason: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        throw(switch(path), CLOCK, level, EVERYTHING, reason, "me")
    assert not path.exists()


def test_lifting_what_is_not_thrown_is_refused_with_what_is(path: Path) -> None:
    throw(switch(path), CLOCK, "no-new", BOTH, "why", "me")
    with pytest.raises(UsageError, match="it is on for one in NSE:ALPHA"):
        lift(switch(path), CLOCK, Scope(strategy=StrategyId("another")), "why", "me")
