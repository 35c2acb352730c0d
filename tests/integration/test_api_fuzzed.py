"""Schemathesis reads the API's own document and asks all that it allows, and much that it does not."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import uvicorn

from manjha.api.application import create_api
from manjha.app.bootstrap import bar_store, instrument_book, market_rules
from manjha.app.serving.server import listening
from manjha.app.serving.traders import HomeTraders
from manjha.app.settings import load_settings
from manjha.domain.errors import UsageError
from manjha.domain.moments import parse_day
from manjha.ports.traders import SessionWords
from manjha.services.synthetic_market import seed_store
from tests.fakes.api import known_parts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "12")
"""Requests an operation that are made up by chance; the phase of coverage has its own, some hundreds an operation."""
SETTINGS = """
[checks.positive_data_acceptance]
# 422: of the right form, and nothing that there is: an instrument without bars, a parameter that a strategy has not.
# 401: a password, a link or a refresh of the right form that nobody has.
expected-statuses = ["2xx", "3xx", "401", "404", "409", "422", "429"]
"""
SPAN = parse_day("2025-12-22"), parse_day("2025-12-23")


class NoTraders(HomeTraders):
    """Starts no process, however it is asked."""

    def start(self, words: SessionWords) -> None:
        raise UsageError(f"{words.account} is not traded here", hint="It is a test.")


@contextmanager
def served(errors: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """Serve the API over a home with a market in it; give its root and its document. `errors` gets what it logs."""
    settings = load_settings()
    seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), 7, SPAN)
    parts = msgspec.structs.replace(known_parts(settings), traders=NoTraders(settings))
    app = create_api(parts, lambda reference, error: errors.append(f"{reference} {error!r}"))
    listener = listening("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", app.openapi()
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def test_nothing_that_can_be_asked_breaks_it_or_is_answered_otherwise_than_described(tmp_path: Path) -> None:
    errors: list[str] = []
    with served(errors) as (root, document):
        described = tmp_path / "openapi.json"
        described.write_text(json.dumps(document))
        words = [
            str(described), "--url", root, "-H", "Authorization: Bearer all+proved", "--phases",
            "examples,coverage,fuzzing,stateful", "--checks", "all", "--max-examples", EXAMPLES, "--seed", "7",
            "--no-shrink", "--continue-on-failure", "--request-timeout", "120", "--warnings", "off",
            # A token of every scope asks: there is nothing that it may not.
            # It does not end: tests/integration/test_api_stream.py asks it.
            "--exclude-path", "/api/v1/stream",
            # Answered 403 unless it is proved by its bytes: tests/integration/test_api_hooks.py sends such.
            "--exclude-path-regex", "/hooks/(kite|signals)/",
            "--exclude-checks", "ignored_auth,object_level_authorization",
        ]  # fmt: skip
        (tmp_path / "schemathesis.toml").write_text(SETTINGS)
        program = Path(sys.executable).with_name("schemathesis")
        run = subprocess.run(
            [program, "run", *words], capture_output=True, text=True, check=False, cwd=tmp_path, env=_quiet()
        )
    assert errors == []
    assert run.returncode == 0, run.stdout[-20_000:]


def _quiet() -> dict[str, str]:
    return os.environ | {"SCHEMATHESIS_HOOKS": "", "NO_COLOR": "1", "PYTHONWARNINGS": "ignore"}
