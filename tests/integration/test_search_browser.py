"""The pages of searches in a real browser: every picture is drawn, nothing is cut off or covered, nothing fails."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from manjha.app.research.search_tables import best_rows, search_page
from manjha.domain.money import Cash
from manjha.domain.trials import PICO, ReturnMoments, TrialOutcome, TrialStatus
from manjha.research.search.objective import parse_objective
from manjha.research.search_report import write_search_page
from manjha.services.searches import SearchReport, SearchRow
from manjha.strategy.params import Value
from tests.fakes.browser import DESKTOP, NEEDED, PHONE, seen_in
from tests.fakes.searched_home import Home

pytestmark = NEEDED
EVIL = "</script><script>boom()</script><img src=x onerror=boom()>"
Point = dict[str, Value]


def row_of(number: int, point: Point, values: tuple[float, ...]) -> SearchRow:
    moments = ReturnMoments(
        count=250,
        mean=PICO // 2000,
        deviation=PICO // 100,
        skewness=0,
        kurtosis=3 * PICO,
        sharpe=(number * 37 % 101 - 50) * PICO // 1000,
    )
    outcome = TrialOutcome(
        status=TrialStatus.OK,
        moments=moments,
        final=Cash(10**10),
        total_return=PICO // 50,
        max_drawdown=-PICO // 10,
        trades=number,
    )
    return SearchRow(point, values, outcome)


def report_of(points: list[Point], *objectives: str, name: str = "hills") -> SearchReport:
    def hill(number: int, point: Point) -> tuple[float, ...]:
        numbers = [float(v) for v in point.values() if not isinstance(v, str)]
        height = 2 - sum((v - 9) ** 2 for v in numbers[:2]) / 100
        return (height, -abs(height - 1) / 9 - number % 7 / 100)[: len(objectives)]

    rows = tuple(row_of(number, point, hill(number, point)) for number, point in enumerate(points))
    return SearchReport(
        study="hills",
        strategy=name,
        instruments="NSE:ALPHA",
        data_set="NSE:ALPHA 60m",
        objectives=tuple(parse_objective(text) for text in objectives),
        rows=rows,
        planned=len(rows),
        left_out=3,
        new_trials=len(rows),
        sharpes=(*(row.outcome.moments.sharpe for row in rows), *[None] * 40),
    )


def grid(*, words: bool = False) -> list[Point]:
    pairs = product(range(2, 20), range(5, 65, 5))
    points: list[Point] = [{"fast": a, "slow": b} for a, b in pairs if a < b]
    return [{**point, "mode": "ab"[number % 2]} for number, point in enumerate(points)] if words else points


SPARSE: list[Point] = [
    {"length": 2 + n * 17 % 47, "a_rather_long_name": round(n * 0.618 % 1 * 40 - 17, 4), "both": n % 3 == 0}
    for n in range(60)
]
CASES: dict[str, SearchReport] = {
    "a grid": report_of(grid(), "sharpe"),
    "three parameters": report_of(grid(words=True), "sharpe"),
    "few points, two objectives": report_of(SPARSE, "total_return", "max_drawdown"),
    "one parameter": report_of([{"fast": number} for number in range(2, 30)], "charges"),
    "two rows": report_of([{"fast": 2, "slow": 5}, {"fast": 3, "slow": 5}], "sharpe"),
}
DRAWN = {
    "a grid": {"heat", "surface", "parallel"},
    "three parameters": {"heat", "surface", "parallel"},
    "few points, two objectives": {"front", "heat", "surface", "parallel"},
    "one parameter": {"heat", "parallel"},
    "two rows": {"heat", "parallel"},
}


def opened(report: SearchReport, folder: Path, **how: Any) -> dict[str, Any]:
    page = write_search_page(search_page(report, best_rows(report, 10), "sweep"), folder / "search.html")
    return seen_in(page, **how)


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize(("theme", "width"), [("dark", DESKTOP), ("light", PHONE)])
def test_every_picture_is_drawn_and_nothing_is_cut_or_covered(
    case: str, theme: str, width: int, tmp_path: Path
) -> None:
    seen = opened(CASES[case], tmp_path, theme=theme, width=width)
    assert (seen["theme"], seen["errors"], seen["ready"]) == (theme, "0", "yes")
    assert set(seen["labels"]) == DRAWN[case]
    assert (seen["width"], seen["wide"]) == (width, width)
    assert seen["cut"] == []
    # Lines of parallel coordinates have their numbers upon the axes by nature; all else keeps apart.
    assert [one for one in seen["covered"] if not one.startswith("parallel")] == []
    assert f"of {CASES[case].trials} trials has a deflated Sharpe of" in seen["text"]


def test_the_surface_turns_and_is_of_stems_where_little_was_tried(tmp_path: Path) -> None:
    texts = '[texts(charts.get("surface")).map((t) => t.text), document.getElementById("surface-note").textContent]'
    extra = f'(() => {{ const one = {texts}; document.getElementById("turn").click(); return [one, {texts}]; }})()'
    first, second = opened(CASES["a grid"], tmp_path, extra=extra)["more"]
    assert set(first[0]) == {"2 ← fast → 19", "60 ← slow → 5"}
    assert set(second[0]) == {"19 ← fast → 2", "60 ← slow → 5"}
    assert "stem" not in first[1]
    sparse = opened(CASES["few points, two objectives"], tmp_path, extra=extra)["more"]
    assert "A stem is what was tried there" in sparse[0][1]


def test_other_parameters_can_be_chosen(tmp_path: Path) -> None:
    choose = (
        '(() => { const s = document.getElementById("heat-y"); s.value = "2"; s.dispatchEvent(new Event("change"));'
        'return [document.getElementById("heat-note").textContent, charts.get("heat").getOption().yAxis[0].data]; })()'
    )
    note, labels = opened(CASES["three parameters"], tmp_path, extra=choose)["more"]
    assert "the best over slow" in note
    assert labels == ["a", "b"]


def test_names_stay_text(tmp_path: Path) -> None:
    report = report_of([{EVIL: number, "mode": EVIL + "ab"[number % 2]} for number in range(12)], "sharpe", name=EVIL)
    # Parallel coordinates have no tips to show.
    tips = (
        '["heat", "surface"].forEach((id) => charts.get(id).dispatchAction('
        '{type: "showTip", seriesIndex: 0, dataIndex: 0}))'
    )
    seen = opened(report, tmp_path, extra=f"({tips}, typeof boom)")
    assert (seen["errors"], seen["images"], seen["more"]) == ("0", 0, "undefined")
    assert EVIL in seen["text"]


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_pages_of_validation_and_walk_forward_are_drawn_as_well(
    width: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path, monkeypatch, capsys)
    space = ("-p", "fast=2:6", "-p", "slow=5:20:5", "--constraint", "fast < slow", "-j", "1")
    home.search("sweep", "sma-cross", *space, "--study", "mine")
    assert home.run("validate", "--study", "mine", "--report", "validate.html") == 0
    home.search("walk-forward", "sma-cross", *space, "--windows", "3", "--report", "walk.html")
    drawn = {"validate": {"heat", "surface", "parallel", "fan"}, "walk": {"windows", "equity", "fan"}}
    for name, wanted in drawn.items():
        seen = seen_in(tmp_path / f"{name}.html", width=width)
        assert (seen["errors"], seen["ready"], seen["wide"]) == ("0", "yes", width)
        assert wanted <= set(seen["labels"])
        assert seen["cut"] == []
        assert [one for one in seen["covered"] if not one.startswith("parallel")] == []
