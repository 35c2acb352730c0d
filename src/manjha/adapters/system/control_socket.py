"""Controls over a local socket: a folder that only its owner may enter, and a process that only its owner may ask.

A frame is four bytes of length, most significant first, and a JSON document of as many bytes; one frame asks, one
answers, as often as the connection lasts.
"""

import asyncio
import contextlib
import os
import pwd
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from manjha.adapters.system.control_desk import ControlDesk
from manjha.domain.controls import Answer, Request
from manjha.domain.errors import AccountHeld, SettingsError, SourceError, TraderAway, UsageError

FRAME_MAX = 1 << 16
"""Bytes of a frame: an order has 300, a status a few thousand."""
CONNECTIONS_MAX = 32
"""At once; one person needs one."""
SILENCE_S = 30.0
"""How long a connection may ask nothing, or leave a frame unfinished."""
TURN_AWAY_S = 1.0
"""How long somebody who is turned away may take to say the first word."""
ADDRESS_MAX = 103
"""Bytes of a socket's path that every system takes (Linux 107)."""
_LENGTH = struct.Struct(">I")


class ControlSocket:
    """Listens on a socket; requests come out of `inbox`, which the trader's loop owns.

    Parameters
    ----------
    leads
        Whether the account's lock is ours: then the place is, too, and a process that listens there still is one that
        the account was taken away from, as one that is stopped does.
    """

    def __init__(self, path: Path, answered: Iterable[tuple[Request, Answer]] = (), *, leads: bool = False) -> None:
        self._path = path
        self._leads = leads
        self._made: tuple[int, int] | None = None
        self._listening: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.inbox = ControlDesk(answered)

    async def open(self) -> None:
        """Listen.

        Raises
        ------
        AccountHeld
                Another process listens there, and the account's lock is not ours.
        SettingsError
            The folder is not its owner's alone, or no socket can be made there.
        """
        _own_folder(self._path.parent)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _address(self._path) as address:
                _clear(self._path, address, leads=self._leads)
                listening.bind(address)
            self._path.chmod(0o600)
            self._made = _identity(self._path)
            listening.listen()
            listening.setblocking(False)  # noqa: FBT003 - the name of the socket's method
        except OSError as error:
            listening.close()
            raise SettingsError(
                f"no socket can be made at {self._path}: {error.strerror or error}",
                hint="Check who may write there; MANJHA_HOME must lie on a local disk.",
            ) from error
        except AccountHeld:
            listening.close()
            raise
        self._listening = listening
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    async def close(self) -> None:
        """Listen no more; whoever waits for an answer is cut off."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        asyncio.get_running_loop().remove_reader(listening)
        listening.close()
        if _identity(self._path) == self._made:
            # Who took the account over meanwhile listens at a socket of its own there.
            self._path.unlink(missing_ok=True)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accept(self, listening: socket.socket) -> None:
        """Take one connection in. asyncio's own server and `sock_accept` lose one that comes while they are ended."""
        try:
            connection, _ = listening.accept()
        except OSError:
            # It went away again, or this process has too many files open: whoever asks sees that nobody answers.
            return
        connection.setblocking(False)  # noqa: FBT003 - the name of the socket's method
        task = asyncio.ensure_future(self._served(connection))
        self._tasks.add(task)
        # A task that is cancelled before its first step does not even begin, so it cannot close its socket itself.
        task.add_done_callback(lambda _done: connection.close())
        task.add_done_callback(self._tasks.discard)

    async def _served(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        await self._attend(connection, reader, writer)

    async def _attend(
        self, connection: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            by = _asker(connection)
            if not by:
                await _turn_away(reader, writer, "only the trader's own user may ask")
            elif len(self._tasks) > CONNECTIONS_MAX:
                await _turn_away(reader, writer, f"{CONNECTIONS_MAX} connections ask already: ask later", later=True)
            else:
                await self._converse(reader, writer, by)
        except (OSError, EOFError, TimeoutError):
            # Whoever asked is gone, or says nothing; what was asked before stands.
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, by: str) -> None:
        while True:
            async with asyncio.timeout(SILENCE_S):
                length = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))[0]
                if length > FRAME_MAX:
                    # What follows cannot be told from the next frame, so the connection ends here.
                    await _write(writer, Answer("", refused=f"a request has at most {FRAME_MAX} bytes, not {length}"))
                    return
                frame = await reader.readexactly(length)
            try:
                asked = msgspec.json.decode(frame, type=Request)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                await _write(writer, Answer("", refused=f"this is no request: {error}"))
                continue
            await _write(writer, await self._answered(msgspec.structs.replace(asked, by=by), writer))

    async def _answered(self, asked: Request, writer: asyncio.StreamWriter) -> Answer:
        try:
            return await self.inbox.submit(asked)
        except asyncio.CancelledError:
            # The trader ends. What it has just answered is still said: whoever ended it hears that it was done.
            known = self.inbox.known(asked.key)
            if known is not None:
                writer.write(_framed(known))
            raise


class SocketControls:
    """Implements `ports.control_inbox.Controls` over the socket of a trader on this machine."""

    def __init__(self, path: Path, timeout_s: float = 10.0) -> None:
        self._path, self._timeout_s = path, timeout_s

    def ask(self, request: Request) -> Answer:
        """Ask, and wait for the answer; see the port."""
        frame = msgspec.json.encode(request)
        if len(frame) > FRAME_MAX:
            raise UsageError(f"a request has at most {FRAME_MAX} bytes, this one {len(frame)}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self._timeout_s)
            try:
                with _address(self._path) as address:
                    connection.connect(address)
            except OSError as error:
                raise TraderAway(
                    f"no trader listens at {self._path}: {error.strerror or error}",
                    hint="Start it, or look whether it runs as the same user; `manjha kill` works without it.",
                ) from error
            if not _asker(connection):
                raise SettingsError(
                    f"another user listens at {self._path}", hint="Look who made this socket, and remove it."
                )
            try:
                connection.sendall(_LENGTH.pack(len(frame)) + frame)
                length = _LENGTH.unpack(_read(connection, _LENGTH.size))[0]
                return msgspec.json.decode(_read(connection, length), type=Answer)
            except (OSError, EOFError, msgspec.DecodeError) as error:
                raise SourceError(
                    f"the trader at {self._path} did not answer: {str(error) or 'it hung up'}",
                    hint=f"It may have done it all the same. With --key {request.key} you ask again for the same.",
                ) from error


def _read(connection: socket.socket, count: int) -> bytes:
    if count > FRAME_MAX * 16:
        raise EOFError(f"an answer of {count} bytes")
    out = bytearray()
    while len(out) < count:
        got = connection.recv(count - len(out))
        if not got:
            raise EOFError("it hung up")
        out += got
    return bytes(out)


async def _turn_away(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, why: str, *, later: bool = False
) -> None:
    """Refuse without looking at what is asked. What is not read before a socket is closed takes the answer with it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TURN_AWAY_S):
            await reader.read(FRAME_MAX)
    await _write(writer, Answer("", refused=why, later=later))


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> None:
    writer.write(_framed(answer))
    async with asyncio.timeout(SILENCE_S):
        await writer.drain()


def _framed(answer: Answer) -> bytes:
    frame = msgspec.json.encode(answer)
    return _LENGTH.pack(len(frame)) + frame


def _asker(connection: socket.socket) -> str:
    """Return who is at the other end, empty for somebody who may not be: not our own user, and not root."""
    if sys.platform == "darwin":
        # SOL_LOCAL and LOCAL_PEERCRED: a struct xucred, whose second number is the user.
        uid = struct.unpack_from("=II", connection.getsockopt(0, 1, 76))[1]
    else:
        uid = struct.unpack("=iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
    if uid not in (os.geteuid(), 0):
        return ""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _own_folder(folder: Path) -> None:
    """Make the folder of the socket, or see that nobody else may enter the one that is there."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError as error:
        raise SettingsError(
            f"the folder {folder} cannot be made: {error.strerror}", hint="Check who may write there."
        ) from error
    if not folder.is_dir() or folder.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise SettingsError(
            f"{folder} must be a folder that only its owner may enter, its mode is {found.st_mode & 0o777:o}",
            hint=f"Look who made it; if it is yours: chmod 700 {folder}",
        )


def _clear(path: Path, address: str, *, leads: bool) -> None:
    """Remove the socket that a trader left behind when it died or lost the account; refuse where one still listens."""
    if leads:
        path.unlink(missing_ok=True)
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(address)
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise AccountHeld(f"another trader listens at {path}", hint="End that process first.")


def _identity(path: Path) -> tuple[int, int] | None:
    """Return which file lies at a path; None where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """Give a name of the socket that is short enough for the system; a long path goes by way of its open folder."""
    if len(os.fsencode(path)) <= ADDRESS_MAX:
        yield str(path)
        return
    if not Path("/proc/self/fd").is_dir():
        raise SettingsError(
            f"the path of the socket is too long: {path}", hint=f"It may have {ADDRESS_MAX} bytes: choose MANJHA_HOME."
        )
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
