"""A line to PostgreSQL that is cut in the middle of a commit: a proxy that lets it through and keeps the answer.

PostgreSQL's messages are a letter, four bytes of length and the rest; the first message of a connection has no letter.
A commit is the question `COMMIT`; the server has it, and whoever asked hears nothing more.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PIECE = 1 << 16


class CutLine:
    """Listens beside a server's socket. `cut_at` counts commits down; at zero the line is cut."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.folder = folder
        self.cut_at = 0
        self.keeps_commit = True
        self.cuts = 0
        self._server = server
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / server.name))
        self._listening.listen()
        self._sockets = [self._listening]
        self._threads: list[threading.Thread] = []

    def run(self) -> None:
        """Take connections until the listening socket is shut."""
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(str(self._server))
            self._sockets += [near, far]
            for source, to, asks in ((near, far, True), (far, near, False)):
                self._threads.append(threading.Thread(target=self._carry, args=(source, to, asks)))
                self._threads[-1].start()

    def close(self, listens: threading.Thread) -> None:
        """Cut all that is left."""
        self._end(self._listening)
        listens.join()
        for one in self._sockets:
            self._end(one)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def _carry(self, source: socket.socket, to: socket.socket, asks: bool) -> None:
        with suppress(OSError):
            while data := source.recv(PIECE):
                is_cut = asks and b"COMMIT\0" in data and self._is_cut()
                if is_cut:
                    # First of all: whoever asked must not hear what comes of it.
                    self._end(source)
                if not is_cut or self.keeps_commit:
                    to.sendall(data)
                if is_cut:
                    break
        self._end(to, socket.SHUT_WR)

    def _is_cut(self) -> bool:
        self.cut_at -= 1
        self.cuts += self.cut_at == 0
        return self.cut_at == 0

    def _end(self, one: socket.socket, how: int = socket.SHUT_RDWR) -> None:
        with suppress(OSError):
            one.shutdown(how)


@contextmanager
def cut_line(server: Path, folder: Path) -> Iterator[CutLine]:
    """Give a line to the server's socket; the folder is the host to connect to."""
    line = CutLine(server, folder)
    thread = threading.Thread(target=line.run)
    thread.start()
    try:
        yield line
    finally:
        line.close(thread)
