"use strict";
// Draws the charts of a report from the JSON beside it. Money arrives as integers of 1e-4 rupee, times as seconds UTC.
const DATA = JSON.parse(document.getElementById("data").textContent);
const ROOT = document.documentElement;
const T = { instrument: 0, side: 1, qty: 2, entry: 3, exit: 4, entryPx: 5, exitPx: 6, gross: 7, charges: 8, net: 9, mae: 10, mfe: 11, bars: 12, why: 13, tag: 14, open: 15 };
const MARKS_MAX = 1500;
const charts = new Map();
let errors = 0;
window.addEventListener("error", () => { ROOT.dataset.errors = String(++errors); });
ROOT.dataset.errors = "0";

const nameOf = (id) => (Object.hasOwn(DATA.names, id) ? DATA.names[id] : id);
const escapeHtml = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const pad = (n) => String(n).padStart(2, "0");
function grouped(digits) {
  const tail = digits.slice(-3), head = digits.slice(0, -3);
  return head ? head.replace(/\B(?=(\d{2})+$)/g, ",") + "," + tail : tail;
}
function money(e4) {
  const paise = Math.floor((Math.abs(e4) + 50) / 100);
  return `${e4 < 0 && paise ? "−" : ""}₹${grouped(String(Math.floor(paise / 100)))}.${pad(paise % 100)}`;
}
function price(e4) {
  const text = (e4 / 1e4).toFixed(4).replace(/0{1,2}$/, "");
  const [whole, part] = text.split(".");
  return `${grouped(whole)}.${part}`;
}
function short(rupees) {
  const size = Math.abs(rupees), sign = rupees < 0 ? "−" : "";
  if (size >= 1e7) return `${sign}₹${+(size / 1e7).toFixed(2)} cr`;
  if (size >= 1e5) return `${sign}₹${+(size / 1e5).toFixed(2)} lakh`;
  return `${sign}₹${grouped(String(Math.round(size)))}`;
}
function ist(seconds, clock = true) {
  const d = new Date((seconds + 19800) * 1000);
  const day = `${d.getUTCFullYear()}-${pad(d.getUTCMonth() + 1)}-${pad(d.getUTCDate())}`;
  return clock ? `${day} ${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}` : day;
}
const dayText = (day) => new Date(day * 86400000).toISOString().slice(0, 10);
const cssColor = (name) => getComputedStyle(ROOT).getPropertyValue(`--${name}`).trim();
function colors() {
  return Object.fromEntries(["bg", "panel", "text", "soft", "line", "accent", "gain", "loss"].map((n) => [n, cssColor(n)]));
}

function base(c) {
  return {
    animation: false, backgroundColor: "transparent", textStyle: { color: c.text, fontFamily: "system-ui, sans-serif", fontSize: 12 }, color: [c.accent, c.soft, c.loss],
    tooltip: { trigger: "axis", confine: true, backgroundColor: c.panel, borderColor: c.line, textStyle: { color: c.text, fontSize: 12 }, axisPointer: { lineStyle: { color: c.soft } } },
    grid: { left: 12, right: 16, top: 16, bottom: 8, containLabel: true },
  };
}
const axis = (c, more) => ({ axisLabel: { color: c.soft, hideOverlap: true }, axisLine: { lineStyle: { color: c.line } }, axisTick: { show: false }, splitLine: { show: false }, ...more });
const valueAxis = (c, more) => axis(c, { type: "value", scale: true, splitLine: { lineStyle: { color: c.line, opacity: 0.6 } }, ...more });
const zoomBar = (c, axes) => [
  { type: "inside", xAxisIndex: axes, zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false },
  { type: "slider", xAxisIndex: axes, bottom: 4, height: 22, borderColor: c.line, textStyle: { color: c.soft }, labelFormatter: "", brushSelect: false },
];

function draw(id, option) {
  const element = document.getElementById(id);
  if (!element) return null;
  if (charts.has(id)) charts.get(id).dispose();
  const chart = echarts.init(element, null, { renderer: "canvas" });
  charts.set(id, chart);
  chart.setOption(option);
  return chart;
}

function drawEquity(c) {
  const e = DATA.equity, rupees = (list) => list.map((v) => v / 1e4);
  document.getElementById("equity-note").textContent = e.ts.length < e.all
    ? `${e.all.toLocaleString("en-IN")} bars, drawn with ${e.ts.length.toLocaleString("en-IN")} points: of each stretch the highest, the lowest and the deepest. Drag the bar below to zoom.`
    : `All ${e.all.toLocaleString("en-IN")} bars. Drag the bar below to zoom.`;
  const series = [
    { name: "Equity", type: "line", data: rupees(e.equity), showSymbol: false, lineStyle: { width: 1.6 } },
    { name: "Drawdown", type: "line", data: e.drawdown, xAxisIndex: 1, yAxisIndex: 1, showSymbol: false, lineStyle: { width: 1, color: c.loss }, itemStyle: { color: c.loss }, areaStyle: { color: c.loss, opacity: 0.25 } },
  ];
  if (e.benchmark.length) series.push({ name: "Buy and hold", type: "line", data: rupees(e.benchmark), showSymbol: false, lineStyle: { width: 1.2, type: "dashed", color: c.soft }, itemStyle: { color: c.soft } });
  const days = e.ts.map((t) => ist(t));
  const x = (grid, show) => axis(c, { type: "category", gridIndex: grid, data: days, boundaryGap: false, axisLabel: { show, color: c.soft, hideOverlap: true, formatter: (v) => v.slice(0, 10) } });
  draw("equity", {
    ...base(c), legend: { top: 0, right: 8, textStyle: { color: c.text }, data: series.map((s) => s.name) },
    grid: [{ left: 76, right: 34, top: 32, height: "50%", outerBoundsMode: "none" }, { left: 76, right: 34, top: "68%", bottom: 56, outerBoundsMode: "none" }],
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    xAxis: [x(0, false), x(1, true)],
    yAxis: [valueAxis(c, { axisLabel: { color: c.soft, formatter: short } }), valueAxis(c, { gridIndex: 1, max: 0, axisLabel: { color: c.soft, formatter: (v) => `${v} %`.replace("-", "−") } })],
    dataZoom: zoomBar(c, [0, 1]),
    tooltip: { ...base(c).tooltip, formatter: (items) => [items[0].axisValue, ...items.map((i) => `${escapeHtml(i.seriesName)}: ${i.seriesName === "Drawdown" ? `${i.value.toFixed(2)} %` : money(Math.round(i.value * 1e4))}`)].join("<br>") },
    series,
  });
}

function views() {
  const whole = DATA.price.map((p, at) => ({ label: `${nameOf(p.instrument)}: whole run, ${p.step} candles`, candles: p, instrument: p.instrument, key: `price-${at}` }));
  const close = DATA.windows.map((w) => {
    const t = DATA.trips[w.trip];
    return { label: `Trade ${w.trip + 1}: ${nameOf(t[T.instrument])} ${ist(t[T.entry])}, ${money(t[T.net])} (${w.step})`, candles: w, instrument: t[T.instrument], key: `trade-${w.trip}` };
  });
  return [...whole, ...close];
}
let view = 0;
const VIEWS = views();

function rowOf(ts, seconds) {
  let low = 0, high = ts.length;
  while (low < high) { const mid = (low + high) >> 1; if (ts[mid] <= seconds) low = mid + 1; else high = mid; }
  return low - 1;
}

function marks(shown, from, to) {
  const ts = shown.candles.ts, start = ts[from], end = to + 1 < ts.length ? ts[to + 1] : shown.candles.until + 1;
  const found = { buy: [], sell: [] };
  let count = 0;
  DATA.trips.forEach((t, n) => {
    if (t[T.instrument] !== shown.instrument || t[T.exit] < start || t[T.entry] >= end) return;
    const add = (side, seconds, px, what) => {
      if (seconds < start || seconds >= end) return;
      count += 1;
      found[side > 0 ? "buy" : "sell"].push({ value: [rowOf(ts, seconds), px / 1e4], note: `Trade ${n + 1}, ${what} ${t[T.qty]} at ${price(px)}<br>${ist(seconds)}<br>net ${money(t[T.net])}` });
    };
    add(t[T.side], t[T.entry], t[T.entryPx], t[T.side] > 0 ? "bought" : "sold short");
    if (!t[T.open]) add(-t[T.side], t[T.exit], t[T.exitPx], `${escapeHtml(t[T.why])}: ${t[T.side] > 0 ? "sold" : "bought back"}`);
  });
  return { ...found, count };
}

function drawPrice(c) {
  if (!VIEWS.length) return;
  const shown = VIEWS[view], k = shown.candles, up = c.gain, down = c.loss;
  const daily = /[dw]$/.test(k.step);
  const labels = k.ts.map((t) => ist(t, !daily));
  const x = (grid, show) => axis(c, { type: "category", gridIndex: grid, data: labels, axisLabel: { show, color: c.soft, hideOverlap: true, formatter: (v) => (k.ts.length > 300 ? v.slice(0, 10) : v.slice(5)) } });
  const arrow = (name, color, rotate, offset) => ({ name, type: "scatter", symbol: "triangle", symbolRotate: rotate, symbolOffset: [0, offset], z: 5, itemStyle: { color, borderColor: c.bg, borderWidth: 0.5 }, data: [], tooltip: { trigger: "item", formatter: (i) => i.data.note } });
  const chart = draw("price", {
    ...base(c), legend: { top: 0, right: 8, textStyle: { color: c.text }, data: [{ name: "Buy", icon: "triangle" }, { name: "Sell", icon: "triangle" }] },
    grid: [{ left: 76, right: 34, top: 32, height: "56%", outerBoundsMode: "none" }, { left: 76, right: 34, top: "74%", bottom: 56, outerBoundsMode: "none" }],
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    xAxis: [x(0, false), x(1, true)],
    yAxis: [valueAxis(c, { axisLabel: { color: c.soft, formatter: (v) => grouped(String(Math.round(v))) } }), valueAxis(c, { gridIndex: 1, splitNumber: 2, axisLabel: { color: c.soft, formatter: (v) => (v >= 1e7 ? `${v / 1e7} cr` : v >= 1e5 ? `${v / 1e5} lakh` : v) } })],
    dataZoom: zoomBar(c, [0, 1]),
    tooltip: { ...base(c).tooltip, formatter: (items) => tip(items, k, labels) },
    series: [
      { name: "Price", type: "candlestick", data: k.ts.map((_, i) => [k.open[i] / 1e4, k.close[i] / 1e4, k.low[i] / 1e4, k.high[i] / 1e4]), itemStyle: { color: up, color0: down, borderColor: up, borderColor0: down }, large: false },
      { name: "Volume", type: "bar", xAxisIndex: 1, yAxisIndex: 1, data: k.volume, itemStyle: { color: c.line }, large: true },
      arrow("Buy", c.accent, 0, "70%"), arrow("Sell", c.text, 180, "-70%"),
    ],
  });
  const mark = () => {
    const zoom = chart.getOption().dataZoom[0], n = k.ts.length - 1;
    const found = marks(shown, Math.floor((zoom.start * n) / 100), Math.ceil((zoom.end * n) / 100));
    const many = found.count > MARKS_MAX, size = found.count > 300 ? 5 : found.count > 80 ? 8 : 12;
    chart.setOption({ series: [{ name: "Buy", data: many ? [] : found.buy, symbolSize: size }, { name: "Sell", data: many ? [] : found.sell, symbolSize: size }] });
    document.getElementById("price-note").textContent = `${k.ts.length.toLocaleString("en-IN")} candles of ${k.step}. ` + (many ? `${found.count.toLocaleString("en-IN")} entries and exits are in view: zoom in below ${MARKS_MAX.toLocaleString("en-IN")} to see them.` : `${found.count.toLocaleString("en-IN")} entries and exits in view.`);
  };
  chart.on("datazoom", mark);
  mark();
  document.getElementById("price-back").hidden = shown.key.startsWith("price-");
}
function tip(items, k, labels) {
  const i = items[0].dataIndex;
  return `${labels[i]}<br>open ${price(k.open[i])}, high ${price(k.high[i])}<br>low ${price(k.low[i])}, close ${price(k.close[i])}<br>volume ${k.volume[i].toLocaleString("en-IN")}`;
}

function drawRolling(c) {
  const r = DATA.rolling;
  document.getElementById("rolling-note").textContent = `Annualised, of the last ${r.window} trading days, risk-free rate 0.`;
  draw("rolling", { ...base(c), xAxis: axis(c, { type: "category", data: r.day.map(dayText), boundaryGap: false }), yAxis: valueAxis(c), tooltip: { ...base(c).tooltip, valueFormatter: (v) => (v === null || v === undefined ? "–" : v.toFixed(2)) }, series: [{ name: "Sharpe", type: "line", data: r.value, showSymbol: false, markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: c.soft }, data: [{ yAxis: 0 }] } }] });
}
function drawHistogram(c) {
  const h = DATA.histogram;
  draw("histogram", { ...base(c), xAxis: axis(c, { type: "category", data: h.counts.map((_, i) => `${((h.edges[i] + h.edges[i + 1]) / 2).toFixed(2)} %`) }), yAxis: valueAxis(c, { minInterval: 1 }), tooltip: { ...base(c).tooltip, formatter: (items) => `${h.edges[items[0].dataIndex].toFixed(2)} to ${h.edges[items[0].dataIndex + 1].toFixed(2)} %<br>${items[0].data.value} days` }, series: [{ type: "bar", barCategoryGap: "12%", data: h.counts.map((n, i) => ({ value: n, itemStyle: { color: h.edges[i] + h.edges[i + 1] >= 0 ? c.gain : c.loss } })) }] });
}
const scatter = (name, data, color, symbol) => ({ name, type: "scatter", data, symbol, symbolSize: 6, large: data.length > 4000, itemStyle: { color, opacity: 0.75 } });
const tradeTip = (c) => ({ ...base(c).tooltip, trigger: "item", formatter: (i) => { const t = DATA.trips[i.value[2]]; return `Trade ${i.value[2] + 1}: ${escapeHtml(nameOf(t[T.instrument]))}<br>${ist(t[T.entry])} to ${ist(t[T.exit])}<br>net ${money(t[T.net])}`; } });
function drawTrades(c) {
  const all = DATA.trips.map((t, n) => [t[T.exit] * 1000 + 19800000, t[T.net] / 1e4, n]);
  draw("trades", { ...base(c), useUTC: true, tooltip: tradeTip(c), xAxis: axis(c, { type: "time" }), yAxis: valueAxis(c, { axisLabel: { color: c.soft, formatter: short } }), series: [scatter("Win", all.filter((p) => p[1] > 0), c.gain, "circle"), scatter("Loss", all.filter((p) => p[1] <= 0), c.loss, "diamond")] });
}
function drawExcursions(c) {
  const of = (column) => DATA.trips.map((t, n) => [t[column] === null ? null : t[column] / 1e4, t[T.net] / 1e4, n]).filter((p) => p[0] !== null);
  const name = { nameLocation: "middle", nameTextStyle: { color: c.soft } };
  draw("excursions", { ...base(c), grid: { left: 26, right: 16, top: 30, bottom: 26, containLabel: true }, legend: { top: 0, right: 8, textStyle: { color: c.text } }, tooltip: tradeTip(c), xAxis: valueAxis(c, { name: "worst or best open profit", nameGap: 26, ...name, axisLabel: { color: c.soft, formatter: short, hideOverlap: true } }), yAxis: valueAxis(c, { name: "net", nameGap: 58, ...name, axisLabel: { color: c.soft, formatter: short } }), series: [scatter("MAE", of(T.mae), c.loss, "diamond"), scatter("MFE", of(T.mfe), c.gain, "circle")] });
}
function drawBars(c, id, rows, horizontal) {
  const category = axis(c, { type: "category", data: rows.map((r) => r[0]), inverse: horizontal });
  const value = valueAxis(c, { scale: false, axisLabel: { color: c.soft, formatter: short, hideOverlap: true } });
  draw(id, { ...base(c), xAxis: horizontal ? value : category, yAxis: horizontal ? category : value, tooltip: { ...base(c).tooltip, axisPointer: { type: "shadow" }, formatter: (items) => `${escapeHtml(rows[items[0].dataIndex][0])}: ${money(rows[items[0].dataIndex][1])}` }, series: [{ type: "bar", barMaxWidth: 34, data: rows.map((r) => ({ value: r[1] / 1e4, itemStyle: { color: horizontal ? c.accent : r[1] >= 0 ? c.gain : c.loss } })) }] });
}

function drawAll() {
  const c = colors();
  drawEquity(c);
  drawPrice(c);
  drawRolling(c);
  drawHistogram(c);
  drawTrades(c);
  drawExcursions(c);
  drawBars(c, "hours", DATA.groups["entry hour"], false);
  drawBars(c, "weekdays", DATA.groups["entry weekday"], false);
  drawBars(c, "charges", DATA.charges.filter((r) => r[1] !== 0).sort((a, b) => b[1] - a[1]), true);
  ROOT.dataset.charts = String(charts.size);
}
