"use strict";
// What every page shares: numbers as words, colours, axes, the theme. Money is integers of 1e-4 rupee, times are seconds UTC.
const DATA = JSON.parse(document.getElementById("data").textContent);
const ROOT = document.documentElement;
const charts = new Map();
let errors = 0;
window.addEventListener("error", () => { ROOT.dataset.errors = String(++errors); });
ROOT.dataset.errors = "0";

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
// Writes an axis whose values lie between those of `list`: in lakh or crore unless two labels could come out equal.
function shortOver(list) {
  const low = Math.min(...list), high = Math.max(...list), step = (high - low) / 8, size = Math.max(Math.abs(low), Math.abs(high));
  if (size < 1e5 && step >= 1 || step >= (size >= 1e7 ? 1e5 : 1e3) || !(step > 0)) return short;
  return (rupees) => `${rupees < 0 ? "−" : ""}₹${grouped(String(Math.floor(Math.abs(rupees))))}${step < 1 ? `.${pad(Math.round((Math.abs(rupees) % 1) * 100))}` : ""}`;
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
    // The outer bounds hold the labels too, the first and the last of an axis included: none is cut at the edge.
    grid: { left: 12, right: 16, top: 16, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel", outerBounds: { left: 4, right: 4, top: 8, bottom: 4 } },
  };
}
const axis = (c, more) => ({ axisLabel: { color: c.soft, hideOverlap: true }, axisLine: { lineStyle: { color: c.line } }, axisTick: { show: false }, splitLine: { show: false }, ...more });
const plain = (v) => String(v).replace("-", "−");
const valueAxis = (c, more) => axis(c, { type: "value", scale: true, splitLine: { lineStyle: { color: c.line, opacity: 0.6 } }, axisLabel: { color: c.soft, hideOverlap: true, formatter: plain }, ...more });
const zoomBar = (c, axes) => [
  { type: "inside", xAxisIndex: axes, zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false },
  { type: "slider", xAxisIndex: axes, bottom: 4, height: 22, borderColor: c.line, textStyle: { color: c.soft }, labelFormatter: "", brushSelect: false },
];

// Panes above each other share their left and right edge, so these are stated and not measured from the labels.
const SIDES = { left: 76, right: 40, outerBoundsMode: "none" };

// Sums of money side by side: a phone has room for few of them.
const FEW = () => ({ splitNumber: innerWidth < 760 ? 2 : 5 });

// An axis without a point on it says nothing: a chart without data is a sentence, `empty`.
function draw(id, option, empty = "") {
  const element = document.getElementById(id);
  if (!element) return null;
  if (charts.has(id)) charts.get(id).dispose();
  element.classList.toggle("empty", empty !== "");
  if (empty) { charts.delete(id); element.textContent = empty; return null; }
  const chart = echarts.init(element, null, { renderer: "canvas" });
  charts.set(id, chart);
  chart.setOption(option);
  return chart;
}

// Takes the theme from the address, else from the system, and draws anew when it changes.
function followTheme(drawAll) {
  const hash = location.hash.slice(1), button = document.getElementById("theme");
  if (hash === "dark" || hash === "light") ROOT.dataset.theme = hash;
  const isDark = () => (ROOT.dataset.theme ? ROOT.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const label = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; button.setAttribute("aria-pressed", String(isDark())); };
  button.addEventListener("click", () => { ROOT.dataset.theme = isDark() ? "light" : "dark"; label(); drawAll(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { label(); drawAll(); });
  label();
}

