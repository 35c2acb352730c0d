"""The guards of tests/conftest.py hold."""

import os
import socket
from pathlib import Path

import pytest

from tests import conftest


def test_network_is_refused() -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match="may only connect"):
        client.connect(("192.0.2.1", 80))
    with pytest.raises(RuntimeError, match="may only look up"):
        socket.getaddrinfo("manjha.invalid", 443)


def test_this_machine_is_reachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass


def test_home_is_the_tests_own(tmp_path: Path) -> None:
    assert Path(os.environ["MANJHA_HOME"]).is_relative_to(tmp_path)


def test_skips_for_want_of_shared_data_are_counted(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANJHA_SHARED", str(pytester.path / "nowhere"))
    pytester.makeini("[pytest]\nmarkers = shared: x")
    pytester.makeconftest(Path(conftest.__file__).read_text(encoding="utf-8"))
    pytester.makepyfile(
        """
        import pytest

        def test_by_fixture(shared): ...

        @pytest.mark.shared
        def test_by_marker(): ...

        def test_without(): ...
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines("2 tests skipped because MANJHA_SHARED is absent")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-m", "not shared")
    result.assert_outcomes(passed=1, deselected=2)
