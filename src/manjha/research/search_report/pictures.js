// Draws what a search found: the space of parameters.
const isPhone = () => innerWidth < 760;
const digits = (v) => plain(+Number(v).toPrecision(4));
const S = DATA.space || null;
const at = { x: 0, y: 1 };
const valueOf = (row) => row[2 * S.names.length];
const textOf = (row, n) => row[S.names.length + n];

// From poor over middling to good, readable on both grounds and without red and green.
const scale = (c) => (ROOT.dataset.theme === "dark" || (!ROOT.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches)
  ? ["#2b3350", "#3f6ea8", "#58b5b0", "#f2e48a"] : ["#f3efd0", "#8fc7bd", "#3d7fb0", "#28306b"]);
// An infinite span has no colours, and one value no span.
function visual(c, values, dimension, more = {}) {
  const low = Math.min(...values), high = Math.max(...values), pad = high > low ? 0 : Math.abs(low) * 0.1 || 1;
  return { type: "continuous", min: low - pad, max: high + pad, dimension, calculable: false, orient: "horizontal", right: 8, top: 0, itemWidth: 12, itemHeight: isPhone() ? 90 : 140, precision: 4, text: [digits(high), digits(low)], textStyle: { color: c.soft }, textGap: 6, inRange: { color: S && !S.more ? scale(c).reverse() : scale(c) }, formatter: digits, ...more };
}

// The best value of each cell of two parameters, over all that the others may be: [x, y, value, row].
function cells() {
  const found = new Map();
  S.rows.forEach((row, n) => {
    const key = row[at.x] * 1e6 + row[at.y], held = found.get(key), value = valueOf(row);
    if (!held || (S.more ? value > held[2] : value < held[2])) found.set(key, [row[at.x], row[at.y], value, n]);
  });
  return [...found.values()];
}

// Lines of equal value between the middles of cells (marching squares): [x1, y1, x2, y2].
function contours(list) {
  const value = new Map(list.map((p) => [p[0] * 1e6 + p[1], p[2]])), all = list.map((p) => p[2]), lines = [];
  const low = Math.min(...all), high = Math.max(...all);
  if (!(high > low)) return lines;
  for (let level = 1; level < 6; level++) {
    const z = low + (high - low) * level / 6;
    for (const [x, y] of list) {
      const corner = [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]].map(([i, j]) => [i, j, value.get(i * 1e6 + j)]);
      if (corner.some((p) => p[2] === undefined)) continue;
      const cuts = [];
      corner.forEach((p, n) => {
        const q = corner[(n + 1) % 4];
        if ((p[2] < z) !== (q[2] < z)) { const t = (z - p[2]) / (q[2] - p[2]); cuts.push([p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])]); }
      });
      for (let n = 0; n + 1 < cuts.length; n += 2) lines.push([...cuts[n], ...cuts[n + 1]]);
    }
  }
  return lines;
}

const combination = (row) => S.names.map((name, n) => `${escapeHtml(name)} ${escapeHtml(textOf(row, n))}`).join("<br>") + `<br><b>${escapeHtml(S.objective)} ${digits(valueOf(row))}</b>`;

function drawHeat(c) {
  if (S.names.length === 1) { drawCurve(c); return; }
  const list = cells(), xs = S.labels[at.x], ys = S.labels[at.y], best = S.rows[S.best];
  const others = S.names.filter((_, n) => n !== at.x && n !== at.y);
  document.getElementById("heat-note").textContent = `Colour: ${S.objective}${others.length ? `, the best over ${others.join(", ")}` : ""}. Lines join equal values; a broad plateau is worth more than a high needle. The ring is the best of all.`;
  const hidden = (n) => ({ type: "value", min: -0.5, max: n - 0.5, show: false });
  const name = (n) => ({ name: S.names[n], nameLocation: "middle", nameTextStyle: { color: c.text } });
  const line = (params, api) => {
    const a = api.coord([api.value(0), api.value(1)]), b = api.coord([api.value(2), api.value(3)]);
    return { type: "line", shape: { x1: a[0], y1: a[1], x2: b[0], y2: b[1] }, style: { stroke: c.text, lineWidth: 1, opacity: 0.55 } };
  };
  const grid = { ...base(c).grid, left: 30, bottom: 26, top: 40 };
  draw("heat", {
    ...base(c), grid: [grid], visualMap: visual(c, list.map((p) => p[2]), 2, { seriesIndex: 0 }),
    tooltip: { ...base(c).tooltip, trigger: "item", formatter: (p) => combination(S.rows[p.value[3]]) },
    xAxis: [axis(c, { type: "category", data: xs, ...name(at.x), nameGap: 24 }), { ...hidden(xs.length), gridIndex: 0 }],
    yAxis: [axis(c, { type: "category", data: ys, ...name(at.y), nameGap: 34 }), { ...hidden(ys.length), gridIndex: 0 }],
    series: [
      { type: "heatmap", data: list, itemStyle: { borderColor: c.bg, borderWidth: 1 } },
      { type: "custom", renderItem: line, xAxisIndex: 1, yAxisIndex: 1, data: contours(list), silent: true, clip: true, encode: { x: [0, 2], y: [1, 3] }, tooltip: { show: false } },
      { type: "scatter", silent: true, data: [[best[at.x], best[at.y]]], symbol: "circle", symbolSize: 16, itemStyle: { color: "transparent", borderColor: c.loss, borderWidth: 2.5 }, z: 5 },
    ],
  });
}

// One parameter has a curve instead of a map.
function drawCurve(c) {
  document.getElementById("heat-controls").hidden = true;
  document.getElementById("heat-note").textContent = `${S.objective} by ${S.names[0]}. The ring is the best.`;
  const best = S.rows[S.best], points = S.rows.map((row) => [row[0], valueOf(row)]).sort((a, b) => a[0] - b[0]);
  draw("heat", {
    ...base(c), xAxis: axis(c, { type: "category", data: S.labels[0] }), yAxis: valueAxis(c, {}),
    series: [
      { type: "line", data: points, showSymbol: true, symbolSize: 6 },
      { type: "scatter", data: [[best[0], valueOf(best)]], symbolSize: 16, itemStyle: { color: "transparent", borderColor: c.loss, borderWidth: 2.5 }, tooltip: { show: false } },
    ],
  });
}

function drawParallel(c) {
  const count = S.names.length, values = S.rows.map(valueOf);
  const text = { axisLabel: { color: c.soft, hideOverlap: true }, nameTextStyle: { color: c.text }, nameTruncate: { maxWidth: 96 }, axisTick: { show: false }, axisLine: { lineStyle: { color: c.soft } } };
  const axes = S.names.map((name, n) => ({ dim: n, name, type: "category", data: S.labels[n], ...text }));
  axes.push({ dim: count, name: S.objective, type: "value", scale: true, ...text, axisLabel: { ...text.axisLabel, formatter: plain } });
  draw("parallel", {
    ...base(c), tooltip: { show: false }, parallelAxis: axes, visualMap: visual(c, values, count, { show: false }),
    parallel: isPhone() ? { layout: "vertical", left: 112, right: 26, top: 16, bottom: 30, parallelAxisDefault: { nameLocation: "start", nameGap: 10 } } : { left: 60, right: 80, top: 36, bottom: 24, parallelAxisDefault: { nameLocation: "end", nameGap: 12 } },
    series: [{ type: "parallel", lineStyle: { width: 1, opacity: S.rows.length > 400 ? 0.25 : 0.5 }, data: S.rows.map((row) => [...row.slice(0, count), valueOf(row)]) }],
  });
}

function chooseAxes() {
  ["x", "y"].forEach((side) => {
    const select = document.getElementById(`heat-${side}`);
    S.names.forEach((name, n) => { const option = document.createElement("option"); option.value = String(n); option.textContent = name; select.append(option); });
    select.value = String(at[side]);
    select.addEventListener("change", () => {
      const other = side === "x" ? "y" : "x", before = at[side];
      at[side] = Number(select.value);
      if (at[other] === at[side]) { at[other] = before; document.getElementById(`heat-${other}`).value = String(before); }
      drawHeat(colors());
      drawSurface(colors());
    });
  });
  document.getElementById("heat-controls").hidden = S.names.length < 3;
}
