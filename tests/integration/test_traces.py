"""Traces of orders: what a receiver of OTLP over HTTP gets, what is not in it, and that without it nothing is made."""

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from manjha.app.observing.traces import TracedLink, Traces, tracing
from manjha.app.setting_sections import TraceSettings
from manjha.app.trading.session import Session
from tests.fakes.paper import ACCOUNT, Paper
from tests.fakes.tick_runs import random_tick_run

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

PARTS = ["decide", "journal", "send", "acknowledge", "book"]


class Receiver(HTTPServer):
    """Takes spans as a collector does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        assert self.path == "/v1/traces"
        self.server.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def traced(receiver: Receiver, sampled: int = 1_000) -> Iterator[tuple[Paper, Session]]:
    """Give a simulated trader whose orders are traced."""
    with tracing(TraceSettings(receiver.url, sampled)) as traces:
        paper = Paper(random_tick_run(3), "run")
        told, begin = paper._seen, paper.begin

        def seen(event: object, outputs: object) -> None:
            told(event, outputs)  # type: ignore[arg-type]
            traces.saw(event, outputs)  # type: ignore[arg-type]

        paper.begin = lambda *given: begin(*given[:-1], given[-1]._replace(seen=seen, watched=traces.around))
        yield paper, paper.start()


def lived(paper: Paper, session: Session) -> None:
    for tick in paper.ticks():
        session.let_in(tick)
    session.trader.rest()


def test_each_order_is_one_trace_whose_parts_follow_each_other(receiver: Receiver) -> None:
    with traced(receiver) as (paper, session):
        lived(paper, session)
    roots = {span.span_id: span for span in receiver.spans if span.name == "order"}
    assert len(roots) == len(paper.sent) > 3
    assert {one.value.string_value for root in roots.values() for one in root.attributes if one.key == "tag"} == {
        sent.tag for sent in paper.sent
    }
    for root in roots.values():
        parts = sorted(
            (span for span in receiver.spans if span.parent_span_id == root.span_id),
            key=lambda span: PARTS.index(span.name),
        )
        assert [span.name for span in parts] == PARTS
        assert all(span.trace_id == root.trace_id for span in parts)
        moments = [moment for span in parts for moment in (span.start_time_unix_nano, span.end_time_unix_nano)]
        assert moments == sorted(moments)
        assert root.start_time_unix_nano <= moments[0]
        assert moments[-1] <= root.end_time_unix_nano
        assert [event.name for event in parts[0].events] == ["gate"]


def test_a_trace_does_not_say_whose_order_it_is(receiver: Receiver) -> None:
    with traced(receiver) as (paper, session):
        lived(paper, session)
    assert receiver.bodies
    assert ACCOUNT.encode() not in b"".join(receiver.bodies)


def test_of_a_thousand_orders_as_many_are_traced_as_is_asked_for(receiver: Receiver) -> None:
    with traced(receiver, sampled=1) as (paper, session):
        lived(paper, session)
    assert len(receiver.spans) < 6 * len(paper.sent)


def test_what_is_decided_is_the_same_with_traces_and_without(receiver: Receiver) -> None:
    plain = Paper(random_tick_run(3), "run")
    lived(plain, plain.start())
    with traced(receiver) as (paper, session):
        lived(paper, session)
    assert paper.sent == plain.sent


def test_where_nobody_listens_trading_goes_on(receiver: Receiver) -> None:
    gone = TraceSettings("http://127.0.0.1:9", 1_000)
    with tracing(gone) as traces:
        assert isinstance(traces, Traces)


def test_without_an_address_nothing_of_it_is_loaded_and_nothing_lies_between() -> None:
    script = (
        "import sys, os; from manjha.app.observing.observer import observing; from manjha.app.settings import "
        "load_settings\nwith observing(load_settings(), 'A') as o: pass\n"
        "assert not [m for m in sys.modules if m.startswith(('opentelemetry', 'prometheus_client'))], 'loaded'"
    )
    env = {"MANJHA_LOGS_TO": "off", "MANJHA_HOME": "nowhere"}
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    paper = Paper(random_tick_run(3), "run")
    assert not isinstance(paper.start().trader._link, TracedLink)
