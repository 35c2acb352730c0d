"""A web server that receives: what was posted to it, and how it answers."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

SECONDS = 20


class Receiver:
    """Where postbacks end in a test."""

    def __init__(self, url: str, bodies: "queue.Queue[bytes]") -> None:
        self.url = url
        self._bodies = bodies

    def next(self) -> bytes:
        """Return the oldest body that was not looked at yet; wait for it."""
        return self._bodies.get(timeout=SECONDS)

    @property
    def is_empty(self) -> bool:
        """Whether nothing more has come."""
        return self._bodies.empty()


@contextlib.contextmanager
def receiving(*codes: int) -> Iterator[Receiver]:
    """Receive on loopback; answer with these codes one after another, the last one again and again."""
    bodies: queue.Queue[bytes] = queue.Queue()
    left = list(codes or (200,))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.send_header("content-length", "0")
            self.end_headers()
            bodies.put(body)

        def log_message(self, *words: object) -> None:
            del words

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield Receiver(f"http://127.0.0.1:{server.server_port}/postback", bodies)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(SECONDS)
