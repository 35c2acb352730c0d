"""The table of failures is the one that the tests make, and names nothing that is not in the catalogue."""

from tests.failures.catalogue import FAILURES, LATER
from tests.failures.table import PAGE, marked, page


def test_the_page_is_the_one_that_the_tests_make() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run: python -m tests.failures.table"


def test_markers_name_failures_of_the_catalogue() -> None:
    assert set(marked()) <= set(FAILURES)
    assert not set(marked()) & set(LATER)
    assert len(FAILURES) == 76
