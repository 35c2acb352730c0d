"""What every test gets: no network beyond this machine, a home of its own, and the shared data where it exists."""

import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).parents[1]
SHARED_ABSENT = "MANJHA_SHARED is absent"
ABSENT = (
    SHARED_ABSENT, "PostgreSQL is absent", "Ray is absent", "SQLite cannot be listened to",
    "an official Kite client is absent", "nats-server is absent", "gnome-keyring is absent",
)  # fmt: skip
"""Why tests are skipped; the end of a run says how many were, by reason."""
LONGEST_ID = 120
PLANTED = "planted bug"
"""Property of a test that found one; the end of a run prints the score."""
COUNTED = "counted"
"""Property of a test that says how much it has tried; the end of a run prints that too."""

# No deadlines: the first call of a compiled function compiles it. No database: a failure is shown as an example to
# keep, not as a file of one machine. CI draws the same examples every time; `HYPOTHESIS_PROFILE=search` looks longer.
hypothesis.settings.register_profile("dev", deadline=None, database=None)
hypothesis.settings.register_profile("ci", deadline=None, database=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, database=None, max_examples=2_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))

# A shell that puts the tests into the background ignores ^C for them, and for every process that they would interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class NetworkError(RuntimeError):
    """A test reached for the network. No OSError, so that no retry loop swallows it."""


def shared_folder() -> Path:
    """Return where the shared data lies, by MANJHA_SHARED or beside the checkout; it may not exist."""
    return (ROOT / os.environ.get("MANJHA_SHARED", "../shared")).resolve()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared data; a test that asks for it is marked `shared`, and skipped where there is none."""
    folder = shared_folder()
    if not folder.is_dir():
        pytest.skip(SHARED_ABSENT)
    return folder


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANJHA_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for method in ("connect", "connect_ex"):
            patch.setattr(socket.socket, method, _guarded(getattr(socket.socket, method)))
        patch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo))
        yield


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long value by its argument: whole files as ids cannot be read, and two workers must collect the same."""
    return argname if isinstance(val, (str, bytes)) and len(val) > LONGEST_ID else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    absent = not shared_folder().is_dir()
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker("shared")
        if absent and item.get_closest_marker("shared"):
            item.add_marker(pytest.mark.skip(reason=SHARED_ABSENT))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [str(report.longrepr) for report in terminalreporter.getreports("skipped")]
    for reason in ABSENT:
        if count := sum(reason in words for words in skipped):
            terminalreporter.write_line(f"{count} tests skipped because {reason}", yellow=True)
    passed = terminalreporter.getreports("passed")
    for line in sorted(str(value) for report in passed for name, value in report.user_properties if name == COUNTED):
        terminalreporter.write_line(line)
    found = [str(value) for report in passed for name, value in report.user_properties if name == PLANTED]
    missed = terminalreporter.getreports("failed")
    escaped = [str(value) for report in missed for name, value in report.user_properties if name == "planted"]
    if found or escaped:
        told = f"escaped: {', '.join(sorted(escaped))}" if escaped else "none escaped"
        terminalreporter.write_line(f"{len(found)} of {len(found) + len(escaped)} planted bugs found, {told}")
        for line in sorted(found):
            terminalreporter.write_line(f"  {line}")


def _is_near(host: object) -> bool:
    """Tell whether a host is this machine."""
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name in {"", "localhost", "None"}:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _guarded(method: Callable[[socket.socket, Any], object]) -> Callable[[socket.socket, Any], object]:
    def guard(self: socket.socket, address: Any, /) -> object:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not _is_near(address[0]):
            raise NetworkError(f"a test may only connect to this machine, asked for {address}")
        return method(self, address)

    return guard


def _guarded_lookup(lookup: Callable[..., object]) -> Callable[..., object]:
    def guard(host: object, *rest: Any, **named: Any) -> object:
        if not _is_near(host):
            raise NetworkError(f"a test may only look up this machine, asked for {host}")
        return lookup(host, *rest, **named)

    return guard
