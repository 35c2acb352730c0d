"""The socket of controls: who may ask, what is no request, and what a dead trader leaves behind."""

import asyncio
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from manjha.adapters.system import control_socket
from manjha.adapters.system.control_socket import FRAME_MAX, ControlSocket, SocketControls
from manjha.domain.controls import Answer, AskStatus, EndRun, Request, StopTrading
from manjha.domain.errors import AccountHeld, SettingsError, SourceError, UsageError
from tests.fakes.answering_trader import AnsweringTrader


@contextmanager
def trading(path: Path) -> Iterator[AnsweringTrader]:
    trader = AnsweringTrader(path)
    thread = threading.Thread(target=trader.run)
    thread.start()
    assert trader.is_open.wait(20)
    try:
        yield trader
    finally:
        trader.end()
        thread.join()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "AB1234" / "control" / "socket"


@contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(20)
        with control_socket._address(path) as address:
            connection.connect(address)
        yield connection


def said(connection: socket.socket) -> Answer:
    length = struct.unpack(">I", control_socket._read(connection, 4))[0]
    return msgspec.json.decode(control_socket._read(connection, length), type=Answer)


def frame(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def test_folder_and_socket_are_their_owners_alone(path: Path) -> None:
    with trading(path):
        assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    assert not path.exists()


def test_the_inbox_says_who_asks_and_believes_nobody(path: Path) -> None:
    with trading(path) as trader:
        SocketControls(path).ask(Request("k", StopTrading(), by="somebody else"))
    import pwd

    assert trader.seen[0].by == pwd.getpwuid(os.geteuid()).pw_name


def test_another_user_is_refused_by_both_sides(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with trading(path) as trader:
        mine = os.geteuid()
        monkeypatch.setattr(control_socket, "_asker", lambda _connection: "")
        with connected(path) as connection:
            connection.sendall(frame(msgspec.json.encode(Request("k", StopTrading()))))
            assert said(connection).refused == "only the trader's own user may ask"
        with pytest.raises(SettingsError, match="another user listens"):
            SocketControls(path).ask(Request("k", StopTrading()))
        assert os.geteuid() == mine
    assert trader.seen == []


def test_who_is_at_the_other_end_is_asked_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert control_socket._asker(ours)
        if os.geteuid() != 0:
            monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
            assert control_socket._asker(ours) == ""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"key":"k"}',
        b'{"key":"k","control":{"type":"Sell"}}',
        b'{"key":1,"control":{}}',
    ],
)
def test_what_is_no_request_is_answered_and_the_connection_goes_on(path: Path, data: bytes) -> None:
    with trading(path) as trader, connected(path) as connection:
        connection.sendall(frame(data))
        assert said(connection).refused.startswith("this is no request: ")
        connection.sendall(frame(msgspec.json.encode(Request("k", StopTrading()))))
        assert said(connection) == Answer("k", 1)
        assert len(trader.seen) == 1


def test_a_frame_that_is_too_long_ends_the_connection(path: Path) -> None:
    with trading(path), connected(path) as connection:
        connection.sendall(struct.pack(">I", FRAME_MAX + 1))
        assert said(connection).refused == f"a request has at most {FRAME_MAX} bytes, not {FRAME_MAX + 1}"
        assert connection.recv(1) == b""


def test_half_a_frame_keeps_nobody_else_waiting(path: Path) -> None:
    with trading(path), connected(path) as slow:
        slow.sendall(frame(msgspec.json.encode(Request("slow", StopTrading())))[:9])
        for number in range(1, 4):
            assert SocketControls(path).ask(Request(f"k{number}", StopTrading())).seq == number


def test_half_a_frame_ends_with_patience(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "SILENCE_S", 0.05)
    with trading(path), connected(path) as slow:
        slow.sendall(b"\0\0")
        assert slow.recv(1) == b""


def test_too_many_connections_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "CONNECTIONS_MAX", 1)
    with trading(path), connected(path) as first:
        first.sendall(frame(msgspec.json.encode(Request("k", StopTrading()))))
        assert said(first).seq == 1
        with connected(path) as second:
            second.sendall(frame(msgspec.json.encode(Request("k", StopTrading()))))
            assert "connections ask already" in said(second).refused


def test_a_socket_that_a_dead_trader_left_is_taken_over(path: Path) -> None:
    path.parent.mkdir(parents=True, mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead, control_socket._address(path) as address:
        dead.bind(address)
    assert path.exists()
    with pytest.raises(SourceError, match="no trader listens"):
        SocketControls(path).ask(Request("k", AskStatus()))
    with trading(path):
        assert SocketControls(path).ask(Request("k", StopTrading())).seq == 1


def test_a_second_trader_may_not_listen(path: Path) -> None:
    with trading(path):
        with pytest.raises(AccountHeld, match="another trader listens"):
            asyncio.run(ControlSocket(path).open())
        assert SocketControls(path).ask(Request("k", StopTrading())).seq == 1


def test_who_holds_the_lock_listens_beside_one_that_was_stopped_and_stays_there_when_that_one_ends(path: Path) -> None:
    old, new = ControlSocket(path), ControlSocket(path, leads=True)

    async def overtaken() -> None:
        await old.open()
        await new.open()
        await old.close()

    with asyncio.Runner() as runner:
        runner.run(overtaken())
        assert path.exists()
        runner.run(new.close())
    assert not path.exists()


def test_what_a_trader_answered_as_its_last_word_is_heard(path: Path) -> None:
    is_open = threading.Event()

    async def trade() -> None:
        listening = ControlSocket(path)
        await listening.open()
        is_open.set()
        request = await listening.inbox.next()
        listening.inbox.answer(Answer(request.key, 7))
        await listening.close()

    thread = threading.Thread(target=asyncio.run, args=(trade(),))
    thread.start()
    assert is_open.wait(20)
    assert SocketControls(path).ask(Request("k", EndRun("enough"))).seq == 7
    thread.join()


def test_a_folder_that_others_may_enter_is_refused(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o755)
    with pytest.raises(SettingsError, match="only its owner may enter, its mode is 755"):
        asyncio.run(ControlSocket(path).open())
    path.parent.rmdir()
    path.parent.symlink_to(path.parents[1])
    with pytest.raises(SettingsError, match="only its owner may enter"):
        asyncio.run(ControlSocket(path).open())


def test_a_long_path_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120) / "control" / "socket"
    with trading(path):
        assert SocketControls(path).ask(Request("k", StopTrading())).seq == 1


def test_a_request_that_is_too_long_is_not_sent(path: Path) -> None:
    with trading(path) as trader, pytest.raises(UsageError, match="at most 65536 bytes"):
        SocketControls(path).ask(Request("k", StopTrading("x" * FRAME_MAX)))
    assert trader.seen == []


def test_nobody_listens(path: Path) -> None:
    with pytest.raises(SourceError, match="no trader listens"):
        SocketControls(path).ask(Request("k", AskStatus()))


def test_a_trader_that_does_not_answer_leaves_the_question_open(path: Path) -> None:
    path.parent.mkdir(parents=True, mode=0o700)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as deaf, control_socket._address(path) as address:
        deaf.bind(address)
        deaf.listen()
        with pytest.raises(SourceError, match="did not answer") as caught:
            SocketControls(path, timeout_s=0.05).ask(Request("k7", StopTrading()))
    assert "--key k7" in caught.value.hint
