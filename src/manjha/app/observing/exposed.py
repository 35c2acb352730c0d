"""Lets Prometheus ask a process of ours for its figures: on this machine alone, in a thread of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector, start_http_server
from prometheus_client.registry import CollectorRegistry

from manjha.domain.errors import UsageError

HOST = "127.0.0.1"
"""Figures tell of money: they are never offered to another machine."""


def new_registry() -> CollectorRegistry:
    """Return a registry that has what every process tells of itself: memory, processor time, open files."""
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    return registry


@contextmanager
def exposed(registry: CollectorRegistry, port: int | None, setting: str) -> Iterator[None]:
    """Answer at a port until the end of the block; None answers nobody. `setting` is where the port comes from.

    Raises
    ------
    UsageError
        The port is taken: whoever looks there would believe the figures of another process.
    """
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, HOST, registry)
    except OSError as taken:
        raise UsageError(
            f"the port {port} of {setting} cannot be listened at: {taken.strerror}",
            hint="Give each process a port of its own, as MANJHA_METRICS_TRADER_PORT=9101 does for this one.",
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
