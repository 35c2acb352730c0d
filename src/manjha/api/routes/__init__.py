"""One module a resource: each has a `router`, and a mark on every route says who may call it."""
