"""NSE's closing report of indices."""

import pytest

from manjha.adapters.formats.registry import import_bytes
from manjha.domain.errors import DataError
from manjha.domain.moments import parse_day
from tests.fakes.history_replies import INDEX

DAY = "20-08-2026"
ROWS = (
    f"Nifty 50,{DAY},24225.45,24265.15,24184.55,24231.85,153.55,0.64,253928495,18777.61,20.48,2.94,1.17\n"
    f"Nifty Sugar & Ethanol,{DAY},-,-,-,2864.73,154.78,5.71,405949718,3965.22,28.98,2.59,.42\n"
    f"India VIX,{DAY},12.6875,12.835,11.77,12.16,-0.53,-4.16,-,-,-,-,-\n"
)


def test_indices_are_read_exactly_and_without_volume() -> None:
    read = import_bytes((INDEX + ROWS).encode(), "ind_close_all_20082026.csv")
    (batch,) = read.batches
    assert (read.format, read.day, read.bad_rows) == ("nse-indices", parse_day("2026-08-20"), 0)
    assert [one.id for one in batch.instruments] == ["NSE:#NIFTY 50", "NSE:#INDIA VIX"]
    assert list(batch.open) == [242254500, 126875]
    assert list(batch.volume) == [0, 0]


def test_a_closing_value_alone_is_left_out_and_said() -> None:
    read = import_bytes((INDEX + ROWS).encode(), "a.csv")
    assert read.notes == ("1 indices with a closing value only left out",)


@pytest.mark.parametrize(
    ("printed", "name"),
    [("S&P CNX Nifty", "NIFTY 50"), ("Nifty Financial  Services", "NIFTY FIN SERVICE"), ("Nifty Auto", "NIFTY AUTO")],
)
def test_long_and_former_names_are_the_ids_that_others_use(printed: str, name: str) -> None:
    row = f"{printed},15-01-2013,6037.85,6068.5,6018.6,6056.6,32.55,.54,1,1,1,1,1\n"
    read = import_bytes((INDEX + row).encode(), "a.csv")
    assert [one.symbol for one in read.instruments] == [name]


def test_a_report_of_closing_values_only_is_refused() -> None:
    with pytest.raises(DataError, match="no index has open"):
        import_bytes((INDEX + f"Nifty X,{DAY},-,-,-,1.5,1,1,1,1,1,1,1\n").encode(), "a.csv")
