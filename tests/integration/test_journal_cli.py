"""`manjha journal verify` and `export` on real files."""

import json
import sqlite3
from pathlib import Path

import pytest

from manjha.adapters.sql.journal import SqlJournal
from manjha.app.cli import main
from manjha.domain.commands import Approved, CancelOrder
from manjha.domain.events import OrderCancelled, TimerFired
from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, OrderId, RunId
from manjha.engine.journaling import entry_of

AT = TsNs(1_720_000_000_000_000_000)
Said = tuple[int, str, str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    journal = SqlJournal(f"sqlite:///{tmp_path / 'journal.db'}", AccountId("AB1234"))
    journal.begin(RunId("run-1"))
    values = (
        TimerFired("square-off", AT),
        Approved(CancelOrder(OrderId("o1"))),
        OrderCancelled(OrderId("o1"), AT, "asked"),
    )
    journal.append([entry_of(value, AT) for value in values])
    journal.close()
    return tmp_path / "journal.db"


def said(capfd: pytest.CaptureFixture[str], *words: str) -> Said:
    with pytest.raises(SystemExit) as ended:
        main(["journal", *words])
    out, err = capfd.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def damage(file: Path, statement: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TRIGGER journal_keeps_UPDATE")
        connection.execute("DROP TRIGGER journal_keeps_DELETE")
        connection.execute(statement)


def test_a_whole_one_is_told_to_be(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capfd, "verify", str(file))
    assert (code, out.startswith("The journal of AB1234 is whole: 3 rows in 1 epochs, head ")) == (0, True)
    code, out, _ = said(capfd, "verify", str(file), "--json")
    found = json.loads(out)
    assert (code, found["rows"], found["faults"]) == (0, 3, [])


def test_a_changed_row_is_named(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    damage(file, "UPDATE journal SET payload = x'c1' WHERE seq = 2")
    code, out, err = said(capfd, "verify", str(file))
    assert code == 1
    assert "row 2 is not what was written" in out
    assert "not whole: 2 faults, the first at row 2" in err
    code, _, err = said(capfd, "export", str(file))
    assert (code, "kind Approved.CancelOrder that cannot be read" in err) == (4, True)


def test_a_cut_end_is_named(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    damage(file, "DELETE FROM journal WHERE seq = 3")
    code, out, _ = said(capfd, "verify", str(file))
    assert (code, out) == (1, "the end is missing: rows 3 to 3 were written\n")


def test_what_is_in_it_is_exported_exactly(file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capfd, "export", str(file))
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "3 rows written\n")
    assert [(row["seq"], row["kind"]) for row in rows] == [
        (1, "TimerFired"),
        (2, "Approved.CancelOrder"),
        (3, "OrderCancelled"),
    ]
    assert rows[0]["value"] == {"type": "TimerFired", "key": "square-off", "ts_ns": AT}
    assert rows[0]["time"].startswith("2024-07-03T")
    code, _, err = said(capfd, "export", str(file), "--after", "2", "--out", str(tmp_path / "rest"))
    assert (code, err, len((tmp_path / "rest").read_text().splitlines())) == (0, "1 rows written\n", 1)


def test_wrong_words_are_answered(file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for words, what in (
        ((str(tmp_path / "none.db"),), "there is no journal"),
        ((str(file), "--account", "ZZ9"), "of ZZ9"),
        (("nonsense://x",), "journal_url is no address"),
    ):
        code, _, err = said(capfd, "verify", *words)
        assert (code, what in err) == (2, True)
    file.write_bytes(b"junk" * 2_000)
    code, _, err = said(capfd, "verify", str(file))
    assert (code, "cannot be read: file is not a database" in err) == (4, True)


@pytest.mark.parametrize("how", ["a page is overwritten", "half of it is gone"])
def test_a_damaged_file_is_left_as_it_is_and_the_way_out_is_said(
    how: str, file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = file.read_bytes()
    page = 4_096
    damaged = whole[: len(whole) // 2] if how.startswith("half") else whole[:page] + b"U" * page + whole[2 * page :]
    file.write_bytes(damaged)
    for words in (("verify", str(file)), ("export", str(file), "--out", str(file.with_suffix(".jsonl")))):
        code, _, err = said(capfd, *words)
        assert code == 4
        assert "malformed" in err
        assert "The file is damaged: copy it" in err
    assert file.read_bytes() == damaged
