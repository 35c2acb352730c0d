"""What a keeper gave is believed while it is away, for as long as was said; never after it has refused."""

import threading

import pytest

from manjha.adapters.secrets.remembered import Memory, RememberedKeys, RememberedSecrets
from manjha.adapters.secrets.vault import TransitKey, VaultSecrets
from manjha.adapters.secrets.vault_link import VaultLink, VaultPlace
from manjha.domain.errors import SettingsError, SourceError
from manjha.domain.secret import Secret
from tests.fakes.vault_server import VaultServer

OUTAGE = 100


class Kept:
    """A Vault, a memory and a clock."""

    def __init__(self, server: VaultServer) -> None:
        self.server, self.now = server, 0
        opens = {"vault.role_id": Secret("role-1"), "vault.secret_id": Secret("sid-1")}
        self.link = VaultLink(VaultPlace(server.base), opens.get, lambda: 0)
        self.memory = Memory(OUTAGE, lambda: self.now, refreshes=False)
        self.store = RememberedSecrets(VaultSecrets(self.link, "secret", "manjha"), self.memory)

    def read(self) -> str | None:
        found = self.store.get("one")
        return None if found is None else found.reveal()


@pytest.fixture
def kept() -> object:
    with VaultServer().running() as server:
        made = Kept(server)
        made.store.put("one", Secret("first"))
        assert made.read() == "first"
        yield made


def test_an_outage_is_survived_for_as_long_as_was_said_and_not_longer(kept: Kept) -> None:
    kept.server.sealed = True
    kept.memory.refresh()
    kept.now = OUTAGE
    assert kept.read() == "first"
    kept.now = OUTAGE + 1
    for _ in range(3):
        with pytest.raises(SourceError, match="sealed"):
            kept.read()
    with pytest.raises(SourceError):
        kept.store.get("never.asked.before")
    kept.server.sealed = False
    kept.memory.refresh()
    assert kept.read() == "first"


def test_a_refusal_ends_what_was_known_at_once(kept: Kept) -> None:
    kept.server.forbids = True
    kept.memory.refresh()
    with pytest.raises(SettingsError, match="does not allow"):
        kept.read()


def test_a_secret_rotated_or_deleted_in_vault_is_taken_up(kept: Kept) -> None:
    kept.server.kv["manjha/one"].append({"value": "second"})
    kept.memory.refresh()
    assert kept.read() == "second"
    kept.server.kv["manjha/one"].append(None)
    kept.memory.refresh()
    assert kept.read() is None


def test_what_is_put_here_is_seen_here_at_once(kept: Kept) -> None:
    kept.store.put("one", Secret("second"))
    assert kept.read() == "second"
    assert kept.store.delete("one")
    assert (kept.read(), kept.store.names()) == (None, [])


def test_a_slow_vault_keeps_nobody_waiting(kept: Kept) -> None:
    kept.server.gate.clear()
    refreshing = threading.Thread(target=kept.memory.refresh)
    refreshing.start()
    try:
        asked = len(kept.server.asked)
        assert [kept.read() for _ in range(1_000)] == ["first"] * 1_000
        assert len(kept.server.asked) <= asked + 1
    finally:
        kept.server.gate.set()
        refreshing.join()


def test_a_key_that_vault_has_opened_is_known_while_it_is_away(kept: Kept) -> None:
    keys = RememberedKeys(TransitKey(kept.link, "transit", "manjha"), kept.memory)
    wrapped = keys.wrap(b"a key")
    assert keys.unwrap(wrapped) == b"a key"
    kept.server.sealed = True
    kept.memory.refresh()
    assert keys.unwrap(wrapped) == b"a key"
    kept.now = OUTAGE + 1
    with pytest.raises(SourceError):
        keys.unwrap(wrapped)


def test_what_is_known_is_asked_anew_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manjha.adapters.secrets.remembered.REFRESH_S", 0.001)
    asked, enough = [0], threading.Event()

    def fetch() -> int:
        asked[0] += 1
        if asked[0] > 3:
            enough.set()
        return asked[0]

    memory = Memory(OUTAGE, lambda: 0)
    assert memory.get("one", fetch) == 1
    assert enough.wait(10)
    assert memory.get("one", fetch) >= 3
