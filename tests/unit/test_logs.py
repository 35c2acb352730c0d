"""Logs: what is never in a line, that a line is one line, and that whoever logs does not wait."""

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manjha.app.logs import LINES_MAX, Redaction, Writer, as_json, as_words, clean, logging_of
from manjha.app.settings import Settings, load_settings

CANARY = "canary7f3a9e2b5d"


def settings_of(home: Path, **chosen: str) -> Settings:
    names = {f"MANJHA_LOGS_{name.upper()}": value for name, value in chosen.items()}
    return load_settings({"MANJHA_HOME": str(home), **names})


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    "text",
    [
        f"wss://ws.kite.trade?api_key={CANARY}&access_token={CANARY}",
        f"GET /session?request_token={CANARY}&status=success",
        f"Authorization: token {CANARY}:{CANARY}",
        f"authorization=Bearer {CANARY}",
        f'{{"password": "{CANARY}", "user": "me"}}',
        f"postgresql://me:{CANARY}@host/name",
        f"api_secret='{CANARY}'",
        f"X-Kite-Signature: {CANARY}",
        f"checksum={CANARY}",
    ],
)
def test_secrets_are_taken_out_by_the_name_that_stands_before_them(text: str) -> None:
    assert CANARY not in Redaction(()).text(text)


@pytest.mark.parametrize("name", ["password", "api_secret", "access_token", "Authorization", "cookie", "X-Api-Key"])
def test_a_field_of_such_a_name_is_never_written(name: str) -> None:
    assert CANARY not in str(Redaction(())({"event": "x", name: CANARY}))


def test_secrets_are_taken_out_by_value_wherever_they_stand_and_what_was_learnt_later_too() -> None:
    redact = Redaction([CANARY])
    assert CANARY not in str(redact({"event": f"odd{CANARY}odd", f"name{CANARY}": 1, "values": (CANARY,)}))
    redact.learn("another-secret")
    assert "another-secret" not in redact.text(f"another-secret {CANARY}")
    assert CANARY not in redact.text(f"another-secret {CANARY}")


def test_plain_words_stay_as_they_are() -> None:
    line = {"event": "order decided", "order": "AB-1", "price": "101.50", "qty": 5, "why": "basic limits token 5"}
    assert Redaction([CANARY])(line) == line


@given(st.text())
def test_whatever_a_value_holds_the_line_is_one_line_and_moves_no_cursor(text: str) -> None:
    written = as_json(Redaction(())({"time": "t", "level": "info", "event": text, "why": text}))
    assert len(written.splitlines()) == 1
    assert "\x1b" not in written
    assert set(json.loads(written)) == {"time", "level", "event", "why"}
    words = as_words(Redaction(())({"time": "t", "level": "info", "event": text, "why": text}))
    assert len(words.splitlines()) <= 1
    assert "\x1b" not in words


def test_what_would_forge_a_line_is_written_as_an_escape() -> None:
    assert clean("a\r\n\x1b[2Jb\u2028\u202ec") == "a\\r\\n\\x1b[2Jb\\u2028\\u202ec"


def test_a_file_has_json_lines_of_ours_and_of_libraries_in_order(tmp_path: Path) -> None:
    with logging_of(settings_of(tmp_path), "trader-AB1234", {"MANJHA_KITE_API_SECRET": CANARY}) as log:
        log.lines.info("order decided", account="AB1234", seq=7)
        logging.getLogger("some.library").error("failed with %s", CANARY)
        log.lines.debug("not written")
    path = tmp_path / "logs" / "trader-AB1234.log"
    first, second = lines(path)
    assert (first["event"], first["account"], first["seq"], first["level"]) == ("order decided", "AB1234", 7, "info")
    assert (second["event"], second["logger"]) == ("failed with [hidden]", "some.library")
    assert path.stat().st_mode & 0o077 == 0


def test_a_traceback_of_a_library_has_no_secret(tmp_path: Path) -> None:
    with logging_of(settings_of(tmp_path), "api", {"MANJHA_SEAL_KEY": CANARY}):
        try:
            int(f"bad {CANARY}")
        except ValueError:
            logging.getLogger("uvicorn.error").exception("it broke")
    (only,) = lines(tmp_path / "logs" / "api.log")
    assert "ValueError" in str(only["error"])
    assert CANARY not in json.dumps(only)


def test_account_ids_are_masked_where_that_is_wished(tmp_path: Path) -> None:
    with logging_of(settings_of(tmp_path, mask_accounts="true"), "trader-AB1234", {}) as log:
        log.lines.info("order decided", account="AB1234", order="AB1234-20260105-1")
    text = next((tmp_path / "logs").glob("*.log")).read_text()
    assert "AB1234" not in text
    assert "AB**34" in text


def test_after_the_end_libraries_are_not_heard_any_more(tmp_path: Path) -> None:
    before = list(logging.getLogger().handlers)
    with logging_of(settings_of(tmp_path), "api", {}):
        assert logging.getLogger().handlers != before
    assert logging.getLogger().handlers == before
    assert not [one for one in threading.enumerate() if one.name == "log"]


def test_switched_off_nothing_is_written(tmp_path: Path) -> None:
    with logging_of(settings_of(tmp_path, to="off"), "api", {}) as log:
        log.lines.error("nobody reads it")
    assert not (tmp_path / "logs").exists()


def test_a_file_that_is_full_is_put_aside_and_only_so_many_are_kept(tmp_path: Path) -> None:
    with logging_of(settings_of(tmp_path, file_mb="1", files="2"), "api", {}) as log:
        for at in range(1_500):
            log.lines.info("x" * 3_000, at=at)
    found = sorted((tmp_path / "logs").iterdir())
    assert [one.name for one in found] == ["api.log", "api.log.1", "api.log.2"]
    assert lines(found[0])[-1]["at"] == 1_499


class Stuck:
    """A disk that takes nothing until it is let go."""

    def __init__(self) -> None:
        self.free, self.written = threading.Event(), list[str]()

    def __call__(self, line: str) -> None:
        self.free.wait()
        self.written.append(line)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    found = Stuck()
    yield found
    found.free.set()


def test_a_disk_that_hangs_keeps_nobody_waiting_and_what_is_lost_is_counted(stuck: Stuck) -> None:
    writer = Writer(Redaction(()), as_json, stuck)
    for at in range(LINES_MAX + 50):
        writer.put({"time": "t", "level": "info", "event": str(at)})
    assert writer.lost >= 49
    stuck.free.set()
    writer.close()
    told = [line for line in map(json.loads, stuck.written) if "lines" in line]
    assert sum(line["lines"] for line in told) == writer.lost
    assert len(stuck.written) - len(told) == LINES_MAX + 50 - writer.lost


def test_a_disk_that_is_full_ends_nothing() -> None:
    def full(line: str) -> None:
        raise OSError(28, "No space left on device", line)

    writer = Writer(Redaction(()), as_json, full)
    line: Mapping[str, object] = {"time": "t", "level": "info", "event": "x"}
    writer.put(line)
    writer.put(line)
    writer.close()
    assert writer.lost > 0
