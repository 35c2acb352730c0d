"""SQLite over a disc that is listened to: a file system of SQLite's own kind, put before the one that it has.

It is made with ctypes in the library that Python's `sqlite3` uses, so that the product's code runs as it is. The first
bytes of a file's memory say by which functions it is written; a tapped file has a copy of them, with ours in the place
of some.
"""

import ctypes
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from typing import Any

from tests.fakes.tapped_disk import Happened, Tap

ABSENT = "SQLite cannot be listened to"
NAME = b"tapped"
OK, FULL, CANTOPEN = 0, 13, 14
IOERR_READ, IOERR_WRITE, IOERR_FSYNC, IOERR_TRUNCATE, IOERR_DELETE = 266, 778, 1034, 1546, 2570
OPEN_CREATE = 0x4


class _Vfs(Structure):
    """`struct sqlite3_vfs`; what is not called here is carried along."""


_Vfs._fields_ = [
    ("version", c_int),
    ("file_bytes", c_int),
    ("path_bytes", c_int),
    ("next", c_void_p),
    ("name", c_char_p),
    ("app_data", c_void_p),
    ("open", c_void_p),
    ("delete", c_void_p),
    ("rest", c_void_p * 11),
    ("set_system_call", c_void_p),
    ("get_system_call", c_void_p),
    ("next_system_call", c_void_p),
]


class _Methods(Structure):
    """`struct sqlite3_io_methods`."""

    _fields_ = (
        ("version", c_int),
        ("close", c_void_p),
        ("read", c_void_p),
        ("write", c_void_p),
        ("truncate", c_void_p),
        ("sync", c_void_p),
        ("rest", c_void_p * 13),
    )


_OPEN = CFUNCTYPE(c_int, POINTER(_Vfs), c_void_p, c_void_p, c_int, POINTER(c_int))
_DELETE = CFUNCTYPE(c_int, POINTER(_Vfs), c_char_p, c_int)
_SET_CALL = CFUNCTYPE(c_int, POINTER(_Vfs), c_char_p, c_void_p)
_GET_CALL = CFUNCTYPE(c_void_p, POINTER(_Vfs), c_char_p)
_FOLDER = CFUNCTYPE(c_int, c_char_p, POINTER(c_int))
_CLOSE = CFUNCTYPE(c_int, c_void_p)
_TRANSFER = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)


def _library() -> Any:
    """Return the SQLite that Python uses, None where its functions cannot be reached."""
    import _sqlite3

    try:
        found = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
        found.sqlite3_vfs_find.restype = POINTER(_Vfs)
    except (AttributeError, OSError):
        return None
    # Another copy of the library would be listened to in vain.
    found.sqlite3_libversion.restype = c_char_p
    same = found.sqlite3_libversion().decode() == sqlite3.sqlite_version
    return found if same and found.sqlite3_vfs_find(None) else None


def can_be_tapped() -> bool:
    """Tell whether this Python's SQLite can be listened to."""
    return _library() is not None


class _Tapped:
    """The file system that was put before SQLite's. Kept alive as long as files that it opened are."""

    def __init__(self, library: Any, tap: Tap) -> None:
        self.library, self.tap = library, tap
        self.below = library.sqlite3_vfs_find(None)
        self.files: dict[int, tuple[int, _Methods]] = {}
        self.made: dict[int, _Methods] = {}
        self.base: dict[int, _Methods] = {}
        self.vfs = _Vfs()
        ctypes.pointer(self.vfs)[0] = self.below.contents
        below = self.below.contents
        self.below_open, self.below_delete = _OPEN(below.open), _DELETE(below.delete)
        self.below_folder = _FOLDER(_GET_CALL(below.get_system_call)(self.below, b"openDirectory"))
        self.kept = [
            _OPEN(self.open), _DELETE(self.delete), _FOLDER(self.folder), _CLOSE(self.close), _TRANSFER(self.read),
            _TRANSFER(self.write), _TRUNCATE(self.truncate), _SYNC(self.sync),
        ]  # fmt: skip
        self.vfs.name, self.vfs.next = NAME, None
        self.vfs.open, self.vfs.delete = (_address(one) for one in self.kept[:2])

    def begin(self) -> None:
        set_call = _SET_CALL(self.below.contents.set_system_call)
        set_call(self.below, b"openDirectory", _address(self.kept[2]))
        assert self.library.sqlite3_vfs_register(ctypes.byref(self.vfs), 1) == OK

    def end(self) -> None:
        assert self.library.sqlite3_vfs_unregister(ctypes.byref(self.vfs)) == OK
        assert self.library.sqlite3_vfs_register(self.below, 1) == OK
        _SET_CALL(self.below.contents.set_system_call)(self.below, b"openDirectory", None)

    # ---- what SQLite calls

    def open(self, _vfs: object, name: int | None, file: int, flags: int, out: Any) -> int:
        path = ctypes.string_at(name).decode() if name else ""
        listened = self.tap.listens_to(path)
        if listened and self.tap.fault("open"):
            ctypes.cast(file, POINTER(c_void_p))[0] = None
            return CANTOPEN
        result = self.below_open(ctypes.byref(self.vfs), name, file, flags, out)
        if result == OK and listened:
            number = self.tap.created(path) if flags & OPEN_CREATE else self.tap.names[path]
            self._take_over(file, number)
        return int(result)

    def _take_over(self, file: int, number: int) -> None:
        methods = ctypes.cast(file, POINTER(c_void_p))
        below = methods[0]
        assert below is not None
        if below not in self.made:
            self.base[below] = _Methods.from_address(below)
            ours = _Methods.from_buffer_copy(self.base[below])
            ours.close, ours.read, ours.write, ours.truncate, ours.sync = (_address(one) for one in self.kept[3:])
            self.made[below] = ours
        self.files[file] = (number, self.base[below])
        methods[0] = ctypes.addressof(self.made[below])

    def delete(self, _vfs: object, name: bytes, syncs: int) -> int:
        path = name.decode()
        if self.tap.listens_to(path) and self.tap.fault("unlink"):
            return IOERR_DELETE
        self.tap.unlinked(path)
        return int(self.below_delete(ctypes.byref(self.vfs), name, syncs))

    def folder(self, name: bytes, out: Any) -> int:
        # SQLite opens a folder for one thing: to sync it at once.
        result = self.below_folder(name, out)
        folder = os.path.dirname(name.decode())  # noqa: PTH120 - as SQLite cuts the file's name off
        if result == OK and folder.startswith(self.tap.folder):
            self.tap.log.append(Happened("sync_folder", folder))
        return int(result)

    def close(self, file: int) -> int:
        _, base = self.files.pop(file)
        return int(_CLOSE(base.close)(file))

    def read(self, file: int, to: int, count: int, at: int) -> int:
        _, base = self.files[file]
        if self.tap.fault("read"):
            return IOERR_READ
        return int(_TRANSFER(base.read)(file, to, count, at))

    def write(self, file: int, what: int, count: int, at: int) -> int:
        number, base = self.files[file]
        failed = self.tap.fault("write")
        # A disc that becomes full takes a part; a broken one says nothing of what it took.
        count = count // 2 if failed else count
        result = int(_TRANSFER(base.write)(file, what, count, at))
        self.tap.log.append(Happened("write", file=number, at=at, data=ctypes.string_at(what, count)))
        if failed:
            return FULL if failed == errno.ENOSPC else IOERR_WRITE
        return result

    def truncate(self, file: int, size: int) -> int:
        number, base = self.files[file]
        if self.tap.fault("truncate"):
            return IOERR_TRUNCATE
        self.tap.log.append(Happened("truncate", file=number, at=size))
        return int(_TRUNCATE(base.truncate)(file, size))

    def sync(self, file: int, flags: int) -> int:
        number, base = self.files[file]
        if self.tap.fault("fsync"):
            self.tap.log.append(Happened("sync_failed", file=number))
            return IOERR_FSYNC
        before = len(self.tap.log)
        result = int(_SYNC(base.sync)(file, flags))
        # The content comes first; then, of a file that is new, the folder.
        self.tap.log.insert(before, Happened("sync", file=number))
        return result


def _address(function: Callable[..., Any]) -> int | None:
    return ctypes.cast(function, c_void_p).value  # type: ignore[arg-type]


@contextmanager
def tapped(tap: Tap) -> Iterator[None]:
    """Listen to what SQLite and Python write. What was opened meanwhile is closed before the end."""
    library = _library()
    assert library is not None
    layer = _Tapped(library, tap)
    layer.begin()
    try:
        with tap.python():
            yield
    finally:
        layer.end()
        assert not layer.files
