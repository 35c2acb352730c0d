"""Corporate actions from a table that a person wrote: all of it or nothing, and never without a word."""

from pathlib import Path

import pytest

from manjha.adapters.formats.registry import import_bytes
from manjha.app.bootstrap import action_file, data_services, instrument_book
from manjha.app.settings import load_settings
from manjha.domain.actions import ActionKind
from manjha.domain.errors import DataError
from manjha.domain.moments import parse_day
from manjha.services.data_jobs import import_paths

HEAD = "instrument,ex_day,kind,new_shares,old_shares,cash,known_day,source\n"
BONUS = "NSE:INFY,2018-09-04,bonus,2,1,,2018-07-13,exchange\n"
BARS = (
    "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,TOTALTRADES,ISIN\n"
    "INFY,EQ,1400,1420,1390,1410.55,1410,1395,2000,2821100,07-JUN-2021,200,INE009A01021\n"
)


def test_an_action_is_read_as_written() -> None:
    found = import_bytes((HEAD + BONUS).encode(), "actions.csv")
    assert found.format == "corporate-actions"
    (bonus,) = found.actions
    assert (bonus.instrument, bonus.kind, bonus.new_shares, bonus.old_shares) == ("NSE:INFY", ActionKind.BONUS, 2, 1)
    assert (bonus.ex_day, bonus.known_day) == (parse_day("2018-09-04"), parse_day("2018-07-13"))


def test_cash_is_in_rupees_a_share() -> None:
    found = import_bytes((HEAD + "NSE:ITC,2020-07-06,Dividend,,,10.15,,\n").encode(), "actions.csv")
    assert found.actions[0].cash == 101_500


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("NSE:INFY,2018-09-04,bnus,2,1,,,", "'bnus'"),
        ("NSE:INFY,04/09/18,bonus,2,1,,,", "04/09/18"),
        ("NSE:INFY,2018-09-04,bonus,,,,,", "1 for 1"),
        ("NSE:INFY,2018-09-04,split,2.5,1,,,", "'2.5'"),
        ("NSE:INFY,2018-09-04,split,99999999999999999999,1,,,", "from 1 to 1,000,000"),
        ("NSE:INFY,2018-09-04,dividend,,,,,", "amount of cash"),
        ("NSE:INFY,2018-09-04,dividend,,,5,2018-09-05,", "on or before the ex_day 2018-09-04, was 2018-09-05"),
        (",2018-09-04,dividend,,,5,,", "expected an instrument"),
    ],
)
def test_a_row_that_cannot_be_understood_refuses_the_file(row: str, said: str) -> None:
    with pytest.raises(DataError, match="row 2") as told:
        import_bytes((HEAD + BONUS + row + "\n").encode(), "actions.csv")
    assert said in told.value.message


def test_an_action_is_stored_under_the_id_of_its_instrument(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text(BARS)
    (tmp_path / "2.csv").write_text(HEAD + BONUS)
    summary = import_paths(data_services(load_settings()), [tmp_path / "1.csv", tmp_path / "2.csv"])
    assert [report.outcome for report in summary.files] == ["added", "added"]
    known = instrument_book(load_settings()).find("NSE:INFY").id
    assert known == "NSE:INE009A01021"
    assert len(action_file(load_settings()).actions(known)) == 1


def test_an_action_of_an_unknown_instrument_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text(BARS)
    (tmp_path / "2.csv").write_text(HEAD + BONUS.replace("INFY", "INFYY"))
    summary = import_paths(data_services(load_settings()), [tmp_path / "1.csv", tmp_path / "2.csv"])
    problem = summary.files[1].problem
    assert problem is not None
    assert "Did you mean NSE:INFY" in problem.hint
    assert action_file(load_settings()).all() == []
