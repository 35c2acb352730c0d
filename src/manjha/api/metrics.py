"""Figures of the API for Prometheus: how many requests, how they ended, how long they took.

The label of a route is its template (`/api/v1/bars/{instrument}`), never the path that was asked for: whoever asks
could otherwise make as many series as there are words, and paths have ids. What no route is for is one series.
"""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
NO_ROUTE = "none"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ABANDONED = "abandoned"
"""How a request ended that got no answer: the caller was gone, or the server broke."""


class HttpFigures:
    """The figures of an API; of one registry there is one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route")
        self.requests = Counter("manjha_http_requests", "Requests that ended.", (*labels, "status"), registry=registry)
        self.seconds = Histogram(
            "manjha_http_request_seconds", "From a request to the end of its answer.", labels, buckets=BOUNDS,
            registry=registry,
        )  # fmt: skip
        self.under_way = Gauge("manjha_http_requests_under_way", "Requests that have not ended.", registry=registry)


class Measured:
    """An ASGI application around another one: it counts and times requests, and changes none."""

    def __init__(self, app: ASGIApp, figures: HttpFigures) -> None:
        self._app, self._figures = app, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = ABANDONED, time.perf_counter()

        async def heard(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        figures = self._figures
        figures.under_way.inc()
        try:
            await self._app(scope, receive, heard)
        finally:
            figures.under_way.dec()
            method = scope["method"] if scope["method"] in METHODS else "other"
            route = route_of(scope)
            figures.requests.labels(method, route, status).inc()
            figures.seconds.labels(method, route).observe(time.perf_counter() - began)


def route_of(scope: Scope) -> str:
    """Return the template of the route that answered a request; `NO_ROUTE` where none did."""
    route = scope.get("route")
    return str(getattr(route, "path", NO_ROUTE))
