"""Logs: one line for each thing that matters, as JSON, written by a thread of its own so that nobody waits for a disk.

Whoever logs puts names and values into a bounded queue; where it is full the line is lost and counted, and the next
line that is written says so. Secrets are taken out by the name of a field and by their known values, whichever library
the line comes from; what would begin a new line or move a terminal's cursor is written as an escape (RELIABILITY S16,
S27).
"""

import json
import logging
import queue
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from manjha.adapters.system.clock import SystemClock
from manjha.domain.moments import TsNs, format_ts
from manjha.services.notes import masked

if TYPE_CHECKING:
    from manjha.app.setting_sections import LogSettings
    from manjha.app.settings import Settings

LINES_MAX = 10_000
"""Lines that may wait to be written."""
ENDS_WITHIN_S = 5.0
"""How long the end waits for lines that have not been written."""
VALUE_MAX = 4_000
"""Letters of one value; what is longer is cut, a traceback at its beginning."""
HIDDEN = "[hidden]"
NAMED = re.compile(
    r"(?:pass(?:word|wd|phrase)?|secret|token|authori[sz]ation|api[_-]?key|cookie|credential|checksum|signature|totp"
    r"|seal[_-]?key|private[_-]?key|enctoken)",
    re.IGNORECASE,
)
"""Names of fields whose values are never written."""
IN_TEXT = re.compile(
    r"""(?ix)
    (\b[\w-]*(?:access_token|request_token|refresh_token|api_key|api_secret|enctoken|password|passwd|secret|signature
    |checksum|authorization|totp)[\w-]*["']?\s*[=:]\s*["']?(?:(?:bearer|token|basic)\s+)?) [^\s"'&,;}]+
    | (\b(?:bearer|token|basic)\s+) [A-Za-z0-9._~+/:=-]{8,}
    | (://[^\s/:@]*:) [^\s/@]+ (?=@)
    """
)
"""The same within a text: `name=value` of an address, headers, and the password of a URL."""
BETWEEN = re.compile(r"[=\s]|:[^:]")
"""What stands between a name and a secret wherever `IN_TEXT` finds one: without it there is nothing to look for."""
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What begins a new line, moves a cursor, or turns the direction of writing."""
SECRET_LETTERS_MIN = 6
"""Shorter values are no secrets that could be told from other words."""
_CLOCK = SystemClock()
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Redaction:
    """Takes secrets out of lines: by name, by value, and, where that is wished, letters of the account's id."""

    def __init__(self, secrets: Iterable[str], accounts: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._values: re.Pattern[str] | None = None
        self.learn(*secrets)
        self._accounts = {one: masked(one) for one in accounts if one}  # type: ignore[arg-type]

    def learn(self, *secrets: str) -> None:
        """Take further values out from now on: what a login has brought."""
        new = {one for one in secrets if len(one) >= SECRET_LETTERS_MIN} - self._known
        if not new:
            return
        self._known |= new
        longest_first = sorted(self._known, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, line: Mapping[str, object]) -> dict[str, object]:
        """Return the line without them, safe to be written: no value begins a new line."""
        return {clean(self.text(name)): self._value(name, value) for name, value in line.items()}

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        if self._values is not None:
            text = self._values.sub(HIDDEN, text)
        if not text.isalnum() and BETWEEN.search(text):
            text = IN_TEXT.sub(lambda found: f"{next(filter(None, found.groups()), '')}{HIDDEN}", text)
        for account, shown in self._accounts.items():
            text = text.replace(account, shown)
        return text

    def _value(self, name: str, value: object) -> object:
        if _is_secret_name(name):
            return HIDDEN
        if value is None or isinstance(value, bool | int | float):
            return value
        return clean(self.text(str(value))[:VALUE_MAX])


@lru_cache(1_000)
def _is_secret_name(name: str) -> bool:
    return NAMED.search(name) is not None


def clean(text: str) -> str:
    """Return a text in which nothing begins a new line or moves a cursor: such letters are written as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def as_json(line: Mapping[str, object]) -> str:
    """Return a line as one JSON object."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def as_words(line: Mapping[str, object]) -> str:
    """Return a line for a person: the time of day, the level, what happened, and the rest as `name=value`."""
    rest = " ".join(f"{name}={value}" for name, value in line.items() if name not in ("time", "level", "event"))
    return f"{str(line['time'])[11:23]} {line['level']!s:7} {line['event']} {rest}".rstrip()


def _moment(time: object) -> object:
    """Write a moment for people; the thread that writes does it, not who logs."""
    return format_ts(TsNs(time)) if isinstance(time, int) else time


class Writer:
    """Writes lines in a thread of its own, in the order in which they were put."""

    def __init__(
        self, redact: Redaction, form: Callable[[Mapping[str, object]], str], write: Callable[[str], object]
    ) -> None:
        self._redact, self._form, self._write = redact, form, write
        self._lines: queue.Queue[Mapping[str, object] | None] = queue.Queue(LINES_MAX)
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._told = 0
        self.lost = 0
        self._thread.start()

    def put(self, line: Mapping[str, object]) -> None:
        """Take a line; it never waits. Where too many wait it is lost, and counted."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Write what waits, for a bounded time."""
        try:
            self._lines.put(None, timeout=ENDS_WITHIN_S)
        except queue.Full:
            return
        self._thread.join(ENDS_WITHIN_S)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            self._tell_lost(line)
            self._written(line)

    def _tell_lost(self, line: Mapping[str, object]) -> None:
        lost = self.lost - self._told
        if lost:
            self._told += lost
            self._written(
                {"time": line["time"], "level": "error", "event": "lines of the log were lost", "lines": lost}
            )

    def _written(self, line: Mapping[str, object]) -> None:
        try:
            self._write(self._form(self._redact({**line, "time": _moment(line["time"])})))
        except (OSError, ValueError):
            # A full disk or a closed terminal takes no lines; trading goes on, and the count says that some are lost.
            self.lost += 1


class _OfLibraries(logging.Handler):
    """Puts what libraries log by the standard module into the same queue."""

    def __init__(self, writer: Writer, level: int) -> None:
        super().__init__(level)
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        line: dict[str, object] = {
            "time": _CLOCK.now_ns(), "level": record.levelname.lower(),
            "event": record.getMessage(), "logger": record.name,
        }  # fmt: skip
        if record.exc_info:
            line["error"] = (self.formatter or logging.Formatter()).formatException(record.exc_info)[-VALUE_MAX:]
        self._writer.put(line)


def logger_over(writer: Writer, level: int) -> FilteringBoundLogger:
    """Return a logger into a writer; it knows nothing that is global."""
    made: FilteringBoundLogger = structlog.wrap_logger(
        writer,
        processors=[_with_level, _with_time, _into_queue],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    return made


def _with_level(_logger: WrappedLogger, name: str, line: EventDict) -> EventDict:
    line["level"] = name
    return line


def _with_time(_logger: WrappedLogger, _name: str, line: EventDict) -> EventDict:
    line["time"] = _CLOCK.now_ns()
    return line


def _into_queue(logger: WrappedLogger, _name: str, line: EventDict) -> EventDict:
    logger.put({"time": line.pop("time"), "level": line.pop("level"), "event": line.pop("event"), **line})
    raise structlog.DropEvent


def silent_logger() -> FilteringBoundLogger:
    """Return a logger that says nothing."""
    made: FilteringBoundLogger = structlog.wrap_logger(
        None, processors=[_dropped], wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )
    return made


def _dropped(_logger: WrappedLogger, _name: str, _line: EventDict) -> EventDict:
    raise structlog.DropEvent


class Log(NamedTuple):
    """Where a process logs. `learn` tells it of a secret that is to be taken out of every line."""

    lines: FilteringBoundLogger
    learn: Callable[[str], None]


def _nothing_to_learn(secret: str) -> None:
    del secret


@contextmanager
def logging_of(settings: "Settings", process: str, environment: Mapping[str, str]) -> Iterator[Log]:
    """Give where a process logs, and take what its libraries log, until the end of the block.

    `process` names the file, in MANJHA_HOME/logs: "trader-AB1234".
    """
    chosen = settings.logs
    if chosen.to == "off":
        yield Log(silent_logger(), _nothing_to_learn)
        return
    level = LEVELS[chosen.level]
    redact = Redaction(secrets_of(settings, environment), [settings.account, *_named(process)] * chosen.mask_accounts)
    file = None if chosen.to == "stderr" else _file(settings.home / "logs", process, chosen)
    is_words = file is None and sys.stderr.isatty()
    writer = Writer(redact, as_words if is_words else as_json, _to_stderr if file is None else _into(file))
    handler, root = _OfLibraries(writer, max(level, logging.WARNING)), logging.getLogger()
    root.addHandler(handler)
    try:
        yield Log(logger_over(writer, level), redact.learn)
    finally:
        root.removeHandler(handler)
        writer.close()
        if file is not None:
            file.close()


def secrets_of(settings: "Settings", environment: Mapping[str, str]) -> set[str]:
    """Return the secrets that this process has been given: of the environment, and passwords in addresses."""
    from manjha.app.settings import SECRET_VARIABLES

    named = {environment.get(name, "") for name in SECRET_VARIABLES}
    urls = (settings.database_url, settings.journal_url, settings.stream.url, *(settings.notify.urls or ()))
    passwords = {found[1] for url in urls if url and (found := re.search(r"://[^/@]*:([^/@]+)@", url))}
    return (named | passwords) - {""}


def _named(process: str) -> list[str]:
    """Return the account that a process is named by: "trader-AB1234"."""
    _, _, account = process.partition("-")
    return [account] if account else []


def _file(folder: Path, process: str, chosen: "LogSettings") -> RotatingFileHandler:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{process}.log"
    path.touch(mode=0o600)
    return RotatingFileHandler(path, maxBytes=chosen.file_mb << 20, backupCount=chosen.files, encoding="utf-8")


def _into(file: RotatingFileHandler) -> Callable[[str], None]:
    def write(line: str) -> None:
        record = logging.LogRecord("manjha", logging.INFO, "", 0, line, None, None)
        if file.shouldRollover(record):
            file.doRollover()
        stream = file.stream
        if stream is not None:
            stream.write(f"{line}\n")
            stream.flush()

    return write


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
