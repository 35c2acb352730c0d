"""A server on this machine that answers as it is told, so that downloads are tested over a real socket."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import msgspec

from manjha.adapters.system.downloads import HttpDownloads
from manjha.ports.clock import Clock


class Asked(msgspec.Struct, frozen=True):
    """A request: the path with its query, the headers in lower case, how often it was made before."""

    path: str
    headers: Mapping[str, str]
    before: int


class Answer(msgspec.Struct, frozen=True):
    """What is answered. A `Content-Length` among the headers stands in place of the body's own."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = {}


Answers = Callable[[Asked], Answer]


@contextmanager
def serving(answers: Answers) -> Iterator[tuple[str, list[str]]]:
    """Serve until left; give the address and the list of paths as they are asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Asked(self.path, headers, asked.count(self.path))
            asked.append(self.path)
            answer = answers(request)
            self.send_response(answer.status)
            for name, value in ({"Content-Length": str(len(answer.body))} | dict(answer.headers)).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *args: object) -> None:
            del args

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that gave up is what some tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def slow_server() -> Iterator[str]:
    """Serve an address that takes a request and answers nothing until left."""
    done = threading.Event()

    def wait(_asked: Asked) -> Answer:
        done.wait(30)
        return Answer()

    with serving(wait) as (base, _):
        try:
            yield base
        finally:
            done.set()


def in_order(*answers: Answer) -> Answers:
    """Answer the first request of a path with the first answer, and so on; the last one again and again."""
    return lambda asked: answers[min(asked.before, len(answers) - 1)]


def downloads(clock: Clock, timeout_s: float = 10.0) -> HttpDownloads:
    """Return the real client, without a pace."""
    return HttpDownloads(clock, lambda: None, httpx2.Client(timeout=timeout_s, follow_redirects=True))
