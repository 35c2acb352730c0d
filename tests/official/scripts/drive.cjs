// Call methods of the official JavaScript client one after another, as drive.py does with the Python client.
const fs = require("fs");
const { KiteConnect } = require("kiteconnect");

const told = JSON.parse(fs.readFileSync(0, "utf8"));
const kite = new KiteConnect({ api_key: told.api_key, access_token: told.access_token, root: told.root });
const given = [];
let hooked = 0;
kite.setSessionExpiryHook(() => { hooked += 1; });

function filled(value) {
  if (Array.isArray(value)) return value.map(filled);
  if (value === null || typeof value !== "object") return value;
  if (Object.keys(value).length === 1 && "$" in value) {
    const [step, ...keys] = value.$;
    return keys.reduce((found, key) => found[key], given[step].gave);
  }
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, filled(part)]));
}

async function posted(path, fields) {
  const body = new URLSearchParams(fields);
  return fetch(told.root + path, { method: "POST", body, redirect: "manual" });
}

async function login(user) {
  const page = await posted("/connect/login", { api_key: told.api_key, user_id: user });
  const landed = Object.fromEntries(new URL(page.headers.get("location"), told.root).searchParams);
  const session = await kite.generateSession(landed.request_token, told.api_secret);
  return { landed, session };
}

async function done(step) {
  if ("login" in step) return login(step.login);
  if ("advance" in step) return (await (await posted("/simulation/advance", { seconds: step.advance })).json()).data;
  if ("token" in step) { kite.setAccessToken(filled(step.token)); return null; }
  if ("http" in step) {
    const [method, parts, form] = filled(step.http);
    const path = [parts].flat().join("");
    const headers = { Authorization: `token ${kite.api_key}:${kite.access_token}` };
    const body = method === "GET" ? undefined : new URLSearchParams(form);
    return (await (await fetch(told.root + path, { method, headers, body })).json()).data;
  }
  return kite[step.call](...filled(step.args || []));
}

(async () => {
  for (const step of told.steps) {
    try {
      given.push({ gave: await done(step) });
    } catch (error) {
      given.push({ error: error.error_type || error.name, code: error.code ?? null, text: error.message });
    }
  }
  process.stdout.write(JSON.stringify({ steps: given, hooked }));
})();
