"""What a disc may hold after the power went: all that was synced, and of the rest whatever chance has left.

Of a write that was not synced each sector of 512 bytes may have come to the disc or not, whatever was written before or
after it. Where a file has become longer, a sector that did not come may hold what lay there before: garbage. A name
that was made, moved or taken away counts when its folder was synced; of those that were not, the older ones may have
come without the newer ones.
"""

import random
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.fakes.tapped_disk import Happened

SECTOR = 512
NAMES = ("create", "unlink", "rename", "folder")


class Disc:
    """A disc as it is told what happens to it. `image` is what it may hold if the power goes now."""

    def __init__(self, root: str, chance: random.Random) -> None:
        self.root = root
        self.chance = chance
        self.durable: dict[int, bytearray] = {}
        self.waiting: dict[int, list[Happened]] = {}
        self.names: dict[str, int] = {}
        self.folders = {self.root}
        self.unsettled: list[Happened] = []
        self.told = 0

    def tell(self, events: Iterable[Happened]) -> None:
        """Let things happen; `told` counts them."""
        for event in events:
            self.told += 1
            if event.kind in NAMES:
                self.unsettled.append(event)
            elif event.kind == "sync_folder":
                self._settle(event.path)
            elif event.kind in {"write", "truncate"}:
                self.waiting.setdefault(event.file, []).append(event)
            elif event.kind == "sync":
                data = self.durable.setdefault(event.file, bytearray())
                for one in self.waiting.pop(event.file, ()):
                    _whole(data, one)
            elif event.kind == "sync_failed":
                # What had to be written counts as written for the system, so no later sync writes it (fsyncgate).
                self.durable[event.file] = self._content(event.file, "torn")
                self.waiting.pop(event.file, None)

    def image(self, folder: Path) -> None:
        """Put into a folder, which is emptied, what the disc may hold."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        names, folders = dict(self.names), set(self.folders)
        for event in self.unsettled[: self.chance.choice((0, len(self.unsettled), self._some()))]:
            _named(event, names, folders)
        how = self.chance.choice(("lost", "kept", "some", "torn", "torn"))
        for path in sorted(folders):
            if all(str(above) in folders for above in Path(path).parents if _is_below(above, self.root)):
                (folder / Path(path).relative_to(self.root)).mkdir(exist_ok=True)
        for path, file in names.items():
            target = folder / Path(path).relative_to(self.root)
            if target.parent.is_dir():
                target.write_bytes(self._content(file, how))
        for wal in folder.rglob("*-wal"):
            if self.chance.random() < 0.2:
                # Shared memory was never meant to outlive its processes, and a file of it may lie about.
                wal.with_name(wal.name.removesuffix("-wal") + "-shm").write_bytes(self.chance.randbytes(32_768))

    def _some(self) -> int:
        return self.chance.randint(0, len(self.unsettled))

    def _settle(self, folder: str) -> None:
        left = []
        for event in self.unsettled:
            if str(Path(event.path).parent) == folder:
                _named(event, self.names, self.folders)
            else:
                left.append(event)
        self.unsettled = left

    def _content(self, file: int, how: str) -> bytearray:
        data = bytearray(self.durable.get(file, b""))
        kept = len(data)
        for event in self.waiting.get(file, ()):
            if how == "torn" and event.kind == "write":
                self._torn(data, event)
            elif how == "kept" or (how != "lost" and self.chance.random() < 0.5):
                _whole(data, event)
        if how != "lost" and len(data) > kept and self.chance.random() < 0.2:
            at = self.chance.randrange(kept, len(data))
            length = min(SECTOR, len(data) - at)
            data[at : at + length] = self.chance.randbytes(length)
        return data

    def _torn(self, data: bytearray, event: Happened) -> None:
        """Write some of the sectors of a write."""
        done = 0
        while done < len(event.data):
            at = event.at + done
            length = min(SECTOR - at % SECTOR, len(event.data) - done)
            if self.chance.random() < 0.5:
                _whole(data, event._replace(at=at, data=event.data[done : done + length]))
            done += length


def _whole(data: bytearray, event: Happened) -> None:
    if event.kind == "truncate":
        del data[event.at :]
        data.extend(bytes(event.at - len(data)))
        return
    if len(data) < event.at:
        data.extend(bytes(event.at - len(data)))
    data[event.at : event.at + len(event.data)] = event.data


def _named(event: Happened, names: dict[str, int], folders: set[str]) -> None:
    if event.kind == "create":
        names[event.path] = event.file
    elif event.kind == "unlink":
        names.pop(event.path, None)
    elif event.kind == "rename":
        names[event.data] = names.pop(event.path)
    else:
        folders.add(event.path)


def _is_below(path: Path, root: str) -> bool:
    return str(path).startswith(root)
