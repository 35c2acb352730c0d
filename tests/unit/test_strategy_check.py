"""Each fault of a declaration is said in words."""

import pytest

from manjha.strategy.check import check_declaration
from manjha.strategy.interface import Strategy
from manjha.strategy.library.sma_cross import SmaCross
from manjha.strategy.params import param


class Sound(Strategy):
    """Do nothing, in good form."""

    length: int = param(5, low=2, high=9, help="bars")
    kind: str = param("a", choices=("a", "b"), help="a or b")
    loud: bool = param(False, help="say so")

    def on_bar(self, ctx):  # type: ignore[no-untyped-def]
        """Do nothing."""


def test_a_sound_declaration_has_no_fault() -> None:
    assert check_declaration(Sound) == []
    assert check_declaration(SmaCross) == []


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"__doc__": ""}, "has no docstring"),
        ({"name": "My Strategy"}, "small letters"),
        ({"instruments_min": 3, "instruments_max": 2}, "3 to 2 instruments"),
        ({"length": param(5, low=2, high=9)}, "length has no help"),
        ({"length": param(5, low=2, help="bars")}, "length has no range"),
        ({"length": param(50, low=2, high=9, help="bars")}, "default outside its range: 50 of 2 to 9"),
        ({"kind": param("c", choices=("a", "b"), help="a or b")}, "none of its choices: 'c'"),
        ({"on_bar": Strategy.on_bar}, "never trades"),
        ({"targets": lambda self, history: history.column("close")}, "both targets and on_bar"),
    ],
)
def test_a_fault_is_told(faults: dict[str, object], said: str) -> None:
    found = type("Faulty", (Sound,), {"__doc__": "A fault."} | faults)
    problems = check_declaration(found)
    assert len(problems) == 1
    assert said in problems[0]
