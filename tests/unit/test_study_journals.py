"""Journals of lines: whole lines only, whatever a killed process left, and one writer at a time."""

import fcntl
from pathlib import Path

import pytest

from manjha.adapters.files.study_journals import open_journal
from manjha.domain.errors import UsageError


def test_lines_are_there_again(tmp_path: Path) -> None:
    path = tmp_path / "studies" / "one.journal"
    with open_journal(path) as journal:
        assert journal.lines() == []
        journal.append(b"one")
        journal.append(b"two")
    with open_journal(path) as journal:
        assert journal.lines() == [b"one", b"two"]
        journal.clear()
        journal.append(b"three")
        assert journal.lines() == [b"three"]


@pytest.mark.parametrize("left", [b"tw", b'{"half":', b"\x00" * 9000])
def test_half_a_line_is_cut_off(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "one.journal"
    path.write_bytes(b"one\n" + left)
    with open_journal(path) as journal:
        assert journal.lines() == [b"one"]
        journal.append(b"two")
        assert path.read_bytes() == b"one\ntwo\n"
    path.write_bytes(left)
    with open_journal(path) as journal:
        assert journal.lines() == []
        journal.append(b"one")
    assert path.read_bytes() == b"one\n"


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.journal"
    with open_journal(path) as journal:
        journal.append(b"one")
        with pytest.raises(UsageError, match="another process is at work"), open_journal(path):
            pass
    assert path.read_bytes() == b"one\n"


def test_what_was_never_written_to_leaves_nothing(tmp_path: Path) -> None:
    with open_journal(tmp_path / "one.journal"):
        pass
    assert not (tmp_path / "one.journal").exists()


def test_a_line_has_no_line_end(tmp_path: Path) -> None:
    with open_journal(tmp_path / "one.journal") as journal, pytest.raises(ValueError, match="no line end"):
        journal.append(b"one\ntwo")


def test_a_file_taken_away_while_it_was_opened_is_opened_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.journal"
    lock = fcntl.flock
    taken: list[int] = []

    def locked_too_late(descriptor: int, how: int) -> None:
        if not taken:
            path.unlink()
            taken.append(descriptor)
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", locked_too_late)
    with open_journal(path) as journal:
        journal.append(b"kept")
    assert taken
    assert path.read_bytes() == b"kept\n"
