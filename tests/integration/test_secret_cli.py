"""`manjha secret`: a value comes by stdin or a prompt, goes out only when asked for; its key is changed on the run."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manjha.adapters.secrets.sealed import new_key
from manjha.app.cli import main
from manjha.app.cli.errors import FAULTY, OK, SOURCE, USAGE
from tests.fakes.keyrings import MemoryKeyring, named
from tests.fakes.vault_server import VaultServer

SEAL_KEY, SECRET_ID = "MANJHA_SEAL_KEY", "sid-1"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Shell:
    """Commands as a person types them: what they say, and with which code they end."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str], home: Path) -> None:
        self.patch, self.capture, self.home = patch, capture, home
        self.said = self.erred = ""
        self.is_terminal = False

    def __call__(self, *words: str, given: str = "") -> object:
        self.patch.setattr("sys.stdin", Terminal(given) if self.is_terminal else io.StringIO(given))
        with pytest.raises(SystemExit) as stop:
            main(["secret", *words])
        self.said, self.erred = self.capture.readouterr()
        return stop.value.code

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.patch.setenv(f"MANJHA_{name}", value)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    home = tmp_path / "home"
    monkeypatch.setenv("MANJHA_HOME", str(home))
    monkeypatch.setenv(SEAL_KEY, new_key())
    return Shell(monkeypatch, capsys, home)


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    made = named("keyring.backends.SecretService", "Keyring")()
    monkeypatch.setattr("keyring.get_keyring", lambda: made)
    return made


def test_a_secret_is_set_listed_and_shown(shell: Shell) -> None:
    assert shell("list") == OK
    assert shell.said == "No secret is kept.\n"
    assert shell("set", "kite.api_secret", given="the value\n") == OK
    assert "the sealed file" in shell.said
    assert shell("list", "--json") == OK
    assert json.loads(shell.said) == [
        {"name": "kite.api_secret", "kept_in": f"the sealed file {shell.home / 'secrets.sealed'}"}
    ]
    assert shell("get", "kite.api_secret", "--show") == OK
    assert shell.said == "the value\n"
    assert shell("get", "kite.api_secret", "--show", "--json") == OK
    assert json.loads(shell.said)["value"] == "the value"


def test_a_secret_is_not_shown_to_a_program_that_did_not_say_so(shell: Shell) -> None:
    shell("set", "one", given="the value")
    assert shell("get", "one") == USAGE
    assert "--show" in shell.erred
    assert "the value" not in shell.said + shell.erred


@pytest.mark.parametrize(("answer", "is_shown"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_at_a_terminal_one_is_asked_first(shell: Shell, answer: str, is_shown: bool) -> None:
    shell("set", "one", given="the value")
    shell.is_terminal = True
    assert shell("get", "one", given=answer) == OK
    assert (shell.said.endswith("the value\n")) is is_shown
    assert ("the value" in shell.said) is is_shown


def test_what_is_not_there_is_said_with_a_code(shell: Shell) -> None:
    assert shell("get", "one", "--show") == FAULTY
    assert "no secret one" in shell.erred


@pytest.mark.parametrize(
    ("words", "given"),
    [(("set", "one"), ""), (("set", "one"), "\n"), (("set", "../one"), "v"), (("set", "ONE"), "v"),
     (("set", "one", "value"), ""), (("set", "one", "--in", "vault"), "v"), (("set", "one", "--in", "keyring"), "v"),
     (("set", "one", "--in", "cellar"), "v"), (("get", "../one", "--show"), ""), (("set", "one"), "x" * 65_537),
     (("rotate", "--overlap-hours", "-1"), ""), (("set",), "v")],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_keeps_nothing(shell: Shell, words: tuple[str, ...], given: str) -> None:
    assert shell(*words, given=given) == USAGE
    assert shell("list", "--json") == OK
    assert json.loads(shell.said) == []


def test_without_any_store_the_way_to_one_is_said(shell: Shell) -> None:
    shell.patch.delenv(SEAL_KEY)
    assert shell("set", "one", given="v") == USAGE
    assert "--new-seal-key" in shell.erred
    assert shell("rotate") == USAGE
    assert SEAL_KEY in shell.erred


def test_a_key_of_ones_own_is_shown_once_and_the_one_before_opens_for_a_while(shell: Shell) -> None:
    shell("set", "one", given="1")
    assert shell("rotate") == OK
    key = shell.said.strip()
    assert "24 h" in shell.erred
    assert (shell("get", "one", "--show"), shell.said) == (OK, "1\n")
    shell.set(SEAL_KEY=key)
    assert (shell("get", "one", "--show"), shell.said) == (OK, "1\n")


def test_a_stolen_key_is_let_go_of_at_once(shell: Shell) -> None:
    shell("set", "one", given="1")
    assert shell("rotate", "--overlap-hours", "0", "--json") == OK
    told = json.loads(shell.said)
    assert shell("get", "one", "--show") == USAGE
    assert "does not open" in shell.erred
    shell.set(SEAL_KEY=told["key"])
    assert (shell("get", "one", "--show"), shell.said) == (OK, "1\n")
    assert told["secrets"] == 1


@pytest.mark.parametrize("overlap", ["0", "24"])
def test_a_key_in_the_keyring_is_made_and_changed_there(shell: Shell, desktop: MemoryKeyring, overlap: str) -> None:
    shell.patch.delenv(SEAL_KEY)
    shell.set(SECRETS_KEYRING="true", SECRETS_SEAL="keyring")
    assert shell("set", "one", given="1") == OK
    (kept,) = (value for (_, name), value in desktop.kept.items() if name == "seal.key")
    assert shell("rotate", "--json", "--overlap-hours", overlap) == OK
    assert json.loads(shell.said) == {"secrets": 1, "key": None, "keeper": "the keyring", "overlap_hours": int(overlap)}
    (after,) = (value for (_, name), value in desktop.kept.items() if name == "seal.key")
    assert after.split()[0] != kept
    assert after.split()[1:] == ([kept] if overlap == "24" else [])
    assert (shell("get", "one", "--show"), shell.said) == (OK, "1\n")


def test_a_secret_goes_where_one_says(shell: Shell, desktop: MemoryKeyring) -> None:
    shell.set(SECRETS_KEYRING="true")
    assert shell("set", "one", "--in", "keyring", given="in the keyring") == OK
    assert shell("set", "two", "--in", "file", given="in the file") == OK
    assert shell("list", "--json") == OK
    assert [row["kept_in"].split()[1] for row in json.loads(shell.said)] == ["keyring", "sealed"]
    assert shell("set", "one", given="hidden") == USAGE
    assert "would hide" in shell.erred


@pytest.mark.parametrize(
    "backend", ["keyrings.alt.file.PlaintextKeyring", "keyrings.alt.file.EncryptedKeyring", "mine.Keyring",
                "keyring.backends.null.Keyring", "keyring.backends.fail.Keyring"],
)  # fmt: skip
def test_a_keyring_that_may_not_seal_is_refused(shell: Shell, backend: str) -> None:
    made = named(*backend.rsplit(".", 1))()
    shell.patch.setattr("keyring.get_keyring", lambda: made)
    shell.set(SECRETS_KEYRING="true")
    assert shell("set", "one", "--in", "keyring", given="1") == USAGE
    assert backend in shell.erred
    assert made.kept == {}


def test_a_chain_with_one_that_may_not_seal_is_refused(shell: Shell) -> None:
    good = named("keyring.backends.SecretService", "Keyring")()
    bad = named("keyrings.alt.file", "PlaintextKeyring")()
    chain = named("keyring.backends.chainer", "ChainerBackend")()
    shell.patch.setattr("keyring.get_keyring", lambda: chain)
    shell.set(SECRETS_KEYRING="true")
    for chained, code in (([good, bad], USAGE), ([], USAGE), ([good], OK)):
        shell.patch.setattr(chain, "backends", chained, raising=False)
        assert shell("set", "one", "--in", "keyring", given="1") == code
    assert (bad.kept, len(good.kept)) == ({}, 2)


def test_a_locked_keyring_is_said_without_its_words(shell: Shell, desktop: MemoryKeyring) -> None:
    shell.set(SECRETS_KEYRING="true")
    desktop.fails = RuntimeError("could not unlock for the-value")
    assert shell("set", "one", "--in", "keyring", given="the-value") == SOURCE
    assert "the-value" not in shell.erred
    assert "RuntimeError" in shell.erred


def test_vault_keeps_secrets_and_the_key_of_the_file(shell: Shell) -> None:
    with VaultServer(lambda: 0.0).running() as vault:
        shell.patch.delenv(SEAL_KEY)
        shell.set(SECRETS_VAULT_URL=vault.base, SECRETS_SEAL="vault", VAULT_ROLE_ID="role-1", VAULT_SECRET_ID=SECRET_ID)
        assert shell("set", "one", "--in", "vault", given="in vault") == OK
        assert vault.kv["manjha/one"] == [{"value": "in vault"}]
        assert shell("set", "two", given="in the file") == OK
        assert (shell("get", "two", "--show"), shell.said) == (OK, "in the file\n")
        assert shell("rotate", "--json") == OK
        assert json.loads(shell.said)["keeper"] == "Vault's key transit/manjha"
        assert len(vault.keys["manjha"]) == 2
        assert (shell("get", "two", "--show"), shell.said) == (OK, "in the file\n")
        vault.sealed = True
        assert shell("get", "two", "--show") == SOURCE
        assert "sealed" in shell.erred


# ---- in processes of their own

READER = """
import sys
from manjha.app.secret_stores import secret_store
from manjha.app.settings import load_settings
store = secret_store(load_settings())
for name in sys.stdin:
    found = store.get(name.strip())
    print("none" if found is None else found.reveal(), flush=True)
"""


@pytest.fixture
def running(shell: Shell) -> Iterator[Callable[[str], str]]:
    """A process that reads secrets for as long as the test lives; returns what it reads."""
    process = subprocess.Popen(
        [sys.executable, "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdin is not None
    assert process.stdout is not None
    into, out = process.stdin, process.stdout

    def read(name: str) -> str:
        into.write(f"{name}\n")
        into.flush()
        return out.readline().removesuffix("\n")

    yield read
    into.close()
    assert process.wait(20) == 0
    out.close()


def test_a_running_process_takes_up_a_new_secret_and_goes_on_over_a_new_key(
    shell: Shell, running: Callable[[str], str]
) -> None:
    assert running("one") == "none"
    shell("set", "one", given="first")
    assert running("one") == "first"
    assert shell("rotate") == OK
    assert running("one") == "first"
    shell.set(SEAL_KEY=shell.said.strip())
    assert shell("set", "one", given="second") == OK
    assert running("one") == "second"


@pytest.mark.slow
def test_no_reader_fails_while_the_key_is_changed(shell: Shell, running: Callable[[str], str]) -> None:
    shell("set", "one", given="0")
    command = 'for i in 1 2 3 4; do "$0" -c "from manjha.app.cli import main; main()" secret rotate || exit; done'
    rotating = subprocess.Popen(
        ["/bin/sh", "-c", command, sys.executable], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    reads = 0
    while rotating.poll() is None:
        assert running("one") == "0"
        reads += 1
    assert reads > 100
    assert rotating.returncode == 0
