// Draws the charts of a backtest's report from the JSON beside it.
const T = { instrument: 0, side: 1, qty: 2, entry: 3, exit: 4, entryPx: 5, exitPx: 6, gross: 7, charges: 8, net: 9, mae: 10, mfe: 11, bars: 12, why: 13, tag: 14, open: 15 };
const nameOf = (id) => (Object.hasOwn(DATA.names, id) ? DATA.names[id] : id);

function drawEquity(c) {
  const e = DATA.equity, rupees = (list) => list.map((v) => v / 1e4);
  if (!e.ts.length) { draw("equity", {}, "The run has no bars."); return; }
  document.getElementById("equity-note").textContent = e.all === 1 ? "One bar." : e.ts.length < e.all
    ? `${e.all.toLocaleString("en-IN")} bars, drawn with ${e.ts.length.toLocaleString("en-IN")} points: of each stretch the highest, the lowest and the deepest. Drag the bar below to zoom.`
    : `All ${e.all.toLocaleString("en-IN")} bars. Drag the bar below to zoom.`;
  const names = Object.values(DATA.names);
  if (names.length > 1 && e.benchmark.length) document.getElementById("equity-note").textContent += ` Buy and hold is of ${names[0]}, the first of ${names.length}.`;
  const series = [
    { name: "Equity", type: "line", data: rupees(e.equity), showSymbol: e.all === 1, lineStyle: { width: 1.6 } },
    { name: "Drawdown", type: "line", data: e.drawdown, xAxisIndex: 1, yAxisIndex: 1, showSymbol: false, lineStyle: { width: 1, color: c.loss }, itemStyle: { color: c.loss }, areaStyle: { color: c.loss, opacity: 0.25 } },
  ];
  if (e.benchmark.length) series.push({ name: "Buy and hold", type: "line", data: rupees(e.benchmark), showSymbol: false, lineStyle: { width: 1.2, type: "dashed", color: c.soft }, itemStyle: { color: c.soft } });
  const days = e.ts.map((t) => ist(t));
  const x = (grid, show) => axis(c, { type: "category", gridIndex: grid, data: days, boundaryGap: false, axisLabel: { show, color: c.soft, hideOverlap: true, margin: 14, formatter: (v) => v.slice(0, 10) } });
  draw("equity", {
    ...base(c), legend: { top: 0, right: 8, textStyle: { color: c.text }, data: series.map((s) => s.name) },
    grid: [{ ...SIDES, top: 32, height: "50%" }, { ...SIDES, top: "68%", bottom: 56 }],
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    xAxis: [x(0, false), x(1, true)],
    yAxis: [valueAxis(c, { axisLabel: { color: c.soft, formatter: shortOver([...rupees(e.equity), ...rupees(e.benchmark)]) } }), valueAxis(c, { gridIndex: 1, max: 0, min: (v) => (v.min < 0 ? null : -1), axisLabel: { color: c.soft, formatter: (v) => `${v} %`.replace("-", "−") } })],
    dataZoom: zoomBar(c, [0, 1]),
    tooltip: { ...base(c).tooltip, formatter: (items) => [items[0].axisValue, ...items.map((i) => `${escapeHtml(i.seriesName)}: ${i.seriesName === "Drawdown" ? `${i.value.toFixed(2)} %` : money(Math.round(i.value * 1e4))}`)].join("<br>") },
    series,
  });
}

function drawRolling(c) {
  const r = DATA.rolling;
  if (!r.value.some((v) => v !== null)) { draw("rolling", {}, "Too few trading days."); return; }
  document.getElementById("rolling-note").textContent = `Annualised, of the last ${r.window} trading days, risk-free rate 0.`;
  draw("rolling", { ...base(c), grid: { ...base(c).grid, right: 48 }, xAxis: axis(c, { type: "category", data: r.day.map(dayText), boundaryGap: false }), yAxis: valueAxis(c), tooltip: { ...base(c).tooltip, valueFormatter: (v) => (v === null || v === undefined ? "–" : v.toFixed(2)) }, series: [{ name: "Sharpe", type: "line", data: r.value, showSymbol: false, markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: c.soft }, data: [{ yAxis: 0 }] } }] });
}
function drawHistogram(c) {
  const h = DATA.histogram, digits = Math.max(0, -Math.floor(Math.log10(h.step)));
  document.getElementById("histogram-note").textContent = `Number of trading days by return${h.still ? `, without the ${h.still.toLocaleString("en-IN")} that changed nothing` : ""}.`;
  if (!h.counts.length) { draw("histogram", {}, h.still ? "No day changed the equity." : "No trading day."); return; }
  const center = (i) => (h.first + i) * h.step, text = (v) => `${plain(v.toFixed(digits))} %`, edge = (v) => plain(v.toFixed(digits + 1));
  draw("histogram", {
    ...base(c), xAxis: axis(c, { type: "category", data: h.counts.map((_, i) => text(center(i))) }), yAxis: valueAxis(c, { minInterval: 1, scale: false, axisLabel: { color: c.soft, formatter: (v) => v.toLocaleString("en-IN") } }),
    tooltip: { ...base(c).tooltip, axisPointer: { type: "shadow" }, formatter: (items) => { const at = center(items[0].dataIndex); return `${edge(at - h.step / 2)} to ${edge(at + h.step / 2)} %<br>${items[0].data.value} days`; } },
    series: [{ type: "bar", barCategoryGap: "12%", data: h.counts.map((n, i) => ({ value: n, itemStyle: { color: [c.loss, c.soft, c.gain][Math.sign(h.first + i) + 1] } })) }],
  });
}
const scatter = (name, data, color, symbol) => ({ name, type: "scatter", data, symbol, symbolSize: 6, large: data.length > 4000, progressive: 0, itemStyle: { color, opacity: 0.75 } });
const tradeTip = (c) => ({ ...base(c).tooltip, trigger: "item", formatter: (i) => { const t = DATA.trips[i.value[2]]; return `Trade ${i.value[2] + 1}: ${escapeHtml(nameOf(t[T.instrument]))}<br>${ist(t[T.entry])} to ${ist(t[T.exit])}<br>net ${money(t[T.net])}`; } });
function drawTrades(c) {
  const all = DATA.trips.map((t, n) => [t[T.exit] * 1000 + 19800000, t[T.net] / 1e4, n]);
  draw("trades", { ...base(c), useUTC: true, tooltip: tradeTip(c), xAxis: axis(c, { type: "time" }), yAxis: valueAxis(c, { axisLabel: { color: c.soft, formatter: short } }), series: [scatter("Win", all.filter((p) => p[1] > 0), c.gain, "circle"), scatter("Loss", all.filter((p) => p[1] <= 0), c.loss, "diamond")] }, all.length ? "" : "No trade.");
}
function drawExcursions(c) {
  const of = (column) => DATA.trips.map((t, n) => [t[column] === null ? null : t[column] / 1e4, t[T.net] / 1e4, n]).filter((p) => p[0] !== null);
  const worst = of(T.mae), best = of(T.mfe);
  draw("excursions", { ...base(c), grid: { ...base(c).grid, top: 34 }, legend: { top: 0, right: 8, textStyle: { color: c.text } }, tooltip: tradeTip(c), xAxis: valueAxis(c, { ...FEW(), axisLabel: { color: c.soft, formatter: short, hideOverlap: true } }), yAxis: valueAxis(c, { axisLabel: { color: c.soft, formatter: short } }), series: [scatter("MAE", worst, c.loss, "diamond"), scatter("MFE", best, c.gain, "circle")] }, worst.length + best.length ? "" : "No trade with bars to measure it by.");
}
// `rows` are [name, money]; `text` shortens a name, and then every one of them is shown.
function drawBars(c, id, rows, { horizontal = false, text = null, empty }) {
  const labels = { color: c.soft, ...(text ? { interval: 0, formatter: text } : { hideOverlap: true }) };
  const category = axis(c, { type: "category", data: rows.map((r) => r[0]), inverse: horizontal, axisLabel: labels });
  const value = valueAxis(c, { scale: false, ...(horizontal ? FEW() : {}), axisLabel: { color: c.soft, formatter: short, hideOverlap: true } });
  draw(id, { ...base(c), xAxis: horizontal ? value : category, yAxis: horizontal ? category : value, tooltip: { ...base(c).tooltip, axisPointer: { type: "shadow" }, formatter: (items) => `${escapeHtml(rows[items[0].dataIndex][0])}: ${money(rows[items[0].dataIndex][1])}` }, series: [{ type: "bar", barMaxWidth: 34, data: rows.map((r) => ({ value: r[1] / 1e4, itemStyle: { color: horizontal ? c.accent : r[1] >= 0 ? c.gain : c.loss } })) }] }, rows.length ? "" : empty);
}

// Net profit under each slippage, from the worst order of prices within a bar to the best: a long bar is a doubtful result.
function drawBand(c) {
  const names = [...new Set(DATA.bands.map((b) => b.slippage))];
  const net = (order, name) => { const row = DATA.bands.find((b) => b.intrabar === order && b.slippage === name); return row ? row.net / 1e4 : null; };
  const rows = names.map((name) => [net("worst", name), net("best", name)]);
  const line = (params, api) => {
    const low = api.coord([api.value(0), api.value(1)]), high = api.coord([api.value(0), api.value(2)]);
    return { type: "line", shape: { x1: low[0], y1: low[1], x2: high[0], y2: high[1] }, style: { stroke: c.soft, lineWidth: 6, opacity: 0.45 } };
  };
  const dots = (name, at, symbol, color) => ({ name, type: "scatter", symbol, symbolSize: 11, itemStyle: { color }, data: rows.map((r) => r[at]) });
  draw("band-chart", {
    ...base(c), grid: { ...base(c).grid, top: 34 }, legend: { top: 0, right: 8, textStyle: { color: c.text }, data: ["Worst order", "Best order"] },
    xAxis: axis(c, { type: "category", data: names, axisLabel: { color: c.soft, interval: 0 } }), yAxis: valueAxis(c, { axisLabel: { color: c.soft, formatter: short } }),
    tooltip: { ...base(c).tooltip, axisPointer: { type: "shadow" }, formatter: (items) => { const [low, high] = rows[items[0].dataIndex]; return `Slippage ${escapeHtml(names[items[0].dataIndex])}<br>worst ${low === null ? "–" : money(Math.round(low * 1e4))}<br>best ${high === null ? "–" : money(Math.round(high * 1e4))}`; } },
    series: [
      { type: "custom", renderItem: line, data: rows.flatMap((r, i) => (r.includes(null) ? [] : [[i, ...r]])), encode: { x: 0, y: [1, 2] }, silent: true, tooltip: { show: false } },
      dots("Worst order", 0, "diamond", c.loss),
      { ...dots("Best order", 1, "circle", c.gain), markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: c.soft }, data: [{ yAxis: 0 }] } },
    ],
  });
}

function drawAll() {
  const c = colors();
  drawEquity(c);
  drawPrice(c);
  drawRolling(c);
  drawHistogram(c);
  drawTrades(c);
  drawExcursions(c);
  drawBars(c, "hours", DATA.groups["entry hour"], { empty: "No closed trade." });
  drawBars(c, "weekdays", DATA.groups["entry weekday"], { text: (day) => day.slice(0, 3), empty: "No closed trade." });
  drawBars(c, "charges", DATA.charges.filter((r) => r[1] !== 0).sort((a, b) => b[1] - a[1]), { horizontal: true, empty: "Nothing was charged." });
  drawBand(c);
  ROOT.dataset.charts = String(charts.size);
}
