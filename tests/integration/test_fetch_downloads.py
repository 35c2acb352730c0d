"""The client over a real socket: what is tried again, what is waited for, what is said when it fails."""

import email.utils
import gzip

import httpx2
import pytest

from manjha.adapters.system import downloads as system
from manjha.adapters.system.downloads import WAIT_MAX_S, WAITS_S, HttpDownloads
from manjha.domain.errors import SourceError
from manjha.domain.moments import MINUTE_NS, SECOND_NS
from manjha.services.rate_limit import TokenBucket
from tests.fakes.history_servers import Answer, Asked, downloads, in_order, serving, slow_server
from tests.fakes.market_data import JumpingClock

ROWS = Answer(b"rows")


def test_a_passing_failure_is_tried_again_after_the_wait_asked_for() -> None:
    clock = JumpingClock(0)
    replies = in_order(Answer(status=500), Answer(status=429, headers={"Retry-After": "7"}), ROWS)
    with serving(replies) as (base, asked):
        assert downloads(clock).get(f"{base}/a", {}).body == b"rows"
    assert len(asked) == 3
    assert clock.now == (1 + 7) * SECOND_NS


def test_a_wait_may_be_asked_for_as_a_date() -> None:
    clock = JumpingClock(1_000 * SECOND_NS)
    date = email.utils.formatdate(1_030, usegmt=True)
    with serving(in_order(Answer(status=503, headers={"Retry-After": date}), ROWS)) as (base, _):
        assert downloads(clock).get(f"{base}/a", {}).body == b"rows"
    assert clock.now == 1_030 * SECOND_NS


def test_a_wait_that_is_too_long_ends_the_job_with_its_length() -> None:
    clock = JumpingClock(0)
    busy = Answer(status=429, headers={"Retry-After": str(WAIT_MAX_S + 1)})
    with serving(in_order(busy)) as (base, asked), pytest.raises(SourceError, match=f"{WAIT_MAX_S + 1} s"):
        downloads(clock).get(f"{base}/a", {})
    assert (len(asked), clock.waits) == (1, [])


def test_a_wait_that_is_nonsense_is_the_usual_one() -> None:
    clock = JumpingClock(0)
    with serving(in_order(Answer(status=429, headers={"Retry-After": "soon"}), ROWS)) as (base, _):
        assert downloads(clock).get(f"{base}/a", {}).status == 200
    assert clock.now == WAITS_S[0] * SECOND_NS


def test_tries_are_bounded_and_the_message_names_path_and_status() -> None:
    clock = JumpingClock(0)
    with serving(in_order(Answer(status=503))) as (base, asked), pytest.raises(SourceError, match=r"/a: status 503"):
        downloads(clock).get(f"{base}/a?secret=1", {"Authorization": "token key:hush"})
    assert len(asked) == len(WAITS_S) + 1
    assert clock.now == sum(WAITS_S) * SECOND_NS


def test_a_refusal_is_an_answer_and_not_tried_again() -> None:
    with serving(in_order(Answer(b"no", status=403))) as (base, asked):
        reply = downloads(JumpingClock(0)).get(f"{base}/a", {})
    assert (reply.status, reply.body, len(asked)) == (403, b"no", 1)


def test_no_secret_is_said_when_nothing_answers() -> None:
    with pytest.raises(SourceError, match="no connection") as caught:
        downloads(JumpingClock(0)).get("http://127.0.0.1:9/a?token=hush", {"Authorization": "hush"})
    assert "hush" not in str(caught.value)


def test_a_truncated_body_is_tried_again() -> None:
    half = Answer(b"half", headers={"Content-Length": "8"})
    with serving(in_order(half, Answer(b"complete"))) as (base, _):
        assert downloads(JumpingClock(0)).get(f"{base}/a", {}).body == b"complete"


def test_a_body_that_cannot_be_unpacked_is_tried_again() -> None:
    broken = Answer(b"no gzip at all", headers={"Content-Encoding": "gzip"})
    with serving(in_order(broken, ROWS)) as (base, asked):
        assert downloads(JumpingClock(0)).get(f"{base}/a", {}).body == b"rows"
    assert len(asked) == 2


def test_gzip_is_unpacked() -> None:
    packed = Answer(gzip.compress(b"rows"), headers={"Content-Encoding": "gzip"})
    with serving(in_order(packed)) as (base, _):
        assert downloads(JumpingClock(0)).get(f"{base}/a", {}).body == b"rows"


def test_a_body_beyond_all_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "SIZE_MAX", 1_000)
    bomb = Answer(gzip.compress(b"0" * 100_000), headers={"Content-Encoding": "gzip"})
    with serving(in_order(bomb)) as (base, asked), pytest.raises(SourceError, match="more than 1,000 bytes"):
        downloads(JumpingClock(0)).get(f"{base}/a", {})
    assert len(asked) == 1


def test_a_server_that_never_answers_is_given_up() -> None:
    with slow_server() as base, pytest.raises(SourceError, match="no answer in time"):
        downloads(JumpingClock(0), timeout_s=0.05).get(f"{base}/a", {})


def test_cookies_are_kept() -> None:
    def answers(asked: Asked) -> Answer:
        if asked.path == "/home":
            return Answer(headers={"Set-Cookie": "visit=1"})
        return Answer(asked.headers.get("cookie", "none").encode())

    with serving(answers) as (base, _):
        client = downloads(JumpingClock(0))
        client.get(f"{base}/home", {})
        assert client.get(f"{base}/file", {}).body == b"visit=1"


def test_a_key_does_not_follow_a_redirect_to_another_address() -> None:
    with serving(lambda asked: Answer(asked.headers.get("authorization", "none").encode())) as (other, _):
        away = Answer(status=302, headers={"Location": f"{other}/b"})
        with serving(in_order(away)) as (base, _):
            assert downloads(JumpingClock(0)).get(f"{base}/a", {"Authorization": "hush"}).body == b"none"


def test_every_request_is_paced_also_one_that_is_tried_again() -> None:
    clock = JumpingClock(0)
    bucket = TokenBucket(clock, per_minute=1, burst=1)
    with serving(in_order(Answer(status=500), ROWS)) as (base, _):
        HttpDownloads(clock, bucket.take, httpx2.Client()).get(f"{base}/a", {})
    assert clock.now == MINUTE_NS
