"""The lock of an account on one machine: a locked file, which the kernel frees when its holder dies."""

import fcntl
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from manjha.domain.errors import SettingsError
from manjha.domain.leader import Holder, held_by
from manjha.ports.clock import Clock

LOOKS, LOOK_S = 5, 0.01
"""How often, and how long apart, a lock is tried again before it counts as held."""


class FileLeaderLock:
    """Implements `ports.leader_lock.LeaderLock` for a file on a local disk. The file says who holds it.

    A lock belongs to the file, not to its name: taking it away puts another file under the name, and whoever held the
    old one finds, when it looks, that its file lies nowhere any more.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._descriptor = -1

    def acquire(self) -> None:
        """Take the lock; see the port."""
        if not self.lost():
            return
        self.release()
        descriptor = self._locked()
        own = Holder(os.getpid(), socket.gethostname(), self._clock.now_ns())
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(own), 0)
        self._descriptor = descriptor

    def lost(self) -> str:
        """Return why the lock is not held; see the port."""
        if self._descriptor < 0:
            return "the account's lock was not taken"
        return "" if self._lies_there(self._descriptor) else f"the account's lock was taken away: {self._path} is new"

    def holder(self) -> Holder | None:
        """Return who holds it; see the port."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            # A lock of one descriptor is in the way of another one, also within a process.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _said(descriptor)
        finally:
            os.close(descriptor)
        return None

    def take_away(self) -> Holder | None:
        """Take the lock from whoever holds it; see the port."""
        was = self.holder()
        if was is not None:
            with suppress(FileNotFoundError):
                self._path.unlink()
        return was

    def release(self) -> None:
        """Let the lock go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _locked(self) -> int:
        """Return a descriptor of the file that lies at the path, locked."""
        while True:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            except OSError as error:
                raise SettingsError(
                    f"the account's lock {self._path} cannot be made: {error.strerror}",
                    hint="Check the disk and who may write there.",
                ) from error
            try:
                _lock(descriptor)
            except BlockingIOError:
                who = _said(descriptor)
                os.close(descriptor)
                raise held_by(who) from None
            # It may have been taken away between the two calls: then this is nobody's file.
            if self._lies_there(descriptor):
                return descriptor
            os.close(descriptor)

    def _lies_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        except FileNotFoundError:
            return False


def _lock(descriptor: int) -> None:
    """Lock a file alone. Whoever only looks holds it for some microseconds, which must not refuse a start."""
    for _ in range(LOOKS):
        with suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(LOOK_S)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _said(descriptor: int) -> Holder:
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=Holder)
    except msgspec.DecodeError:
        # Taken a moment ago and not yet written.
        return Holder()
