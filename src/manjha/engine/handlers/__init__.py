"""One module a family of events; `engine.step` dispatches to them."""
