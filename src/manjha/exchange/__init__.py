"""A Kite-compatible exchange: official clients log in to it, trade on it and stream from it, and nothing is real.

Boundary
--------
**Core** (synchronous, no clock, no sockets, chance only from the seed): `exchange.Exchange` holds everything and is
brought to a moment by `advance`. Below it: `market` (ticks, standings, the venue that all accounts share), `book`
(orders and trades of the day, ids), `desk` (place, modify, cancel), `passage` (the way of an order, stage by stage),
`varieties`, `checks` (what is refused at once), `hours`, `sessions`, `accounts`, `listing`, `limits`, `switches`
(dated rules), `agenda` (what is due, as plain values), `events` (what others hear of). Parts of every exchange:
`broker` (who has what: `assets`, of `positions`, `holdings` and `funds`; refuses orders for want of them),
`calculators`, `quotes`, `candles`, `gtts`, `alerts`.

**Wire**: `calls` (a request and its answer as plain values; `answered` checks session, limits, plan, address), `routes`
(a module a topic, each with its `ROUTES`, joined in `routes.table`), `wire` (numbers and times), `errors` (the one
exception; `application` turns it into a body).

**Shell**: `application` (Starlette), `clock` (real time to the exchange's), `serving` (uvicorn). Nothing else waits.

How a further part plugs in
---------------------------
- State of its own is a class that is made with the `Exchange`: it calls `exchange.hearers.add(self.hear)` for events,
  `exchange.tick_hearers.append(...)` for ticks, `exchange.agenda.on(Kind, does)` and `exchange.agenda.put(ts_ns,
  value)` for what it does later, `exchange.passage.risk.append(...)` to refuse orders that have an id already.
- Its routes are a module in `routes` with a `ROUTES` tuple, and one line in `routes.table`.
- What is no request (WebSockets, senders) goes into `application.create_app` as `further` routes and `chores`.
- It raises `errors.KiteError` and nothing else for what a client did.
"""
