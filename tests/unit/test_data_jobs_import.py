"""Importing: what becomes of good, bad and broken files, over fakes of every port."""

import hashlib
import os
from pathlib import Path

import msgspec
import pytest

from manjha.adapters.files.rule_tables import load_rules
from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.bars import DAY, MINUTE, Bar
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, parse_day
from manjha.ports.market_data import Imported, ImportHints, Quarantined
from manjha.services.data_jobs import DataServices, Terms, import_paths
from manjha.services.stored import list_series, load_bars
from tests.fakes.market_data import (
    RAW,
    JumpingClock,
    MemoryActions,
    MemoryBarStore,
    MemoryBin,
    MemoryFiles,
    MemoryInstruments,
    batch,
    daily_bar,
    listed,
    minute_bars,
    share,
)

MONDAY = parse_day("2021-06-07")
RELIANCE = share()
EVER = (0, 2**62)


def imported(*bars: Bar, adjustment: str = "raw", **more: object) -> Imported:
    found = Imported("test", adjustment, (batch({RELIANCE: bars}, DAY),), (RELIANCE,), rows=len(bars))
    return msgspec.structs.replace(found, **more)


def services(content: dict[str, Imported | Exception], **parts: object) -> DataServices:
    def read(data: bytes, file: str, hints: ImportHints) -> Imported:
        found = content[data.decode()]
        if isinstance(found, Exception):
            raise found
        return found

    made = DataServices(
        store=MemoryBarStore(),
        instruments=MemoryInstruments(),
        actions=MemoryActions(),
        files=MemoryFiles({name: name.encode() for name in content}),
        quarantine=MemoryBin(),
        read=read,
        clock=JumpingClock(10**18),
        rules=load_rules(),
    )
    return msgspec.structs.replace(made, **parts)


def paths(tmp_path: Path, *names: str) -> list[Path]:
    for name in names:
        (tmp_path / name).write_text(name)
    return [tmp_path / name for name in names]


def test_good_rows_get_in_and_the_report_counts_them(tmp_path: Path) -> None:
    bars = [daily_bar(MONDAY, 1_000_0000), daily_bar(MONDAY + 1, 1_010_0000)]
    made = services({"a": imported(*bars)})
    (report,) = import_paths(made, paths(tmp_path, "a")).files
    assert (report.rows, report.added, report.unchanged, report.outcome) == (2, 2, 0, "added")
    assert report.sha256 == hashlib.sha256(b"a").hexdigest()
    assert listed(made.store.read(RELIANCE.id, DAY, *EVER)) == bars
    assert made.instruments.find("reliance") == RELIANCE


def test_the_same_file_twice_changes_nothing(tmp_path: Path) -> None:
    made = services({"a": imported(daily_bar(MONDAY, 1_000_0000))})
    import_paths(made, paths(tmp_path, "a"))
    (again,) = import_paths(made, paths(tmp_path, "a")).files
    assert (again.added, again.unchanged, again.instruments, again.outcome) == (0, 1, 0, "unchanged")


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    made = services({"a": DataError("no price", hint="Look."), "b": imported(daily_bar(MONDAY, 1_0000))})
    summary = import_paths(made, paths(tmp_path, "a", "b"))
    assert summary.failed == 1
    assert [report.outcome for report in summary.files] == ["failed", "added"]
    assert summary.files[0].problem is not None
    assert summary.files[0].problem.hint == "Look."


def test_an_archive_that_cannot_be_opened_is_reported_and_its_folder_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    paths(folder, "a", "b", ".hidden")
    files = MemoryFiles({"a": DataError("a broken zip"), "b": b"b"})
    made = services({"b": imported(daily_bar(MONDAY, 1_0000))}, files=files)
    summary = import_paths(made, [folder])
    assert [report.outcome for report in summary.files] == ["failed", "added"]


def test_links_to_folders_and_pipes_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    paths(folder, "b")
    (folder / "a").symlink_to(folder, target_is_directory=True)
    os.mkfifo(folder / "c")
    summary = import_paths(services({"b": imported(daily_bar(MONDAY, 1_0000))}), [folder])
    assert [(report.file, report.outcome) for report in summary.files] == [("b", "added")]


def test_actions_may_come_before_the_bars_of_their_share(tmp_path: Path) -> None:
    split = CorporateAction(InstrumentId("NSE:RELIANCE"), TradingDay(MONDAY + 1), ActionKind.SPLIT, new_shares=5)
    actions = Imported("corporate-actions", "raw", (), (), actions=(split,), rows=1)
    bars = imported(daily_bar(MONDAY, 2_000_0000), daily_bar(MONDAY + 1, 400_0000))
    made = services({"a": actions, "b": bars})
    summary = import_paths(made, paths(tmp_path, "a", "b"))
    assert [report.outcome for report in summary.files] == ["added", "added"]
    assert summary.steps == ()
    assert len(made.actions.actions(RELIANCE.id)) == 1
    (alone,) = import_paths(services({"a": actions}), paths(tmp_path, "a")).files
    assert alone.problem is not None


def test_conflicts_are_reported_and_replace_overwrites(tmp_path: Path) -> None:
    made = services({"a": imported(daily_bar(MONDAY, 1_0000)), "b": imported(daily_bar(MONDAY, 2_0000))})
    summary = import_paths(made, paths(tmp_path, "a", "b"))
    assert (summary.files[1].conflicting, summary.files[1].outcome) == (1, "conflicting")
    replaced = import_paths(made, paths(tmp_path, "b"), Terms(replace=True)).files[0]
    assert (replaced.replaced, replaced.outcome) == (1, "replaced")
    assert made.store.read(RELIANCE.id, DAY, *EVER).close.tolist() == [2_0000]


def test_quarantined_rows_are_kept_with_their_reasons(tmp_path: Path) -> None:
    bad = (Quarantined("a", 7, "a price is zero", "x"), Quarantined("a", 9, "a price is zero", "y"))
    made = services({"a": imported(daily_bar(MONDAY, 1_0000), quarantined=bad, bad_rows=5)})
    (report,) = import_paths(made, paths(tmp_path, "a")).files
    assert [(tally.what, tally.count) for tally in report.quarantined] == [
        ("not listed, see the notes", 3),
        ("a price is zero", 2),
    ]
    assert report.quarantine_file == report.sha256
    assert isinstance(made.quarantine, MemoryBin)
    assert made.quarantine.kept[report.sha256] == bad


def test_bars_by_symbol_move_when_the_isin_becomes_known(tmp_path: Path) -> None:
    nameless = share(isin="")
    early = imported(instruments=(nameless,), batches=(batch({nameless: [daily_bar(MONDAY, 1_0000)]}, DAY),))
    made = services({"a": early, "b": imported(daily_bar(MONDAY + 1, 1_0000))})
    import_paths(made, paths(tmp_path, "a", "b"))
    assert len(made.store.read(RELIANCE.id, DAY, *EVER)) == 2
    import_paths(made, paths(tmp_path, "a"))
    assert len(made.store.read(nameless.id, DAY, *EVER)) == 0


def test_rows_outside_the_calendar_are_said(tmp_path: Path) -> None:
    made = services({"a": imported(daily_bar(parse_day("2005-01-03"), 1_0000))})
    (report,) = import_paths(made, paths(tmp_path, "a")).files
    assert report.notes == (
        "1 rows lie outside the market calendar (2015-01-01 to 2026-12-31): their days and hours could not be checked",
    )


def test_an_overnight_step_is_said_with_what_it_looks_like(tmp_path: Path) -> None:
    bars = [daily_bar(MONDAY, 2_000_0000), daily_bar(MONDAY + 1, 401_0000), daily_bar(MONDAY + 2, 400_0000)]
    (step,) = import_paths(services({"a": imported(*bars)}), paths(tmp_path, "a")).steps
    assert (step.name, step.day, step.close_before, step.open_after) == (
        "NSE:RELIANCE", MONDAY + 1, 2_000_0000, 401_0000,
    )  # fmt: skip
    assert (step.ratio, step.guess) == (4987, "a split, 5 shares for 1")


@pytest.mark.parametrize(
    ("next_day", "next_close", "adjustment"),
    [(1, 1_700_0000, "raw"), (60, 400_0000, "raw"), (1, 400_0000, "total")],
    ids=["small", "across a hole in the data", "adjusted"],
)
def test_what_is_no_step(tmp_path: Path, next_day: int, next_close: int, adjustment: str) -> None:
    bars = (daily_bar(MONDAY, 2_000_0000), daily_bar(MONDAY + next_day, next_close))
    made = services({"a": imported(*bars, adjustment=adjustment)})
    assert import_paths(made, paths(tmp_path, "a")).steps == ()


def test_a_step_that_an_action_explains_is_not_said(tmp_path: Path) -> None:
    split = CorporateAction(RELIANCE.id, TradingDay(MONDAY + 1), ActionKind.SPLIT, new_shares=5)
    bars = [daily_bar(MONDAY, 2_000_0000), daily_bar(MONDAY + 1, 400_0000)]
    made = services({"a": imported(*bars, actions=(split,))})
    assert import_paths(made, paths(tmp_path, "a")).steps == ()


@pytest.mark.parametrize(
    ("kind", "new_shares", "explained"),
    [
        (ActionKind.SPLIT, 5, True),
        (ActionKind.SPLIT, 2, False),
        (ActionKind.DEMERGER, 1, True),
        (ActionKind.DIVIDEND, 1, False),
    ],
)
def test_an_action_explains_a_step_of_its_own_size(
    tmp_path: Path, kind: ActionKind, new_shares: int, *, explained: bool
) -> None:
    action = CorporateAction(RELIANCE.id, TradingDay(MONDAY + 1), kind, new_shares=new_shares)
    bars = [daily_bar(MONDAY, 2_000_0000), daily_bar(MONDAY + 1, 390_0000)]
    made = services({"a": imported(*bars, actions=(action,))})
    assert (import_paths(made, paths(tmp_path, "a")).steps == ()) is explained


def test_a_step_on_the_seam_between_two_imports_is_said(tmp_path: Path) -> None:
    made = services({"a": imported(daily_bar(MONDAY, 2_000_0000)), "b": imported(daily_bar(MONDAY + 1, 1_000_0000))})
    assert import_paths(made, paths(tmp_path, "b")).steps == ()
    (step,) = import_paths(made, paths(tmp_path, "a")).steps
    assert step.ratio == 2000


def test_a_step_between_the_minutes_of_two_days_is_said_once_with_the_daily_one(tmp_path: Path) -> None:
    minutes = [*minute_bars(MONDAY, [2_000_0000] * 3), *minute_bars(MONDAY + 1, [1_000_0000] * 3)]
    alone = imported(batches=(batch({RELIANCE: minutes}, MINUTE),))
    (step,) = import_paths(services({"a": alone}), paths(tmp_path, "a")).steps
    assert (step.day, step.ratio) == (MONDAY + 1, 2000)
    days = batch({RELIANCE: [daily_bar(MONDAY, 2_000_0000), daily_bar(MONDAY + 1, 1_000_0000)]}, DAY)
    both = services({"a": alone, "b": imported(batches=(days,))})
    assert import_paths(both, paths(tmp_path, "a", "b")).steps == (step,)


def test_a_jump_within_a_day_or_of_two_ticks_is_no_step(tmp_path: Path) -> None:
    within = batch({RELIANCE: minute_bars(MONDAY, [2_000_0000, 1_000_0000])}, MINUTE)
    assert import_paths(services({"a": imported(batches=(within,))}), paths(tmp_path, "a")).steps == ()
    small = imported(daily_bar(MONDAY, 2_000), daily_bar(MONDAY + 1, 1_000))
    assert import_paths(services({"a": small}), paths(tmp_path, "a")).steps == ()


def test_an_empty_file_is_told_and_its_neighbour_comes_in(tmp_path: Path) -> None:
    made = services({"a": imported(daily_bar(MONDAY, 1_0000))}, files=MemoryFiles({"a": b"a", "b": b""}))
    first, second = import_paths(made, paths(tmp_path, "a", "b")).files
    assert first.outcome == "added"
    assert second.problem is not None
    assert second.problem.message == "the file is empty"


def test_an_instrument_that_may_be_mistyped_is_noted_once_and_a_bare_one_needs_its_exchange(tmp_path: Path) -> None:
    made = services({"a": imported(daily_bar(MONDAY, 1_0000))}, instruments=MemoryInstruments([share("SBIN", "X")]))
    terms = Terms(ImportHints(instrument="NSE:RELIANC"))
    (report,) = import_paths(made, paths(tmp_path, "a"), terms).files
    assert report.notes == ("NSE:RELIANC was not known and is new. Did you mean NSE:X?",)
    assert import_paths(made, paths(tmp_path, "a"), terms).files[0].notes == ()
    with pytest.raises(UsageError, match="'FIRKI'") as caught:
        import_paths(made, paths(tmp_path, "a"), Terms(ImportHints(instrument="FIRKI")))
    assert caught.value.hint.endswith("What is new is named with its exchange: --instrument NSE:FIRKI.")


def test_absent_paths_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        import_paths(services({}), [tmp_path / "nowhere"])
    with pytest.raises(UsageError, match="no file to import"):
        import_paths(services({}), [tmp_path])


def test_lists_and_loads_by_what_people_type(tmp_path: Path) -> None:
    made = services({"a": imported(daily_bar(MONDAY, 1_0000))})
    import_paths(made, paths(tmp_path, "a"))
    (view,) = list_series(made.store, made.instruments, "reliance", DAY)
    assert (view.name, view.rows, view.sources) == ("NSE:RELIANCE", 1, ("test",))
    assert list_series(made.store, made.instruments, "", MINUTE) == []
    assert len(load_bars(made.store, RELIANCE, DAY, (None, MONDAY))) == 1


@pytest.mark.parametrize(
    ("span", "what"),
    [
        ((TradingDay(MONDAY + 1), MONDAY), "is empty"),
        ((TradingDay(MONDAY + 1), None), "Stored is 1d (raw) from 2021-06-07 to 2021-06-07"),
    ],
)
def test_an_empty_span_is_refused_with_what_there_is(
    tmp_path: Path, span: tuple[TradingDay | None, TradingDay | None], what: str
) -> None:
    made = services({"a": imported(daily_bar(MONDAY, 1_0000))})
    import_paths(made, paths(tmp_path, "a"))
    with pytest.raises(UsageError) as caught:
        load_bars(made.store, RELIANCE, DAY, span)
    assert what in str(caught.value)


def test_a_name_without_exchange_must_be_known(tmp_path: Path) -> None:
    made = services({"a": imported(daily_bar(MONDAY, 1_0000))})
    with pytest.raises(UsageError, match="relianse"):
        import_paths(made, paths(tmp_path, "a"), Terms(hints=ImportHints(instrument="relianse")))


def test_nothing_stored_at_all_names_the_next_step() -> None:
    with pytest.raises(UsageError) as caught:
        load_bars(MemoryBarStore(), share("X", "INE000X01010"), DAY, (None, None))
    assert "manjha data import" in caught.value.hint


def test_the_display_name_falls_back_to_the_id() -> None:
    store = MemoryBarStore()
    store.write(batch({RELIANCE: [daily_bar(MONDAY, 1_0000)]}, DAY), RAW)
    (view,) = list_series(store, MemoryInstruments())
    assert view.name == InstrumentId(RELIANCE.id)
