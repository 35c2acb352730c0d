"""The report as a file: complete, safe, alone."""

import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from manjha.domain.money import RUPEE
from manjha.research.metrics.analysis import Band, analyse, band_of
from manjha.research.report import format_summary, write_report
from manjha.research.report.page import lesson, packed, render
from manjha.research.report.payload import histogram, payload
from manjha.research.report.shell import ECHARTS, embedded
from manjha.services.trial_records import Counted
from tests.fakes.results import curve_of, market_result, result_of

ANALYSIS = analyse(market_result(days=60))
PAGE = render(ANALYSIS)
EVIL = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


class Elements(HTMLParser):
    """Collects start tags, outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_echarts_is_the_published_file() -> None:
    # SHA-256 of dist/echarts.min.js in the npm package echarts 6.1.0.
    published = "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0"
    assert hashlib.sha256(gzip.decompress(ECHARTS.read_bytes())).hexdigest() == published


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("echarts-LICENSE", "Apache License"),
        ("echarts-NOTICE", "Apache Software Foundation"),
        ("zrender-LICENSE", "BSD 3-Clause"),
        ("d3-LICENSE", "Mike Bostock"),
    ],
)
def test_vendored_code_comes_with_its_licences(name: str, words: str) -> None:
    assert words in (ECHARTS.parent / name).read_text("utf-8")


def test_the_page_loads_nothing() -> None:
    page = Elements(PAGE)
    assert not page.named("link", "iframe", "img", "object", "embed")
    assert all("src" not in attributes for attributes in page.named("script"))
    assert all((attributes["href"] or "").startswith("#") for attributes in page.named("a"))
    policy = next(attributes for attributes in page.named("meta") if "http-equiv" in attributes)
    assert (policy["content"] or "").startswith("default-src 'none'")


def test_the_page_says_that_it_is_simulated() -> None:
    assert "<strong>Simulated.</strong>" in PAGE


def test_the_page_has_every_part() -> None:
    page = Elements(PAGE)
    ids = {attributes.get("id") for _, attributes in page.tags}
    charts = {"equity", "price", "rolling", "histogram", "trades", "excursions", "hours", "weekdays", "charges"}
    assert charts | {"trips-table", "orders-table", "refusals-table", "band", "metrics", "assumptions"} <= ids
    assert len(page.named("table")) == len(page.named("caption"))
    assert [tag for tag, _ in page.tags].count("h1") == 1


def test_charts_are_named_for_those_who_do_not_see_them() -> None:
    page = Elements(PAGE)
    ids = {attributes.get("id") for _, attributes in page.tags}
    charts = [attributes for attributes in page.named("div") if "chart" in (attributes.get("class") or "").split()]
    assert len(charts) == 9
    assert all(chart["role"] == "img" and chart["aria-labelledby"] in ids for chart in charts)


def test_money_is_grouped_the_indian_way() -> None:
    assert "₹1,00,000.00" in PAGE


def test_names_cannot_inject() -> None:
    result = market_result(days=10, symbol=EVIL)
    evil = msgspec.structs.replace(
        result,
        **{"strategy": EVIL, "warnings": (EVIL,), "assumptions": ((EVIL, EVIL),), "parameters": ((EVIL, EVIL),)},
        orders=tuple(msgspec.structs.replace(record, reason=EVIL) for record in result.orders),
    )
    page = Elements(render(analyse(evil)))
    assert len(page.named("script")) == len(Elements(PAGE).named("script"))
    assert not page.named("img")


def test_names_arrive_whole_in_the_data() -> None:
    data = data_of(render(analyse(market_result(days=10, symbol=EVIL))))
    assert list(data["names"].values()) == [f"NSE:{EVIL}"]


def test_embedded_json_cannot_close_its_element() -> None:
    text = embedded([EVIL, "a & b", "\u2028"])
    assert not re.search("[<>&\u2028]", text)
    assert json.loads(text) == [EVIL, "a & b", "\u2028"]


def test_embedded_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        embedded([float("nan")])


def test_the_data_holds_every_trade_exactly() -> None:
    trades = data_of(PAGE)["trips"]
    closed = ANALYSIS.run.trips.closed
    assert [trade[9] for trade in trades] == [trip.net for trip in closed]
    assert sum(trade[9] for trade in trades) == ANALYSIS.result.final - ANALYSIS.result.initial


def test_only_the_newest_are_listed_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("manjha.research.report.payload.TRIPS_MAX", 10)
    monkeypatch.setattr("manjha.research.report.payload.ORDERS_MAX", 15)
    data = payload(ANALYSIS)
    assert (len(data["trips"]), len(data["orders"])) == (10, 15)
    page = render(ANALYSIS)
    assert f"The newest 10 of {len(ANALYSIS.run.trips.closed)};" in page
    assert f"The newest 15 of {len(ANALYSIS.result.orders)} orders;" in page


def test_the_uncertainty_table_shows_the_rows_given() -> None:
    reported = band_of(ANALYSIS, label="as run", intrabar="worst", slippage="2 bps", is_reported=True)
    other = msgspec.structs.replace(reported, label="twice the slippage", net=-5 * RUPEE, is_reported=False)
    page = render(ANALYSIS, [reported, other])
    assert '<tr class="reported"><th scope="row" class="t">as run</th>' in page
    assert "twice the slippage" in page
    assert "Not computed for this run" in PAGE


def bands_of(worst: int, best: int) -> list[Band]:
    """Two slippages, each with the worst and the best order within a bar; reported is the worst at one tick."""
    base = band_of(ANALYSIS, label="", intrabar="worst", slippage="1 tick", is_reported=True)
    other = msgspec.structs.replace(base, intrabar="best", net=best * RUPEE, is_reported=False)
    wide = msgspec.structs.replace(other, slippage="10 bps", net=-9_999 * RUPEE)
    return [msgspec.structs.replace(base, net=worst * RUPEE), wide, other]


@pytest.mark.parametrize(
    ("worst", "best", "said"),
    [
        (-300, 500, "moves the net profit by ₹800.00, from a loss to a profit"),
        (100, 500, "moves the net profit by ₹400.00: from ₹100.00 to ₹500.00"),
        (-70, -70, "made no difference"),
    ],
)
def test_the_uncertainty_is_said_in_a_sentence(worst: int, best: int, said: str) -> None:
    assert said in lesson(bands_of(worst, best))
    assert lesson(bands_of(worst, best)) in render(ANALYSIS, bands_of(worst, best))


def test_one_order_within_a_bar_alone_teaches_nothing() -> None:
    assert lesson(bands_of(1, 2)[:2]) == lesson([]) == ""


def test_the_chart_of_the_uncertainty_has_the_rows_of_the_table() -> None:
    rows = data_of(render(ANALYSIS, bands_of(-300, 500)))["bands"]
    assert [(row["intrabar"], row["slippage"], row["net"]) for row in rows] == [
        ("worst", "1 tick", -300 * RUPEE),
        ("best", "10 bps", -9_999 * RUPEE),
        ("best", "1 tick", 500 * RUPEE),
    ]


def test_columns_are_of_about_one_height_and_keep_the_order() -> None:
    heights = [13, 23, 12, 12, 14, 14, 38, 18, 9]
    columns = packed(range(9), heights, 3)
    tall = [sum(heights[row] for row in column) for column in columns]
    assert sorted(row for column in columns for row in column) == list(range(9))
    assert columns == sorted(sorted(column) for column in columns)
    assert max(tall) - min(tall) < min(heights)
    assert packed("a", [4], 3) == [["a"]]
    assert packed((), (), 2) == []


@pytest.mark.parametrize(
    ("returns", "step", "first", "counts", "still"),
    [
        ([-0.011, -0.0009, 0.0008, 0.0, 0.0, 0.012, 0.019], 1.0, -1, [1, 2, 1, 1], 2),
        ([0.0, 0.0], 1.0, 0, [], 2),
        ([0.004, 0.004], 0.1, 4, [2], 0),
        ([0.004, 0.004 + 1e-17], 0.1, 4, [2], 0),
        ([-0.02, -0.01, 0.01, 0.02] * 30, 0.2, -10, [30, *[0] * 4, 30, *[0] * 9, 30, *[0] * 4, 30], 0),
        ([], 1.0, 0, [], 0),
    ],
)
def test_the_bins_of_returns_are_round_and_one_is_about_zero(
    returns: list[float], step: float, first: int, counts: list[int], still: int
) -> None:
    assert histogram(np.array(returns)) == {"first": first, "step": step, "counts": counts, "still": still}


def test_lines_of_the_bill_are_called_what_a_contract_note_calls_them() -> None:
    names = [name for name, _ in data_of(PAGE)["charges"]]
    assert {"Brokerage", "STT / CTT", "GST", "SEBI fee"} <= set(names)
    assert all(f'<th scope="row">{name}</th>' in PAGE for name in names)


def test_a_run_without_anything_still_has_a_page() -> None:
    page = render(analyse(result_of(curve=curve_of([], []))))
    assert "The run kept no bars to draw." in page
    assert data_of(page)["trips"] == []


def test_the_same_run_gives_the_same_page() -> None:
    assert render(analyse(market_result(days=60))) == PAGE


def test_the_page_says_how_many_were_tried_where_that_is_known() -> None:
    said = "One of 1,200 variants of ema_cross tried on NSE:ALPHA so far."
    page = render(ANALYSIS, trials=Counted("ema_cross", "NSE:ALPHA", 1200).sentence)
    assert said in page
    assert Counted("ema_cross", "NSE:ALPHA", 1).sentence == "The only variant of ema_cross tried on NSE:ALPHA so far."
    assert 'id="trials-tried"' not in PAGE


def test_the_file_appears_whole(tmp_path: Path) -> None:
    path = write_report(ANALYSIS, tmp_path / "new" / "report.html")
    assert path.read_text("utf-8") == PAGE
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_the_summary_is_aligned_and_short() -> None:
    lines = format_summary(ANALYSIS).splitlines()
    figures = [line for line in lines[2:] if line and not line.startswith(("warning", "refused by risk"))]
    assert len(figures) == 25
    assert len({len(line) for line in figures}) == 1
    assert lines[0] == "ema_cross on NSE:ALPHA, 2025-01-06 to 2025-03-28 (simulated)"


def test_the_summary_names_why_risk_refused() -> None:
    refused = ANALYSIS.result.refusals
    assert len(refused) > 0
    for reason in {refusal.reason for refusal in refused}:
        count = sum(refusal.reason is reason for refusal in refused)
        assert f"refused by risk: {reason} ({count})" in format_summary(ANALYSIS)


def test_the_summary_ends_with_warnings() -> None:
    assert format_summary(ANALYSIS.result).endswith("warning: 2 bars have no volume: the first 2025-03-04 11:20\n")
