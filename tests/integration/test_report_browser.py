"""The report in a real browser: it draws without an error, and nothing that it writes is cut off or covered."""

import re
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
from tests.fakes.browser import DESKTOP, NEEDED, PHONE, seen_in
from tests.fakes.results import bars_of, curve_of, fill, market_result, result_of, share, trading_days
from tests.fakes.results import close_of as close_of_day

pytestmark = NEEDED
EVIL = "</script><script>boom()</script><img src=x onerror=boom()>"


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
    return seen_in(page, theme=theme, width=width, extra=extra)


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
