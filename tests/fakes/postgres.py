"""A PostgreSQL server of our own for a test run: in a temporary folder, over a socket, thrown away afterwards."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PLACES = ("/usr/lib/postgresql",)
ABSENT = "PostgreSQL is absent"
ATTEMPTS = 200


def binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl; None where no server is installed."""
    if found := shutil.which("pg_ctl"):
        return (
            Path(found).resolve().parent if (Path(found).resolve().parent / "initdb").exists() else Path(found).parent
        )
    folders = [folder for place in PLACES for folder in Path(place).glob("*/bin") if (folder / "pg_ctl").exists()]
    return max(folders, default=None)


class Server:
    """A server that can be stopped in the middle of its work, and started again on what that has left."""

    def __init__(self, programs: Path, folder: Path, *, durable: bool) -> None:
        self.folder = folder
        self.url = f"postgresql://manjha@/postgres?host={folder}"
        self._programs, self._data = programs, folder / "data"
        self._user = _owner(folder)
        self._options = (
            f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync={'on' if durable else 'off'}"
        )
        initdb: list[str | Path] = [programs / "initdb", "-D", self._data, "-U", "manjha", "-A", "trust", "--no-sync"]
        _run(self._user, initdb)

    def start(self) -> None:
        """Start it, as soon as the processes that a kill has left alone are gone: it refuses before."""
        for _ in range(ATTEMPTS - 1):
            with suppress(subprocess.CalledProcessError):
                self._control("-l", self.folder / "log", "-o", self._options, "start")
                return
        self._control("-l", self.folder / "log", "-o", self._options, "start")

    def stop_at_once(self) -> None:
        """End all its processes as they are; it has to recover at the next start."""
        self._control("-m", "immediate", "stop")

    def kill(self) -> None:
        """Kill the process that owns the others, which end when they see it."""
        os.kill(int((self._data / "postmaster.pid").read_text(encoding="ascii").split()[0]), signal.SIGKILL)

    def _control(self, *words: str | Path) -> None:
        _run(self._user, [self._programs / "pg_ctl", "-D", self._data, "-w", *words])


@contextmanager
def stoppable_server(*, durable: bool = False) -> Iterator[Server]:
    """Start a server, give it, stop it. It is quick and forgetful unless it is to be `durable`."""
    programs = binaries()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    try:
        made = Server(programs, folder, durable=durable)
        made.start()
        try:
            yield made
        finally:
            made.stop_at_once()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server(*, durable: bool = False) -> Iterator[str]:
    """As `stoppable_server`; give the URL."""
    with stoppable_server(durable=durable) as made:
        yield made.url


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
