"""The audit log, what a lockdown does, and tickets for streams."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manjha.adapters.files.kill_switch import KillSwitchFile
from manjha.domain.errors import DataError, SettingsError
from manjha.domain.kill import KillLevel, Scope
from manjha.services.identity.audit import read_anchor, write_anchor
from manjha.services.identity.caller import Scope as May
from manjha.services.identity.caller import UnknownCallerError
from manjha.services.identity.lockdown import lock_down
from manjha.services.identity.sessions import Proof
from manjha.services.identity.stored import BELIEVED_NS
from manjha.services.identity.tickets import GOOD_NS, WAITING_MAX
from manjha.services.identity.tokens import Made, Wanted
from manjha.services.kill_switch import in_force
from tests.fakes.access import HERE, PASSWORD, House, house_in

ROWS = 9


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with house_in(tmp_path) as made:
        yield made


def make(house: House, name: str = "bot") -> Made:
    return house.access.tokens.make(Wanted(name=name, scopes=frozenset({May.READ})), "asha")


def noted(house: House) -> None:
    for number in range(ROWS):
        house.access.audit.note("limit.changed", "asha", HERE, limit="day_loss", to=str(number))


def change(tmp_path: Path, *statements: str) -> None:
    with sqlite3.connect(tmp_path / "manjha.db") as connection:
        for each in statements:
            connection.execute(each)
    connection.close()


def test_whatever_gives_or_takes_access_is_logged(house: House) -> None:
    made = make(house)
    house.access.tokens.rotate(made.token.id, "asha")
    house.access.tokens.revoke(made.token.id, "asha")
    house.access.passwords.set_by_link(house.access.passwords.make_link("asha"), PASSWORD, HERE)
    opened = house.access.sessions.log_in(Proof(PASSWORD), HERE)
    opened = house.access.sessions.step_up(opened.access, Proof(PASSWORD), HERE)
    opened = house.access.sessions.refresh(opened.refresh, HERE)
    with pytest.raises(UnknownCallerError):
        house.access.sessions.log_in(Proof("wrong four words"), HERE)
    house.access.sessions.log_out(opened.session.id, "owner", HERE)
    rows = house.access.audit.newest()[::-1]
    assert [row.entry.kind for row in rows] == [
        "token.made", "token.rotated", "token.revoked", "password.link-made", "password.set", "session.begun",
        "session.stepped-up", "session.refreshed", "login.refused", "session.ended",
    ]  # fmt: skip
    told = repr(rows)
    assert not any(secret in told for secret in (made.text, PASSWORD, opened.access, opened.refresh))
    assert house.access.audit.faults() == []


@pytest.mark.parametrize("seq", [1, 5, ROWS])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET details = '{}' WHERE seq = {seq}",
        "UPDATE audit_log SET who = who || ' ' WHERE seq = {seq}",
        "UPDATE audit_log SET ts_ns = ts_ns + 1 WHERE seq = {seq}",
        "UPDATE audit_log SET address = '' WHERE seq = {seq}",
        "UPDATE audit_log SET kind = 'limit', who = 'changed' || who WHERE seq = {seq}",
        "UPDATE audit_log SET hash = x'00' WHERE seq = {seq}",
        "UPDATE audit_log SET previous = x'00' WHERE seq = {seq}",
        "DELETE FROM audit_log WHERE seq = {seq}",
        "DELETE FROM audit_log WHERE seq >= {seq}",
        "DELETE FROM audit_log WHERE seq <= {seq}",
        "UPDATE audit_head SET seq = {seq} - 1",
        "UPDATE audit_log SET seq = seq + 1000 WHERE seq = {seq}",
    ],
)
def test_whatever_is_changed_in_the_log_is_seen(house: House, tmp_path: Path, statement: str, seq: int) -> None:
    noted(house)
    assert house.access.audit.faults() == []
    change(tmp_path, statement.replace("{seq}", str(seq)))
    assert house.access.audit.faults()


@pytest.mark.parametrize("seq", [1, 4, ROWS - 1])
def test_rows_that_change_places_are_seen(house: House, tmp_path: Path, seq: int) -> None:
    noted(house)
    moves = ((seq, -1), (seq + 1, seq), (-1, seq + 1))
    move = "UPDATE audit_log SET seq = {to} WHERE seq = {at}"
    change(tmp_path, *(move.replace("{to}", str(to)).replace("{at}", str(at)) for at, to in moves))
    assert house.access.audit.faults()


def test_an_end_that_is_cut_off_with_its_head_is_seen_by_what_was_written_down_elsewhere(
    house: House, tmp_path: Path
) -> None:
    noted(house)
    anchor = write_anchor(house.access.audit.head())
    assert house.access.audit.faults(read_anchor(anchor)) == []
    change(
        tmp_path,
        "DELETE FROM audit_log WHERE seq > 7",
        "UPDATE audit_head SET seq = 7, hash = (SELECT hash FROM audit_log WHERE seq = 7)",
    )
    assert house.access.audit.faults() == []
    assert house.access.audit.faults(read_anchor(anchor))
    house.access.audit.note("limit.changed", "asha", "")
    house.access.audit.note("limit.changed", "asha", "")
    assert house.access.audit.faults(read_anchor(anchor))


@pytest.mark.parametrize("text", ["", "7", "x:00", "7:xyz"])
def test_what_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="number and hash"):
        read_anchor(text)


def test_a_lockdown_stops_trading_and_lets_nobody_in(house: House, tmp_path: Path) -> None:
    house.access.passwords.set_here(PASSWORD, "asha")
    tokens = [make(house, f"bot {number}") for number in range(3)]
    opened = house.access.sessions.log_in(Proof(PASSWORD), HERE)
    link = house.access.passwords.make_link("asha")
    api = house.beside()
    for text in (opened.access, *(one.text for one in tokens)):
        api.identity.authenticate(text, HERE)
    switch = KillSwitchFile(tmp_path / "kill.json", house.clock)
    done = lock_down(switch, house.desk, "a token was stolen", "asha", lambda: "further")
    assert (len(done.steps), done.failures) == (4, ())
    assert in_force(switch) == {Scope(): KillLevel.CANCEL_ALL}
    house.clock.now += BELIEVED_NS
    for text in (opened.access, *(one.text for one in tokens)):
        with pytest.raises(UnknownCallerError):
            api.identity.authenticate(text, HERE)
    with pytest.raises(UnknownCallerError):
        api.access.sessions.refresh(opened.refresh, HERE)
    with pytest.raises(UnknownCallerError):
        api.access.sessions.log_in(Proof(PASSWORD), HERE)
    with pytest.raises(UnknownCallerError):
        api.access.passwords.set_by_link(link, PASSWORD, HERE)
    assert api.access.audit.newest()[0].entry.kind in ("login.refused", "password.link-refused")
    # The way back in: both processes key by the new pepper.
    assert api.identity.authenticate(make(house, "new").text, HERE).name == "new"
    api.close()


def test_a_lockdown_does_what_it_can(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(house)

    def broken() -> object:
        raise SettingsError("the database cannot be used")

    monkeypatch.setattr(house.database, "transaction", broken)
    switch = KillSwitchFile(tmp_path / "kill.json", house.clock)
    done = lock_down(switch, house.desk, "stolen", "asha")
    assert (len(done.steps), done.failures) == (2, ("the database cannot be used",))
    assert in_force(switch) == {Scope(): KillLevel.CANCEL_ALL}


def test_a_ticket_is_good_once_for_half_a_minute(house: House) -> None:
    caller = house.identity.authenticate(make(house).text, HERE)
    tickets = house.access.tickets
    ticket = tickets.give(caller)
    assert tickets.take(ticket) == caller
    late = tickets.give(caller)
    house.clock.now += GOOD_NS
    cut = tickets.give(caller)
    for text in (
        ticket,
        late,
        cut[:-1],
        cut[:-1] + "0" if cut[-1] != "0" else cut[:-1] + "1",
        "",
        "mjw_",
        make(house, "x").text,
    ):
        with pytest.raises(UnknownCallerError, match="ticket"):
            tickets.take(text)


def test_of_many_who_bring_one_ticket_at_once_one_is_let_in(house: House) -> None:
    caller = house.identity.authenticate(make(house).text, HERE)
    ticket = house.access.tickets.give(caller)

    def take(_: int) -> bool:
        try:
            house.access.tickets.take(ticket)
        except UnknownCallerError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(200))) == 1


def test_a_ticket_of_somebody_who_was_revoked_is_nobodys(house: House) -> None:
    made = make(house)
    ticket = house.access.tickets.give(house.identity.authenticate(made.text, HERE))
    house.access.tokens.revoke(made.token.id, "asha")
    with pytest.raises(UnknownCallerError):
        house.access.tickets.take(ticket)


def test_tickets_that_nobody_uses_are_bounded(house: House) -> None:
    caller = house.identity.authenticate(make(house).text, HERE)
    given = [house.access.tickets.give(caller) for _ in range(WAITING_MAX + 5)]
    for text in given[:5]:
        with pytest.raises(UnknownCallerError):
            house.access.tickets.take(text)
    assert house.access.tickets.take(given[5]) == caller
