"""The Files port: folders, zip, gz, resource forks, bounds."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from manjha.adapters.files.archives import Archives
from manjha.domain.errors import DataError, UsageError


def zipped(members: dict[str, bytes]) -> bytes:
    store = io.BytesIO()
    with zipfile.ZipFile(store, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return store.getvalue()


def names(files: Archives, *paths: Path) -> list[tuple[str, bytes]]:
    return [(name.rsplit("/", 1)[-1], data) for name, data in files.open_all(paths)]


def test_folders_are_walked_by_name_and_hidden_files_skipped(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", ".hidden.csv", "._fork.parquet"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/c.csv").write_bytes(b"y")
    files = Archives()
    assert names(files, tmp_path) == [("a.csv", b"x"), ("b.csv", b"x"), ("c.csv", b"y")]
    assert sorted(note.rsplit("/", 1)[-1] for note in files.skipped) == [
        "._fork.parquet: a resource fork of macOS, no data",
        ".hidden.csv: hidden",
    ]


def test_a_resource_fork_is_known_by_its_content(tmp_path: Path) -> None:
    fork = tmp_path / "innocent.parquet"
    fork.write_bytes(b"\x00\x05\x16\x07" + bytes(100))
    files = Archives()
    assert names(files, fork) == []
    assert "resource fork" in files.skipped[0]


def test_zip_members_and_gz_inside_are_opened_whatever_the_name(tmp_path: Path) -> None:
    data = zipped({"b.csv": b"2", "a.csv.gz": gzip.compress(b"1"), "__MACOSX/x": b"junk"})
    (tmp_path / "day.dat").write_bytes(data)
    files = Archives()
    assert names(files, tmp_path / "day.dat") == [("day.dat!a.csv", b"1"), ("day.dat!b.csv", b"2")]


def test_an_empty_file_is_no_file_less(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"")
    (tmp_path / "b.zip").write_bytes(zipped({"c.csv": b""}))
    assert names(Archives(), tmp_path) == [("a.csv", b""), ("b.zip!c.csv", b"")]


def test_a_bomb_stops_at_the_bound(tmp_path: Path) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(5_000_000)))
    with pytest.raises(DataError, match="more than 1000000 bytes when decompressed"):
        list(Archives(limit=1_000_000).open_all([tmp_path / "bomb.gz"]))


def test_archives_in_archives_end_somewhere(tmp_path: Path) -> None:
    data = b"x"
    for _ in range(6):
        data = gzip.compress(data)
    (tmp_path / "deep.gz").write_bytes(data)
    with pytest.raises(DataError, match="deep"):
        list(Archives().open_all([tmp_path / "deep.gz"]))


@pytest.mark.parametrize(
    "damaged", [zipped({"a": b"1" * 100})[:-30], gzip.compress(b"1" * 100)[:-6]], ids=["zip", "gz"]
)
def test_a_damaged_archive_is_an_error_by_name_and_one_file_in_a_folder(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(damaged)
    (tmp_path / "b.csv").write_bytes(b"good")
    with pytest.raises(DataError, match="cannot be"):
        list(Archives().open_all([tmp_path / "a.zip"]))
    assert names(Archives(), tmp_path) == [("a.zip", damaged), ("b.csv", b"good")]


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        list(Archives().open_all([tmp_path / "nowhere"]))


def test_the_shared_resource_fork_is_skipped(shared: Path) -> None:
    files = Archives()
    assert list(files.open_all([shared / "data/dirty/._nifty_cash_20240131.parquet"])) == []
    assert len(files.skipped) == 1
