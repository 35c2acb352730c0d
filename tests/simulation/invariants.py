"""The thirty invariants of RELIABILITY section 4 and where each is checked; `python -m tests.simulation.invariants`
writes the table of `docs/invariants.md`. What the simulation checks is read off its code, so that the table stays true.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "invariants.md"
BEGIN, END = "<!-- made from the tests -->", "<!-- end -->"
INVARIANTS: dict[str, str] = {
    "01": "the broker has at most one order of each intent",
    "02": "every order at the broker under a tag of ours was written down before",
    "03": "what is booked of an order is what the broker filled, never more than was ordered",
    "04": "positions of all books together are the broker's, or the instrument is frozen",
    "05": "a tag is used once, and is well formed",
    "06": "cash is what was there, less what was paid, to the paisa",
    "07": "no limit is exceeded by the worst case of what is held, open and unconfirmed",
    "08": "what is filled never becomes less, and what is over stays over",
    "09": "what is sent is on the tick, in whole lots, within the freeze quantity, and near the market",
    "10": "nothing is sent that the kill switch forbids",
    "11": "no window of the order rate holds more than its limit, across restarts",
    "12": "so many entries in a window, and none after one too many",
    "13": "what was refused is not sent again at once",
    "14": "our own orders do not meet each other",
    "15": "an order takes only the steps of its lifecycle, and ends as it did at the broker",
    "16": "what leaves is durable before its first byte",
    "17": "the journal has no gap, and alone gives the same state",
    "18": "nothing opens between a doubt and the next comparison with the broker",
    "19": "an order is written off only after 180 seconds and two trustworthy reads",
    "20": "what was written off is looked for to the end of the day, and adopted",
    "21": "what is called refused or unsent is not at the broker",
    "22": "what needs a stop has one, or is being closed",
    "23": "only who owns the account sends",
    "24": "no timer fires early, and time does not go back, whatever a clock says",
    "25": "every queue has a bound, and no order event is dropped",
    "26": "nothing opens on prices that are older than they may be",
    "27": "no number that is none, and no price that was kept out, reaches an order",
    "28": "an order keeps to the exchange's list of instruments as it is on the day",
    "29": "paper and live take the same way up to the exchange",
    "30": "no secret stands in a journal, a log or a message",
}
ELSEWHERE: dict[str, tuple[str, tuple[str, ...]]] = {
    "24": ("", ("failures/test_clock.py::test_a_clock_that_jumps_moves_no_timer_and_stops_what_opens",)),
    "27": (
        "",
        (
            "property/test_control_laws.py::test_no_law_is_broken",
            "unit/test_tick_gate.py::test_an_impossible_tick_is_kept_out_and_counted",
            "unit/test_strategy_orders.py::test_a_quantity_that_is_none_is_named",
        ),
    ),
    "28": (
        "",
        (
            "failures/test_instruments.py::test_what_is_held_keeps_its_name_and_is_frozen_where_the_list_says_another_thing",
        ),
    ),
    "29": (
        "the simulated world has one way to one exchange; two ways are compared in",
        (
            "parity/test_remote.py::test_as_fast_as_it_goes_it_trades_what_paper_trades",
            "parity/test_paper.py::test_where_nothing_had_to_be_put_right_it_is_the_backtest_over_its_ticks",
            "e2e/test_cli_trade.py::test_behind_a_gateway_it_trades_the_same_goes_on_and_replays_as_recorded",
        ),
    ),
    "30": (
        "the simulated world has no secret; those that there are stay where they belong by",
        (
            "contract/test_history_sources.py::test_no_secret_and_no_query_is_said",
            "integration/test_identity_tokens.py::test_a_copy_of_the_database_lets_nobody_in",
            "integration/test_notify.py::test_an_address_that_is_none_is_refused_at_the_start",
        ),
    ),
}
"""What is shown outside the simulation: why there, empty where it is shown besides; and by which tests."""


def simulated() -> dict[str, list[str]]:
    """Return the checkers of each invariant, as file and function, in the order of the files."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        for function in _functions(ast.parse(path.read_text(encoding="utf-8"))):
            if not path.name.startswith("test_"):
                for number in dict.fromkeys(_fails(function)):
                    found.setdefault(number, []).append(f"{path.name}::{function.name}")
    return found


def _functions(tree: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node)


def _fails(function: ast.AST) -> Iterator[str]:
    """Yield what a function fails by: `fail("07", ...)`, or words that begin with INV-07."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.fail" and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and str(first.value) in INVARIANTS:
                yield str(first.value)
        elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            words = str(node.values[0].value)
            if words[:4] == "INV-" and words[4:6] in INVARIANTS:
                yield words[4:6]


def table() -> str:
    """Return the table."""
    found = simulated()
    lines = ["| | what always holds | checked by |", "| --- | --- | --- |"]
    for number, what in INVARIANTS.items():
        shown = [f"`simulation/{name}`" for name in found.get(number, [])]
        why, tests = ELSEWHERE.get(number, ("", ()))
        shown += [why] if why else []
        shown += [f"`{name}`" for name in tests]
        lines.append(f"| `INV-{number}` | {what} | {'<br>'.join(shown)} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """Return the page with its table as it should be."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    count = f"{len(simulated())} of {len(INVARIANTS)} are checked in the simulated world."
    return f"{head}{BEGIN}\n\n{count}\n\n{table()}\n\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
