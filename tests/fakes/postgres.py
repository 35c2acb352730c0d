"""A PostgreSQL server of our own for a test run: in a temporary folder, over a socket, thrown away afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PLACES = ("/usr/lib/postgresql",)
ABSENT = "PostgreSQL is absent"


def binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl; None where no server is installed."""
    if found := shutil.which("pg_ctl"):
        return (
            Path(found).resolve().parent if (Path(found).resolve().parent / "initdb").exists() else Path(found).parent
        )
    folders = [folder for place in PLACES for folder in Path(place).glob("*/bin") if (folder / "pg_ctl").exists()]
    return max(folders, default=None)


@contextmanager
def server(*, durable: bool = False) -> Iterator[str]:
    """Start a server, give its URL, stop it. It is quick and forgetful unless it is to be `durable`."""
    programs = binaries()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = _owner(folder)
    data = folder / "data"
    try:
        _run(user, [programs / "initdb", "-D", data, "-U", "manjha", "-A", "trust", "--no-sync"])
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync={'on' if durable else 'off'}"
        _run(user, [programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"])
        try:
            yield f"postgresql://manjha@/postgres?host={folder}"
        finally:
            _run(user, [programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _owner(folder: Path) -> str:
    """Return who runs the server: PostgreSQL refuses root, which hands the folder to another user."""
    if os.getuid() != 0:
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    shutil.chown(folder, user)
    folder.chmod(0o755)
    return user


def _run(user: str, command: Sequence[str | Path]) -> None:
    as_user = ["setpriv", f"--reuid={user}", "--clear-groups"] if user else []
    subprocess.run([*as_user, *command], check=True, capture_output=True, cwd="/", stdin=subprocess.DEVNULL)
