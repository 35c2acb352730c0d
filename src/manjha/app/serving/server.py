"""Serves the API on a socket until it is told to end."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from manjha.domain.errors import ManjhaError, UsageError

if TYPE_CHECKING:
    import uvicorn

    from manjha.app.observing.served import ServedApi
    from manjha.app.serving.reach import Reach
    from manjha.app.settings import Settings
    from manjha.services.identity.access import Access
    from manjha.services.identity.stored import StoredIdentity

IDLE_S = 75
ENDS_WITHIN_S = 5
"""How long requests may take that are under way when the server ends."""
TENDS_S = 0.25
"""How often it is looked whether somebody may be let in no more."""
WAITING_MAX = 2_048
"""Connections at one time, streams among them; more are answered 503."""
MESSAGE_MAX = 4_096
"""Bytes of a message that comes over a WebSocket: none is expected."""


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 for any that is free. Raises `UsageError` where it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named: otherwise small answers wait for the acknowledgement of the one before (40 ms).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as taken:
        listener.close()
        raise UsageError(
            f"cannot listen on {host}:{port}: {taken.strerror}", hint="Choose another --port; 0 takes any that is free."
        ) from None
    listener.listen(128)
    return listener


def serve_until_told(
    settings: "Settings", listener: socket.socket, reach: "Reach", observed: "ServedApi | None" = None
) -> None:
    """Serve the API on a socket.

    Raises `SettingsError` where the database cannot be read, or there is no place for the keys of what lets in.
    """
    from manjha.app.serving.access import access_to

    access, identity = access_to(settings)
    access.desk.ring.now()
    identity.refresh()
    with tended(identity):
        server_of(settings, access, reach, observed).run([listener])


@contextmanager
def tended(identity: "StoredIdentity") -> Iterator[None]:
    """Have a thread look after who may be let in, so that no request waits for the database to tell."""
    ends = threading.Event()

    def tend() -> None:
        while not ends.wait(TENDS_S):
            # What is not read in time is read by whoever asks next, and he is refused where that fails.
            with suppress(ManjhaError):
                identity.tend()

    thread = threading.Thread(target=tend, name="access", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def server_of(
    settings: "Settings", access: "Access", reach: "Reach", observed: "ServedApi | None" = None
) -> "uvicorn.Server":
    """Return a server of the API; it logs what breaks, and no request."""
    import uvicorn

    from manjha.api.application import create_api
    from manjha.api.metrics import Measured
    from manjha.app.serving.parts import api_parts

    parts = api_parts(settings, access, reach.proxies)
    application = create_api(parts) if observed is None else create_api(parts, observed.logged)
    if observed is not None and observed.figures is not None:
        application.add_middleware(Measured, figures=observed.figures)
    return uvicorn.Server(
        uvicorn.Config(
            application, log_config=None, log_level="warning", access_log=False, server_header=False,
            timeout_keep_alive=IDLE_S, timeout_graceful_shutdown=ENDS_WITHIN_S, limit_concurrency=WAITING_MAX,
            proxy_headers=False, ssl_certfile=reach.certificate, ssl_keyfile=reach.key,
            ws="websockets-sansio", ws_max_size=MESSAGE_MAX, ws_max_queue=4,
        )
    )  # fmt: skip
