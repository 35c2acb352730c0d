// The long tables: sorted and paged here, every text set as text.
const PAGE = 50;

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

// A column: {title, value(row) for sorting, text(row), kind: "n" for numbers, sign(row) for colour, cell(row) for a node}.
function table(id, caption, columns, rows, empty) {
  const place = document.getElementById(id);
  if (!rows.length) { place.replaceChildren(make("p", empty, "note")); return; }
  const state = { column: -1, down: false, page: 0, rows };
  const scroll = make("div", undefined, "scroll"), grid = make("table", undefined, "list"), body = make("tbody");
  const pager = make("div", undefined, "controls pager"), status = make("span", "", "note");
  status.setAttribute("aria-live", "polite");
  const pages = Math.ceil(rows.length / PAGE);
  const headings = columns.map((column, at) => {
    const th = make("th", undefined, column.kind), button = make("button", column.title);
    th.scope = "col";
    button.type = "button";
    button.addEventListener("click", () => {
      state.down = state.column === at ? !state.down : column.kind === "n";
      state.column = at;
      const way = state.down ? -1 : 1;
      const key = (row) => { const v = column.value(row); return v === null ? -Infinity : v; };
      state.rows = [...rows].sort((a, b) => { const x = key(a), y = key(b); return (x < y ? -1 : x > y ? 1 : 0) * way; });
      state.page = 0;
      show();
    });
    th.append(button);
    return th;
  });
  function show() {
    headings.forEach((th, at) => {
      const sorted = state.column === at;
      th.setAttribute("aria-sort", sorted ? (state.down ? "descending" : "ascending") : "none");
      th.firstChild.textContent = columns[at].title + (sorted ? (state.down ? " ↓" : " ↑") : "");
    });
    const first = state.page * PAGE;
    body.replaceChildren(...state.rows.slice(first, first + PAGE).map((row) => {
      const tr = make("tr");
      for (const column of columns) {
        const sign = column.sign ? column.sign(row) : 0;
        const td = make("td", column.cell ? undefined : column.text(row), [column.kind, sign > 0 ? "gain" : sign < 0 ? "loss" : ""].join(" ").trim());
        if (column.cell) td.append(column.cell(row));
        tr.append(td);
      }
      return tr;
    }));
    status.textContent = `${(first + 1).toLocaleString("en-IN")} to ${Math.min(first + PAGE, rows.length).toLocaleString("en-IN")} of ${rows.length.toLocaleString("en-IN")}`;
    buttons.forEach(([button, to]) => { const page = to(); button.disabled = page === state.page || page < 0 || page >= pages; });
  }
  const buttons = [["« First", () => 0], ["‹ Previous", () => state.page - 1], ["Next ›", () => state.page + 1], ["Last »", () => pages - 1]].map(([title, to]) => {
    const button = make("button", title);
    button.type = "button";
    button.addEventListener("click", () => { state.page = to(); show(); });
    return [button, to];
  });
  const head = make("thead"), line = make("tr");
  line.append(...headings);
  head.append(line);
  grid.append(make("caption", caption), head, body);
  scroll.append(grid);
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", caption);
  if (pages > 1) pager.append(...buttons.map(([button]) => button), status);
  place.replaceChildren(scroll, pager);
  show();
}

function look(at) {
  view = at;
  document.getElementById("price-view").value = String(at);
  drawPrice(colors());
}

function tripsTable() {
  const seen = new Map(VIEWS.map((v, at) => [v.key, at]));
  const rows = DATA.trips.map((t, n) => ({ t, n }));
  const number = (title, column, text = money) => ({ title, kind: "n", value: (r) => r.t[column], text: (r) => (r.t[column] === null ? "–" : text(r.t[column])) });
  const signed = (title, column) => ({ ...number(title, column), sign: (r) => r.t[column] });
  table("trips-table", "Round trips", [
    { title: "#", kind: "n", value: (r) => r.n, cell: (r) => {
      const at = seen.get(`trade-${r.n}`);
      if (at === undefined) return document.createTextNode(String(r.n + 1));
      const button = make("button", `${r.n + 1} ⌕`, "look");
      button.type = "button";
      button.setAttribute("aria-label", `Trade ${r.n + 1}: show on the chart`);
      button.addEventListener("click", () => { look(at); document.getElementById("price-title").scrollIntoView(); });
      return button;
    } },
    { title: "Instrument", value: (r) => nameOf(r.t[T.instrument]), text: (r) => nameOf(r.t[T.instrument]) },
    { title: "Side", value: (r) => r.t[T.side], text: (r) => (r.t[T.side] > 0 ? "long" : "short") },
    number("Qty", T.qty, (v) => v.toLocaleString("en-IN")),
    { title: "Entry", value: (r) => r.t[T.entry], text: (r) => ist(r.t[T.entry]) },
    { title: "Exit", value: (r) => r.t[T.exit], text: (r) => (r.t[T.open] ? "open" : ist(r.t[T.exit])) },
    number("Entry price", T.entryPx, price), number("Exit price", T.exitPx, price),
    signed("Gross", T.gross), number("Charges", T.charges), signed("Net", T.net),
    number("MAE", T.mae), number("MFE", T.mfe), number("Bars", T.bars, String),
    { title: "Why out", value: (r) => r.t[T.why], text: (r) => r.t[T.why] },
    { title: "Tag", value: (r) => r.t[T.tag], text: (r) => r.t[T.tag] },
  ], rows, "No position was ever opened.");
}

function ordersTable() {
  const text = (title, at) => ({ title, value: (r) => r[at], text: (r) => r[at] });
  const optional = (title, at) => ({ title, kind: "n", value: (r) => r[at], text: (r) => (r[at] ? price(r[at]) : "–") });
  table("orders-table", "Orders", [
    { title: "Placed", value: (r) => r[0], text: (r) => ist(r[0]) },
    { title: "Instrument", value: (r) => nameOf(r[1]), text: (r) => nameOf(r[1]) },
    { title: "Side", value: (r) => r[2], text: (r) => (r[2] > 0 ? "buy" : "sell") },
    { title: "Qty", kind: "n", value: (r) => r[3], text: (r) => r[3].toLocaleString("en-IN") },
    text("Type", 4), text("Product", 5), optional("Limit", 6), optional("Trigger", 7), text("Purpose", 8), text("Became", 9),
    { title: "Filled", kind: "n", value: (r) => r[10], text: (r) => r[10].toLocaleString("en-IN") },
    optional("Average", 11), { ...text("Reason", 12), kind: "wrap" },
  ], DATA.orders, "No order was placed.");
  table("refusals-table", "Refused by risk", [
    { title: "Time", value: (r) => r[0], text: (r) => ist(r[0]) },
    { title: "Asked for", value: (r) => r[1], text: (r) => r[1] },
    { title: "Reason", kind: "wrap", value: (r) => r[2], text: (r) => r[2] },
    { title: "Detail", kind: "wrap", value: (r) => r[3], text: (r) => r[3] },
  ], DATA.refusals, "Nothing was refused.");
}

function start() {
  followTheme(drawAll);
  const select = document.getElementById("price-view");
  if (select) {
    VIEWS.forEach((v, at) => { const option = make("option", v.label); option.value = String(at); select.append(option); });
    select.addEventListener("change", () => look(Number(select.value)));
    document.getElementById("price-back").addEventListener("click", () => look(0));
  }
  drawAll();
  tripsTable();
  ordersTable();
  addEventListener("resize", () => charts.forEach((chart) => chart.resize()));
  ROOT.dataset.ready = "yes";
}
start();
