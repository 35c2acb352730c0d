// Draws the front of several objectives, windows of a walk-forward, bands of possible histories, and the histogram of logits; then begins.
const share = (v) => `${plain(+(v * 100).toFixed(1))} %`;

function drawFront(c) {
  const f = DATA.front, line = [...f.front].sort((a, b) => a[0] - b[0]);
  const points = (name, data, color, size) => ({ name, type: "scatter", data, symbolSize: size, itemStyle: { color } });
  draw("front", {
    ...base(c), grid: { ...base(c).grid, left: 34, bottom: 28, top: 34 }, legend: { top: 0, right: 8, data: ["Front", "Beaten"], textStyle: { color: c.text } },
    tooltip: { ...base(c).tooltip, trigger: "item", formatter: (p) => `${escapeHtml(p.value[2])}<br>${escapeHtml(f.names[0])} <b>${digits(p.value[0])}</b><br>${escapeHtml(f.names[1])} <b>${digits(p.value[1])}</b>` },
    xAxis: valueAxis(c, { name: f.names[0], nameLocation: "middle", nameGap: 26, nameTextStyle: { color: c.text } }),
    yAxis: valueAxis(c, { name: f.names[1], nameLocation: "middle", nameGap: 44, nameTextStyle: { color: c.text } }),
    series: [
      points("Beaten", f.others, c.soft, 6),
      { type: "line", data: line.map((p) => [p[0], p[1]]), step: false, showSymbol: false, silent: true, lineStyle: { color: c.accent, width: 1, type: "dashed" }, tooltip: { show: false } },
      points("Front", line, c.accent, 10),
    ],
  });
}

function drawWindows(c) {
  const w = DATA.windows, bar = (name, data, color) => ({ name, type: "bar", data, itemStyle: { color }, barMaxWidth: 22 });
  draw("windows", {
    ...base(c), grid: { ...base(c).grid, top: 34 }, legend: { top: 0, right: 8, textStyle: { color: c.text } },
    tooltip: { ...base(c).tooltip, axisPointer: { type: "shadow" }, formatter: (items) => { const n = items[0].dataIndex; return `Window ${n + 1}, tested ${w.days[n].join(" to ")}<br>${escapeHtml(w.parameters[n])}<br>in sample ${w.inside[n] === null ? "–" : share(w.inside[n])}<br>out of sample ${w.outside[n] === null ? "–" : share(w.outside[n])}`; } },
    xAxis: axis(c, { type: "category", data: w.days.map((d) => d[0]) }), yAxis: valueAxis(c, { scale: false, axisLabel: { color: c.soft, formatter: share } }),
    series: [bar("In sample", w.inside, c.soft), bar("Out of sample", w.outside, c.accent)],
  });
}

function drawStitched(c) {
  const e = DATA.equity;
  draw("equity", {
    // A date may stand at the very end: half of it needs room.
    ...base(c), grid: { ...base(c).grid, right: 40 }, xAxis: axis(c, { type: "category", data: e.days.map(dayText), boundaryGap: false, axisLabel: { color: c.soft, hideOverlap: true } }),
    yAxis: valueAxis(c, {}), tooltip: { ...base(c).tooltip, valueFormatter: (v) => Number(v).toFixed(4) },
    series: [{ name: "Equity", type: "line", data: e.equity, showSymbol: false, lineStyle: { width: 1.6 }, markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: c.soft, width: 1, type: "dashed" }, data: e.starts.map((row) => ({ xAxis: row })) } }],
  }, e.days.length ? "" : "No window was tested.");
}

// Bands lie upon each other: an invisible floor, then the height of each band.
function drawFan(c, id) {
  const f = DATA[id], [low, quarter, middle, three, high] = f.bands, gap = (a, b) => a.map((v, n) => b[n] - v);
  const line = (name, data, color, width, type) => ({ name, type: "line", data, showSymbol: false, itemStyle: { color }, lineStyle: { color, width, type }, z: 3 });
  const band = (stack, data, opacity) => ({ type: "line", stack, data, showSymbol: false, silent: true, lineStyle: { opacity: 0 }, areaStyle: { color: c.accent, opacity }, tooltip: { show: false }, stackStrategy: "all" });
  document.getElementById(`${id}-note`).textContent += ` ${f.paths.toLocaleString("en-IN")} histories; shaded are the middle half and nine tenths of them.`;
  draw(id, {
    ...base(c), grid: { ...base(c).grid, top: 34, bottom: 24 }, legend: { top: 0, right: 8, data: ["As it was", "Median"], textStyle: { color: c.text } },
    xAxis: axis(c, { type: "category", data: f.steps, boundaryGap: false, name: f.unit, nameLocation: "middle", nameGap: 24, nameTextStyle: { color: c.soft } }),
    yAxis: valueAxis(c, {}),
    tooltip: { ...base(c).tooltip, formatter: (items) => { const n = items[0].dataIndex; return `${f.steps[n]} ${escapeHtml(f.unit)}<br>as it was ${digits(f.real[n])}<br>median ${digits(middle[n])}<br>half ${digits(quarter[n])} to ${digits(three[n])}<br>nine tenths ${digits(low[n])} to ${digits(high[n])}`; } },
    series: [
      band("wide", low, 0), band("wide", gap(low, high), 0.16), band("half", quarter, 0), band("half", gap(quarter, three), 0.24),
      line("As it was", f.real, c.loss, 1.8, "solid"), line("Median", middle, c.accent, 1.4, "dashed"),
    ],
  });
}

function drawLogits(c) {
  const l = DATA.logits, middle = l.counts.map((_, n) => (l.edges[n] + l.edges[n + 1]) / 2);
  document.getElementById("logits-note").textContent = `Rank out of sample of what was best in the other half, over ${l.halvings.toLocaleString("en-IN")} halvings, as a logit: at or below zero it was no better than the middle of the field. That is ${share(l.probability)} of them.`;
  draw("logits", {
    ...base(c), xAxis: axis(c, { type: "category", data: middle.map((v) => v.toFixed(2)), axisLabel: { color: c.soft, hideOverlap: true, formatter: plain } }), yAxis: valueAxis(c, { scale: false }),
    tooltip: { ...base(c).tooltip, axisPointer: { type: "shadow" }, formatter: (i) => `logit ${plain(l.edges[i[0].dataIndex])} to ${plain(l.edges[i[0].dataIndex + 1])}<br>${l.counts[i[0].dataIndex].toLocaleString("en-IN")} halvings` },
    series: [{ type: "bar", barCategoryGap: "8%", data: l.counts.map((v, n) => ({ value: v, itemStyle: { color: middle[n] < 0 ? c.loss : c.gain } })) }],
  });
}

const notes = new Map();
function drawAll() {
  const c = colors();
  // A note is written anew with its picture.
  ["fan", "shuffle"].filter((id) => DATA[id]).forEach((id) => {
    const note = document.getElementById(`${id}-note`);
    if (!notes.has(id)) notes.set(id, note.textContent);
    note.textContent = notes.get(id);
    drawFan(c, id);
  });
  if (DATA.windows) drawWindows(c);
  if (DATA.equity) drawStitched(c);
  if (DATA.front) drawFront(c);
  if (S) { drawHeat(c); drawSurface(c); drawParallel(c); }
  if (DATA.logits) drawLogits(c);
  ROOT.dataset.charts = String(charts.size);
}

function start() {
  followTheme(drawAll);
  if (S) { chooseAxes(); offerTurns(); }
  drawAll();
  // What is drawn in pixels is drawn anew.
  addEventListener("resize", () => { charts.forEach((chart) => chart.resize()); if (S) drawSurface(colors()); });
  ROOT.dataset.ready = "yes";
}
start();
