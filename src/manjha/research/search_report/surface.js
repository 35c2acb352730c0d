// Draws the cells of the map as a surface seen from a corner: higher is better. Where most cells lack a neighbour, as
// after a sample or a guided search, each is a stem instead; nothing is drawn where nothing was tried.
let side = 0;
const hex = (text) => [1, 3, 5].map((n) => parseInt(text.slice(n, n + 2), 16));
function blend(steps, share) {
  const place = Math.min(Math.max(share, 0), 1) * (steps.length - 1), n = Math.min(Math.floor(place), steps.length - 2);
  const [a, b] = [hex(steps[n]), hex(steps[n + 1])];
  return `rgb(${a.map((v, k) => Math.round(v + (place - n) * (b[k] - v))).join(",")})`;
}

// Returns what puts a cell and a height (0 to 1) on the picture: [x, y, nearness].
function viewed(width, height, xs, ys) {
  const angle = (35 + 90 * side) * Math.PI / 180, cos = Math.cos(angle), sin = Math.sin(angle);
  // The floor is at most 1.42 wide and 0.6 high, with 0.4 above it; its nearest edges have names below them.
  const size = Math.min((width - 24) / 1.42, (height - 54) / 1.0), middle = height - 44 - 0.3 * size;
  return (x, y, up) => {
    const u = xs > 1 ? x / (xs - 1) - 0.5 : 0, v = ys > 1 ? y / (ys - 1) - 0.5 : 0, near = u * sin + v * cos;
    return [width / 2 + (u * cos - v * sin) * size, middle + near * size * 0.42 - up * size * 0.4, near];
  };
}

function surfaceShapes(c, list, view, xs, ys) {
  const values = list.map((p) => p[2]), low = Math.min(...values), high = Math.max(...values);
  const share = (v) => (high > low ? (S.more ? v - low : high - v) / (high - low) : 0.5), steps = scale(c);
  const held = new Map(list.map((p) => [p[0] * 1e6 + p[1], p]));
  const quads = [];
  for (const [x, y] of list) {
    const corner = [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]].map(([i, j]) => held.get(i * 1e6 + j));
    if (corner.some((p) => p === undefined)) continue;
    const at3 = corner.map((p) => view(p[0], p[1], share(p[2]))), mean = corner.reduce((sum, p) => sum + share(p[2]), 0) / 4;
    const best = corner.reduce((a, b) => (share(b[2]) > share(a[2]) ? b : a));
    quads.push({ near: at3.reduce((sum, p) => sum + p[2], 0), row: best[3], color: blend(steps, mean), points: at3.map((p) => [p[0], p[1]]) });
  }
  const isGrid = quads.length >= 0.6 * (xs - 1) * (ys - 1) && quads.length > 0;
  const stems = list.map((p) => {
    const [x, foot, near] = view(p[0], p[1], 0), top = view(p[0], p[1], share(p[2]))[1];
    return { near, row: p[3], color: blend(steps, share(p[2])), stem: [x, foot, top] };
  });
  return [isGrid, (isGrid ? quads : stems).sort((a, b) => a.near - b.near)];
}

function drawSurface(c) {
  const part = document.getElementById("surface-part");
  part.hidden = S.names.length < 2;
  if (part.hidden) return;
  const element = document.getElementById("surface"), width = element.clientWidth, height = element.clientHeight;
  const xs = S.labels[at.x].length, ys = S.labels[at.y].length, view = viewed(width, height, xs, ys);
  const list = cells(), [isGrid, shapes] = surfaceShapes(c, list, view, xs, ys);
  const better = S.more ? "Higher is more" : "Higher is less, which is better";
  document.getElementById("surface-note").textContent = `${S.objective} over ${S.names[at.x]} and ${S.names[at.y]}. ${better}.${isGrid ? "" : " A stem is what was tried there; between stems nothing was."}`;
  const floor = [[0, 0], [xs - 1, 0], [xs - 1, ys - 1], [0, ys - 1]].map(([x, y]) => view(x, y, 0));
  const front = floor.reduce((a, b, n) => (b[2] > floor[a][2] ? n : a), 0);
  // The two edges that meet at the nearest corner carry the names, each from its left end to its right one.
  const named = [front, (front + 3) % 4].map((n) => {
    const ends = [floor[n], floor[(n + 1) % 4]], along = n % 2 ? "y" : "x", labels = S.labels[at[along]];
    const isForward = (n < 2) === (ends[0][0] < ends[1][0]), order = isForward ? [labels[0], labels.at(-1)] : [labels.at(-1), labels[0]];
    const x = (ends[0][0] + ends[1][0]) / 2, isLeft = x < floor[front][0];
    // A phone has room for them at the foot of the picture only.
    const place = isPhone() ? { x: isLeft ? 4 : width - 4, y: height - 20 } : { x, y: (ends[0][1] + ends[1][1]) / 2 + 10 };
    const text = { text: `${order[0]} ← ${S.names[at[along]]} → ${order[1]}`, fill: c.text, fontSize: 12, align: isLeft === isPhone() ? "left" : "right", width: isPhone() ? width / 2 - 12 : (isLeft ? x : width - x) - 8, overflow: "truncate" };
    return { type: "text", silent: true, ...place, style: text };
  });
  const shape = (params) => {
    const one = shapes[params.dataIndex];
    if (!one.stem) return { type: "polygon", shape: { points: one.points }, style: { fill: one.color, stroke: c.bg, lineWidth: 0.6 } };
    const [x, foot, top] = one.stem;
    return { type: "group", children: [
      { type: "line", shape: { x1: x, y1: foot, x2: x, y2: top }, style: { stroke: one.color, lineWidth: 2 } },
      { type: "circle", shape: { cx: x, cy: top, r: 4 }, style: { fill: one.color, stroke: c.bg, lineWidth: 0.6 } },
    ] };
  };
  draw("surface", {
    ...base(c), grid: undefined, tooltip: { ...base(c).tooltip, trigger: "item", formatter: (p) => combination(S.rows[shapes[p.dataIndex].row]) },
    graphic: [{ type: "polygon", silent: true, z: -1, shape: { points: floor.map((p) => [p[0], p[1]]) }, style: { fill: c.panel, stroke: c.line } }, ...named],
    series: [{ type: "custom", coordinateSystem: "none", renderItem: shape, data: shapes.map((_, n) => [n]) }],
  });
}

function offerTurns() {
  document.getElementById("turn").addEventListener("click", () => { side = (side + 1) % 4; drawSurface(colors()); });
}
