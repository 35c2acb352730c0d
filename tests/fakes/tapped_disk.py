"""A disc that is listened to: every write, sync and name of the files in one folder, in their order.

What SQLite writes comes from `tapped_sqlite`; what Python writes goes through the functions of `os`, which are wrapped
while a tap listens. At any of these calls the disc may be made to fail.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch


class Happened(NamedTuple):
    """One thing that happened to a disc.

    `kind`: `create`, `unlink`, `rename`, `folder` and `sync_folder` are about names (`path`, `data` the new one of a
    rename); `write`, `truncate`, `sync` and `sync_failed` about the content of a `file`, which keeps its number under
    any name; `mark` is what the test has put in between. The first one, `root`, names the folder.
    """

    kind: str
    path: str = ""
    file: int = 0
    at: int = 0
    data: Any = b""


class Tap:
    """Listens to the files below a folder. `fails` tells by kind and count of a call its error number, 0 for none.

    `before` has listened before, to processes that are gone.
    """

    def __init__(self, folder: Path, before: "Tap | None" = None) -> None:
        self.folder = str(folder)
        self.log = [Happened("root", str(folder))]
        self.names: dict[str, int] = dict(before.names) if before is not None else {}
        self.calls = 0
        self.fails: Callable[[str, int], int] = _works
        self.files: int = before.files if before is not None else 0
        self._open: dict[int, int] = {}
        self._folders: dict[str, int] = {}

    def adopt(self) -> None:
        """Take what is there already for durable."""
        for path in sorted(Path(self.folder).rglob("*")):
            if path.is_dir():
                self.log.append(Happened("folder", str(path)))
                self.log.append(Happened("sync_folder", str(path.parent)))
            elif not path.name.endswith("-shm"):
                file = self.created(str(path))
                self.log += [
                    Happened("write", file=file, data=path.read_bytes()),
                    Happened("sync", file=file),
                    Happened("sync_folder", str(path.parent)),
                ]

    def until_now(self) -> "Tap":
        """Return what was heard until now, for whoever listens next; it hears nothing itself."""
        heard = Tap(Path(self.folder), self)
        heard.log = list(self.log)
        return heard

    def mark(self, what: str, value: object) -> None:
        """Note what the program has said to the world."""
        self.log.append(Happened("mark", what, data=value))

    def fault(self, kind: str) -> int:
        """Count a call, and return the error number with which it is to fail, 0 for none."""
        self.calls += 1
        return self.fails(kind, self.calls)

    def listens_to(self, path: str) -> bool:
        """Tell whether a path is the folder or below it."""
        return path == self.folder or path.startswith(self.folder + os.sep)

    def created(self, path: str) -> int:
        """Return the number of a file that was opened to be written; it is a new one where nothing had the name."""
        if path not in self.names:
            self.files += 1
            self.names[path] = self.files
            self.log.append(Happened("create", path, self.files))
        return self.names[path]

    def unlinked(self, path: str) -> None:
        """Note that a name is gone."""
        if self.names.pop(path, 0):
            self.log.append(Happened("unlink", path))

    # ---- what Python does

    @contextmanager
    def python(self) -> Iterator[None]:
        """Listen to the functions of `os`."""
        names = ("open", "write", "pwrite", "fsync", "truncate", "close", "rename", "unlink", "mkdir")
        with ExitStack() as patches:
            for name in names:
                patches.enter_context(patch.object(os, name, self._tapped(name, getattr(os, name))))
            yield

    def _tapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(what: Any, *rest: Any, **named: Any) -> Any:
            target = what if isinstance(what, int) else str(what)
            known = target in self._open if isinstance(target, int) else self.listens_to(target)
            if not known:
                return real(what, *rest, **named)
            if name != "close" and (number := self.fault(name.removeprefix("p"))):
                if name == "fsync":
                    self.log.append(Happened("sync_failed", file=self._open[int(target)]))
                raise OSError(number, os.strerror(number), None if isinstance(what, int) else target)
            size = os.fstat(int(target)).st_size if name == "write" else 0
            made = real(what, *rest, **named)
            self._happened(name, target, rest, made, size)
            return made

        return call

    def _happened(self, name: str, target: Any, rest: tuple[Any, ...], made: Any, size: int) -> None:
        if name == "open":
            self._opened(target, rest[0], made)
        elif name == "write":
            # All that is written without a place is added at the end or into a file that was emptied.
            self.log.append(Happened("write", file=self._open[target], at=size, data=bytes(rest[0][:made])))
        elif name == "pwrite":
            self.log.append(Happened("write", file=self._open[target], at=rest[1], data=bytes(rest[0][:made])))
        elif name == "fsync":
            file = self._open[target]
            path = next((path for path, of in self._folders.items() if of == file), "")
            self.log.append(Happened("sync_folder", path) if path else Happened("sync", file=file))
        elif name == "truncate":
            self.log.append(Happened("truncate", file=self._open.get(target) or self.names[target], at=rest[0]))
        elif name == "close":
            self._open.pop(target)
        elif name == "rename":
            self.names[str(rest[0])] = self.names.pop(target)
            self.log.append(Happened("rename", target, data=str(rest[0])))
        elif name == "unlink":
            self.unlinked(target)
        elif name == "mkdir":
            self.log.append(Happened("folder", target))

    def _opened(self, path: str, flags: int, descriptor: int) -> None:
        if Path(path).is_dir():
            self._open[descriptor] = self._folders.setdefault(path, -1 - len(self._folders))
            return
        self._open[descriptor] = self.created(path)
        if flags & os.O_TRUNC:
            self.log.append(Happened("truncate", file=self.names[path]))


def _works(_kind: str, _count: int) -> int:
    return 0


NO_SPACE, BROKEN = errno.ENOSPC, errno.EIO
