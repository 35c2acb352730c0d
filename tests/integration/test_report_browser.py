"""The report in a real browser: it draws without an error, and nothing that it writes is cut off or covered."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manjha.domain.money import RUPEE
from manjha.domain.orders import Purpose
from manjha.research.metrics.analysis import Band, analyse, band_of
from manjha.research.report import write_report
from manjha.research.result import BacktestResult
from tests.fakes.results import bars_of, curve_of, fill, market_result, result_of, share, trading_days
from tests.fakes.results import close_of as close_of_day

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")]
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--virtual-time-budget=8000", "--dump-dom"),
)
DESKTOP, PHONE = 1440, 390
EVIL = "</script><script>boom()</script><img src=x onerror=boom()>"
# The page is measured from within a frame, because a window of Chromium is never as narrow as a phone.
FRAME = """<!doctype html><iframe style="border:0;width:{width}px;height:900px" src="{page}#{theme}"></iframe>
<pre id="found"></pre><script>
addEventListener("message", (event) => {{ document.getElementById("found").textContent = event.data; }});
</script>"""
MEASURE = """<script>
// Every text that a chart draws, with its box in the chart's pixels.
function texts(chart) {
  return chart.getZr().storage.getDisplayList(true).filter((el) => el.type === "tspan" && !el.invisible).map((el) => {
    const box = el.getBoundingRect().clone(), way = el.getComputedTransform();
    if (way) box.applyTransform(way);
    return { text: el.style.text, x: box.x, y: box.y, width: box.width, height: box.height };
  });
}
const apart = (a, b) => a.x + a.width <= b.x + 1 || b.x + b.width <= a.x + 1
  || a.y + a.height <= b.y + 3 || b.y + b.height <= a.y + 3;
function measured() {
  const cut = [], covered = [], labels = {};
  charts.forEach((chart, id) => {
    const found = texts(chart), width = chart.getWidth(), height = chart.getHeight();
    labels[id] = found.map((t) => t.text);
    found.filter((t) => t.x < -1 || t.y < -1 || t.x + t.width > width + 1 || t.y + t.height > height + 1)
      .forEach((t) => cut.push(`${id}: ${t.text}`));
    found.forEach((a, i) => found.slice(i + 1).filter((b) => !apart(a, b))
      .forEach((b) => covered.push(`${id}: ${a.text} / ${b.text}`)));
  });
  const root = document.documentElement;
  const empty = Object.fromEntries([...document.querySelectorAll(".chart.empty")].map((e) => [e.id, e.textContent]));
  return { ...root.dataset, width: innerWidth, wide: root.scrollWidth, cut, covered, labels, empty,
    canvases: document.querySelectorAll("canvas").length, text: document.body.innerText,
    images: document.querySelectorAll("img").length, more: extra() };
}
addEventListener("load", () => parent.postMessage(JSON.stringify(measured()), "*"));
</script>"""


def opened(
    result: BacktestResult,
    folder: Path,
    *,
    bands: Sequence[Band] = (),
    theme: str = "light",
    width: int = DESKTOP,
    extra: str = "null",
) -> dict[str, Any]:
    """Open a report in a frame of `width` and return what was measured in it; `extra` is a JavaScript expression."""
    page = write_report(analyse(result), folder / "report.html", bands)
    script = f"{MEASURE}<script>function extra() {{ return {extra}; }}</script>"
    page.write_text(page.read_text("utf-8") + script, "utf-8")
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(width=width, page=page.name, theme=theme), "utf-8")
    command = [str(BROWSER), f"--user-data-dir={folder / 'profile'}", "--window-size=1500,1000", *FLAGS]
    done = subprocess.run([*command, f"file://{frame}"], check=True, capture_output=True, timeout=120)
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout.decode("utf-8"), re.DOTALL)
    assert found
    assert found[1]
    unescaped = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u00a0").replace("&amp;", "&")
    return dict(json.loads(unescaped))


def band_rows(result: BacktestResult) -> list[Band]:
    base = band_of(analyse(result), label="", intrabar="worst", slippage="1 tick", is_reported=True)
    ladder = [(path, name) for path in ("worst", "best") for name in ("none", "1 tick", "2 bps", "5 bps", "10 bps")]
    return [
        msgspec.structs.replace(
            base,
            label=f"{path} case, slippage {name}",
            intrabar=path,
            slippage=name,
            net=(at % 5 * -30_000 + (path == "best") * 50_000) * RUPEE,
            is_reported=at == 1,
        )
        for at, (path, name) in enumerate(ladder)
    ]


MARKET = market_result(days=60)
DAY = trading_days(1)[0]
CLOSES = [close_of_day(DAY) - at * 300_000_000_000 for at in reversed(range(40))]
QUIET = bars_of("NSE:A", [ts - 300_000_000_000 for ts in CLOSES], [(100.0, 101.0, 99.0, 100.5)] * 40)
ONE_BAR = bars_of("NSE:A", [CLOSES[0] - 300_000_000_000], [(100.0, 101.0, 99.0, 100.5)])
CAPITAL = 100_000 * RUPEE


def small_runs() -> dict[str, BacktestResult]:
    traded = [fill(1, 1, 10, 100.0, CLOSES[3]), fill(2, -1, 10, 101.0, CLOSES[9])]
    rising = curve_of(CLOSES, [CAPITAL] * 10 + [CAPITAL + 10 * RUPEE] * 30)
    item = [share("A")]
    return {
        "nothing at all": result_of(curve=curve_of([], [])),
        "one bar": result_of(curve=curve_of(CLOSES[:1], [CAPITAL]), bars=[ONE_BAR], instruments=item),
        "no trade": result_of(curve=curve_of(CLOSES, [CAPITAL] * 40), bars=[QUIET], instruments=item),
        "one trade": result_of(traded, curve=rising, bars=[QUIET], instruments=item, marks={"NSE:A": 100.5}),
        "two instruments": two_instruments(),
        "a loss of nearly all": market_result(seed=3, days=400),
    }


def two_instruments() -> BacktestResult:
    other = market_result(seed=8, days=60, symbol="BETA")
    fills = sorted((*MARKET.fills, *other.fills), key=lambda row: row.ts_ns)
    curve = msgspec.structs.replace(MARKET.curve, equity=MARKET.curve.equity + other.curve.equity - CAPITAL)
    return msgspec.structs.replace(
        result_of(fills, curve=curve, marks=dict.fromkeys(("NSE:ALPHA", "NSE:BETA"), 1_500.0)),
        instruments=(*MARKET.instruments, *other.instruments),
        bars=(*MARKET.bars, *other.bars),
    )


@pytest.mark.parametrize(("theme", "width"), [("dark", DESKTOP), ("light", PHONE)])
def test_every_chart_is_drawn_and_no_text_is_cut_or_covered(theme: str, width: int, tmp_path: Path) -> None:
    seen = opened(MARKET, tmp_path, bands=band_rows(MARKET), theme=theme, width=width)
    assert (seen["theme"], seen["errors"], seen["ready"], seen["charts"]) == (theme, "0", "yes", "10")
    assert seen["canvases"] == 10
    assert (seen["width"], seen["wide"]) == (width, width)
    assert (seen["cut"], seen["covered"]) == ([], [])
    assert {"Mon", "Tue", "Wed", "Thu", "Fri"} <= set(seen["labels"]["weekdays"])
    assert {"none", "1 tick", "2 bps", "5 bps", "10 bps"} <= set(seen["labels"]["band-chart"])


@pytest.mark.parametrize("case", list(small_runs()))
def test_any_run_has_a_page_that_can_be_read_on_a_phone(case: str, tmp_path: Path) -> None:
    seen = opened(small_runs()[case], tmp_path, width=PHONE)
    assert seen["errors"] == "0"
    assert seen["wide"] == PHONE
    assert (seen["cut"], seen["covered"]) == ([], [])
    assert all(len(set(found)) == len(found) for found in (axis_money(seen, "equity"), axis_money(seen, "charges")))


def axis_money(seen: dict[str, Any], chart: str) -> list[str]:
    return [text for text in seen["labels"].get(chart, []) if "₹" in text]


def test_a_chart_without_data_is_a_sentence(tmp_path: Path) -> None:
    empty = opened(small_runs()["no trade"], tmp_path)["empty"]
    assert set(empty) == {"rolling", "histogram", "trades", "excursions", "hours", "weekdays", "charges"}
    assert all(text.endswith(".") for text in empty.values())


def test_returns_about_zero_are_neither_gain_nor_loss(tmp_path: Path) -> None:
    drawn = 'charts.get("histogram").getOption()'
    extra = (
        f"({{names: {drawn}.xAxis[0].data, bars: {drawn}.series[0].data.map((b) => b.itemStyle.color), c: colors()}})"
    )
    found = opened(MARKET, tmp_path, extra=extra)["more"]
    kinds = {"−": found["c"]["loss"], "0": found["c"]["soft"]}
    for name, color in zip(found["names"], found["bars"], strict=True):
        key = "0" if not float(re.sub("[−% ]", "", name)) else name[0]
        assert color == (kinds[key] if key in kinds and (key == "−" or not float(name[:-2])) else found["c"]["gain"])
    assert found["c"]["soft"] in found["bars"]


def test_arrows_hide_the_price_only_where_there_is_room_for_them(tmp_path: Path) -> None:
    count = 'charts.get("price").getOption().series.map((s) => s.data.length)'
    zoom = 'charts.get("price").dispatchAction({type: "dataZoom", start: 98, end: 100})'
    note = "marks(VIEWS[0], 0, 1e6).buy[0].note()"
    extra = f"(() => {{ const whole = {count}; {zoom}; return [whole, {count}, {note}]; }})()"
    whole, near, told = opened(market_result(days=400), tmp_path, extra=extra)["more"]
    assert re.match(r"Trade 1, \S+.* 50 at [\d,.]+<br>2025-01-06 \d\d:\d\d<br>net −?₹[\d,.]+$", told)
    assert whole[2:4] == [0, 0]
    assert min(whole[4:6]) > 100
    assert min(near[2:6]) > 0
    assert near[2] + near[3] < 100


def test_a_close_look_at_a_trade_shows_its_line_and_its_stop(tmp_path: Path) -> None:
    stops = tuple(
        msgspec.structs.replace(row, order=msgspec.structs.replace(row.order, trigger=row.average_px))
        if row.order.purpose is Purpose.STOP
        else row
        for row in MARKET.orders
    )
    drawn = '(look(DATA.price.length + at), charts.get("price").getOption().series[0].markLine.data.length)'
    extra = f"DATA.windows.map((w, at) => [DATA.trips[w.trip][T.why], {drawn}])"
    lines = opened(msgspec.structs.replace(MARKET, orders=stops), tmp_path, extra=extra)["more"]
    assert {count for why, count in lines if why == "stop"} == {2}
    assert {count for why, count in lines if why != "stop"} == {1}


def test_the_benchmark_of_several_instruments_is_named(tmp_path: Path) -> None:
    said = "Buy and hold is of NSE:ALPHA, the first of 2."
    several = msgspec.structs.replace(MARKET, instruments=(*MARKET.instruments, share("BETA")))
    assert said in opened(several, tmp_path)["text"]
    assert "Buy and hold is of" not in opened(MARKET, tmp_path)["text"]


def test_long_tables_are_paged(tmp_path: Path) -> None:
    assert "1 to 50 of" in opened(MARKET, tmp_path)["text"]


def test_what_strategies_and_symbols_are_called_stays_text(tmp_path: Path) -> None:
    result = msgspec.structs.replace(
        market_result(days=60, symbol=EVIL), strategy=EVIL, warnings=(EVIL,), parameters=((EVIL, EVIL),)
    )
    bands = [msgspec.structs.replace(row, slippage=EVIL) for row in band_rows(result)]
    tips = 'charts.forEach((chart) => chart.dispatchAction({type: "showTip", seriesIndex: 0, dataIndex: 0}))'
    seen = opened(result, tmp_path, bands=bands, extra=f"({tips}, typeof boom)")
    assert (seen["errors"], seen["images"], seen["more"]) == ("0", 0, "undefined")
    assert EVIL in seen["text"]
