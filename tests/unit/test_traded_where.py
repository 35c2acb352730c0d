"""An account is traded in one place: paper, a simulated exchange and Kite never share a journal."""

from itertools import permutations
from pathlib import Path

import pytest

from manjha.app.trading.traded_where import KITE, PAPER, SIMULATED_KITE, claim
from manjha.domain.errors import UsageError


@pytest.mark.parametrize(("first", "second"), list(permutations((PAPER, SIMULATED_KITE, KITE), 2)))
def test_the_first_place_keeps_the_account(tmp_path: Path, first: str, second: str) -> None:
    claim(tmp_path, first)
    claim(tmp_path, first)
    with pytest.raises(UsageError, match=f"is traded at {first} here, not at {second}"):
        claim(tmp_path, second)
    claim(tmp_path, first)


def test_a_journal_of_before_is_one_of_paper(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"")
    with pytest.raises(UsageError, match="is traded at paper"):
        claim(tmp_path, KITE)
    claim(tmp_path, PAPER)
