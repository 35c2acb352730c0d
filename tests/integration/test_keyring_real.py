"""The keyring of a desktop, as it is: gnome-keyring on a bus of its own, spoken to as users' programs speak to it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("gnome-keyring-daemon") and shutil.which("dbus-run-session")),
        reason="gnome-keyring is absent",
    ),
]

SESSION = """
printf keyring-password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
printf %s "$CANARY" | "$0" -c "$RUN" secret set kite.api_secret --in keyring || exit 1
"$0" -c "$RUN" secret set one --json <<END || exit 1
kept in the file
END
"$0" -c "$RUN" secret rotate || exit 1
"$0" -c "$RUN" secret get kite.api_secret --show || exit 1
"$0" -c "$RUN" secret get one --show || exit 1
"$0" -c "$RUN" secret list || exit 1
"""


def test_a_real_keyring_keeps_secrets_and_the_key_of_the_file(tmp_path: Path) -> None:
    canary = "canary in a keyring"
    home = tmp_path / "home"
    variables = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_RUNTIME_DIR": str(tmp_path), "MANJHA_HOME": str(home), "MANJHA_SECRETS_KEYRING": "true",
        "MANJHA_SECRETS_SEAL": "keyring", "CANARY": canary, "RUN": "from manjha.app.cli import main; main()",
    }  # fmt: skip
    done = subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", SESSION, sys.executable],
        env=variables, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert canary in lines
    assert "kept in the file" in lines
    assert [line.split()[0] for line in lines[-3:]] == ["kite.api_secret", "seal.key", "one"]
    # Neither what the desktop keeps on disk nor the sealed file shows any of it.
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".keyring" for path in (tmp_path / "data").rglob("*"))
    assert not any(word in data for data in written for word in (canary.encode(), b"kept in the file"))
