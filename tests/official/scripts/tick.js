// Run the official JavaScript ticker against a server, as tick.py does with the Python one.
const fs = require("fs");
const { KiteTicker } = require("kiteconnect");

const told = JSON.parse(fs.readFileSync(0, "utf8"));
const ticker = new KiteTicker({ api_key: told.api_key, access_token: told.access_token, root: told.root, reconnect: false });
const heard = { ticks: [], orders: [], errors: [], closed: [] };

let ended = false;

function end() {
  if (ended) return;
  ended = true;
  process.stdout.write(JSON.stringify(heard), () => process.exit(0));
}

// A subscription is answered in another mode first: what counts is each instrument in the mode that was asked for.
function enough() {
  const seen = ([mode, tokens]) =>
    tokens.every((token) => heard.ticks.some((tick) => tick.instrument_token === token && tick.mode === mode));
  if (Object.entries(told.modes).every(seen) && heard.orders.length >= told.orders) end();
}

ticker.on("connect", () => {
  for (const [mode, tokens] of Object.entries(told.modes)) {
    ticker.subscribe(tokens);
    ticker.setMode(mode, tokens);
  }
  process.stderr.write("connected\n");
});
ticker.on("ticks", (ticks) => { heard.ticks.push(...ticks); enough(); });
ticker.on("order_update", (order) => { heard.orders.push(order); enough(); });
ticker.on("error", (error) => { heard.errors.push([0, String(error && error.message)]); });
ticker.on("close", () => { heard.closed.push([0, "closed"]); end(); });
ticker.connect();
setTimeout(end, told.seconds * 1000);
