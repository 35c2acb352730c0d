// Price with entries and exits: the whole run of each instrument, and a close look at some of the trades.
// Arrows stand on the candles while each has this many pixels; closer together they would hide the price.
const ARROW_PX = 14;

function views() {
  const whole = DATA.price.map((p, at) => ({ label: `${nameOf(p.instrument)}: whole run, ${p.step} candles`, candles: p, instrument: p.instrument, key: `price-${at}`, trip: null }));
  const close = DATA.windows.map((w) => {
    const t = DATA.trips[w.trip];
    return { label: `Trade ${w.trip + 1}: ${nameOf(t[T.instrument])} ${ist(t[T.entry])}, ${money(t[T.net])} (${w.step})`, candles: w, instrument: t[T.instrument], key: `trade-${w.trip}`, trip: t };
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

// Entries and exits within the candles `from` to `to`: as points on the price, and the candles that have any.
function marks(shown, from, to) {
  const ts = shown.candles.ts, start = ts[from], end = to + 1 < ts.length ? ts[to + 1] : shown.candles.until + 1;
  const found = { buy: [], sell: [] }, rows = { buy: new Set(), sell: new Set() };
  DATA.trips.forEach((t, n) => {
    if (t[T.instrument] !== shown.instrument || t[T.exit] < start || t[T.entry] >= end) return;
    const add = (side, seconds, px, what) => {
      if (seconds < start || seconds >= end) return;
      const way = side > 0 ? "buy" : "sell", row = rowOf(ts, seconds);
      rows[way].add(row);
      found[way].push({ value: [row, px / 1e4], note: () => `Trade ${n + 1}, ${what} ${t[T.qty].toLocaleString("en-IN")} at ${price(px)}<br>${ist(seconds)}<br>net ${money(t[T.net])}` });
    };
    add(t[T.side], t[T.entry], t[T.entryPx], t[T.side] > 0 ? "bought" : "sold short");
    if (!t[T.open]) add(-t[T.side], t[T.exit], t[T.exitPx], `${escapeHtml(t[T.why])}: ${t[T.side] > 0 ? "sold" : "bought back"}`);
  });
  return { ...found, rows, count: found.buy.length + found.sell.length };
}

// The trade looked at: a line from entry to exit, and the stop and target that rested meanwhile.
function tradeLines(c, shown) {
  const t = shown.trip;
  if (!t) return [];
  const ts = shown.candles.ts, from = rowOf(ts, t[T.entry]), to = rowOf(ts, t[T.exit]);
  const line = (first, last, color, text, type) => [{ coord: [from, first], lineStyle: { color, type, width: 1.5 }, label: { show: text !== "", formatter: text, position: "end", color, fontSize: 11, backgroundColor: c.panel, padding: [1, 4] } }, { coord: [to, last] }];
  const resting = DATA.orders.filter((o) => o[1] === t[T.instrument] && o[2] === -t[T.side] && o[0] >= t[T.entry] && o[0] <= t[T.exit] && ["stop", "target"].includes(o[8]) && (o[7] || o[6]));
  const levels = resting.map((o) => { const px = o[7] || o[6]; return line(px / 1e4, px / 1e4, o[8] === "stop" ? c.loss : c.gain, `${o[8]} ${price(px)}`, "dashed"); });
  return [line(t[T.entryPx] / 1e4, t[T.exitPx] / 1e4, c.accent, "", "solid"), ...levels];
}

function priceSeries(c, shown) {
  const k = shown.candles, up = c.gain, down = c.loss;
  const arrow = (name, color, rotate, offset) => ({ name, type: "scatter", symbol: "triangle", symbolRotate: rotate, symbolOffset: [0, offset], symbolSize: 12, z: 5, itemStyle: { color, borderColor: c.bg, borderWidth: 0.5 }, data: [], tooltip: { trigger: "item", formatter: (i) => i.data.note() } });
  const strip = (name, color) => ({ name, type: "scatter", xAxisIndex: 2, yAxisIndex: 2, symbol: "rect", symbolSize: [2, 9], itemStyle: { color }, data: [], silent: true });
  return [
    { name: "Price", type: "candlestick", data: k.ts.map((_, i) => [k.open[i] / 1e4, k.close[i] / 1e4, k.low[i] / 1e4, k.high[i] / 1e4]), itemStyle: { color: up, color0: down, borderColor: up, borderColor0: down }, large: false, markLine: { silent: true, symbol: "none", data: tradeLines(c, shown) } },
    { name: "Volume", type: "bar", xAxisIndex: 1, yAxisIndex: 1, data: k.volume, itemStyle: { color: c.line }, large: true },
    arrow("Buy", c.accent, 0, "70%"), arrow("Sell", c.text, 180, "-70%"),
    strip("Buys", c.accent), strip("Sells", c.text),
  ];
}

function priceOption(c, shown, height) {
  const k = shown.candles, daily = /[dw]$/.test(k.step), labels = k.ts.map((t) => ist(t, !daily));
  const x = (grid, show) => axis(c, { type: "category", gridIndex: grid, data: labels, axisLabel: { show, color: c.soft, hideOverlap: true, formatter: (v) => (k.ts.length > 300 ? v.slice(0, 10) : v.slice(5)) } });
  const volume = (v) => (v >= 1e7 ? `${+(v / 1e7).toFixed(1)} cr` : v >= 1e5 ? `${+(v / 1e5).toFixed(1)} lakh` : grouped(String(v)));
  return {
    ...base(c), legend: { top: 0, right: 8, textStyle: { color: c.text }, selectedMode: false, data: [{ name: "Buy", icon: "triangle" }, { name: "Sell", icon: "triangle" }] },
    grid: [{ ...SIDES, top: 32, height: height - 222 }, { ...SIDES, top: height - 126, height: 70 }, { ...SIDES, top: height - 176, height: 28 }],
    axisPointer: { link: [{ xAxisIndex: "all" }] },
    xAxis: [x(0, false), x(1, true), { ...x(2, false), axisPointer: { show: false } }],
    yAxis: [
      valueAxis(c, { axisLabel: { color: c.soft, formatter: (v) => (v % 1 ? price(v * 1e4) : plain(v) === String(v) ? grouped(String(v)) : plain(v)) } }),
      valueAxis(c, { gridIndex: 1, scale: false, splitNumber: 2, axisLabel: { color: c.soft, formatter: volume } }),
      axis(c, { type: "category", gridIndex: 2, data: ["sells", "buys"], axisLine: { show: false }, axisLabel: { color: c.soft, fontSize: 11 } }),
    ],
    dataZoom: zoomBar(c, [0, 1, 2]),
    tooltip: { ...base(c).tooltip, formatter: (items) => tip(items, k, labels) },
    series: priceSeries(c, shown),
  };
}

function drawPrice(c) {
  const element = document.getElementById("price");
  if (!VIEWS.length || !element) return;
  const shown = VIEWS[view], k = shown.candles, last = k.ts.length - 1;
  const chart = draw("price", priceOption(c, shown, element.clientHeight));
  const mark = () => {
    const zoom = chart.getOption().dataZoom[0];
    const found = marks(shown, Math.floor((zoom.start * last) / 100), Math.ceil((zoom.end * last) / 100));
    const many = found.count * ARROW_PX > chart.getWidth() - SIDES.left - SIDES.right;
    const points = (rows, name) => [...rows].map((row) => [row, name]);
    chart.setOption({ series: [
      { name: "Buy", data: many ? [] : found.buy }, { name: "Sell", data: many ? [] : found.sell },
      { name: "Buys", data: points(found.rows.buy, "buys") }, { name: "Sells", data: points(found.rows.sell, "sells") },
    ] });
    const count = `${found.count.toLocaleString("en-IN")} ${found.count === 1 ? "entry or exit" : "entries and exits"} in view`;
    document.getElementById("price-note").textContent = `${k.ts.length.toLocaleString("en-IN")} ${k.ts.length === 1 ? "candle" : "candles"} of ${k.step}. ${count}${many ? ", marked in the strip below the price: zoom in to see them on it." : "."}`;
  };
  chart.on("datazoom", mark);
  mark();
  document.getElementById("price-back").hidden = shown.trip === null;
}

function tip(items, k, labels) {
  const i = items[0].dataIndex;
  return `${labels[i]}<br>open ${price(k.open[i])}, high ${price(k.high[i])}<br>low ${price(k.low[i])}, close ${price(k.close[i])}<br>volume ${k.volume[i].toLocaleString("en-IN")}`;
}

