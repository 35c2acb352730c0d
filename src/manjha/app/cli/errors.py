"""One place where errors become words and exit codes.

Exit codes: 0 done · 1 a check found something wrong · 2 what was asked for cannot be · 3 a source outside failed, try
again · 4 the journal cannot be written or trusted · 5 another process trades the account · 70 a bug in Manjha · 130
interrupted. Tracebacks go to a file, not to the screen.
"""

import errno
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from manjha.domain.errors import AccountHeld, InvariantBroken, JournalHalted, ManjhaError, SourceError

OK, FAULTY, USAGE, SOURCE, HALTED, HELD, BUG, INTERRUPTED, PIPE = 0, 1, 2, 3, 4, 5, 70, 130, 141
INTERRUPT = "interrupted; what was stored before is whole"

_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_MACHINE = (*_FULL, *_CLOSED, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.EMFILE)
"""What the machine refuses, and no change of ours could mend."""


def guarded(command: Callable[[], object], args: Sequence[str]) -> int:
    """Run a command and return the exit code; every error ends here."""
    code = OK
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that knows no rupee sign shows "?" instead of a traceback.
        sys.stdout.reconfigure(errors="replace")
    try:
        command()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else OK if stop.code is None else USAGE
        if _was_interrupted(stop):
            say(INTERRUPT)
    except BrokenPipeError:
        code = PIPE
    except KeyboardInterrupt:
        say(INTERRUPT)
        code = INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost guard of the process
        code = _explain(error, args)
    return _flushed(code)


def _was_interrupted(stop: BaseException | None) -> bool:
    """Tell whether an interrupt ended the process; typer makes an exit of it, without a word."""
    while stop is not None and not isinstance(stop, KeyboardInterrupt):
        stop = stop.__cause__ or stop.__context__
    return stop is not None


def _explain(error: Exception, args: Sequence[str]) -> int:
    # What polars says of rights has no number, only words.
    if isinstance(error, OSError) and (error.errno in _MACHINE or isinstance(error, PermissionError)):
        say_error(*_refused_by_machine(error))
        return USAGE
    if not isinstance(error, ManjhaError) or isinstance(error, InvariantBroken):
        return _crashed(error, args)
    say_error(error.message, error.hint)
    if isinstance(error, JournalHalted):
        return HALTED
    if isinstance(error, AccountHeld):
        return HELD
    return SOURCE if isinstance(error, SourceError) else USAGE


def _refused_by_machine(error: OSError) -> tuple[str, str]:
    """Return which file the machine refused and why, and the next step."""
    what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    if error.errno in _FULL:
        return what, "What was stored before is whole: free some space and run again, or set MANJHA_HOME elsewhere."
    if isinstance(error, PermissionError) or error.errno in _CLOSED:
        return what, "Change the rights of this place, or choose another: MANJHA_HOME, --out, --report."
    return what, "Check the path: MANJHA_HOME, --out, --report."


def say_error(message: str, hint: str = "") -> None:
    """Say what was expected and found, and what to do next, to stderr."""
    say(f"error: {message}")
    if hint:
        say(f"  try: {hint}")


def say(text: str) -> None:
    """Write a line for people; stdout is kept for results."""
    print(text, file=sys.stderr)


def _flushed(code: int) -> int:
    """Write what is left; a reader who went away is no error, nor a reason to complain at exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = PIPE
    if code == PIPE:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _crashed(error: Exception, args: Sequence[str]) -> int:
    text = f"manjha {' '.join(args)}\n\n{''.join(traceback.format_exception(error))}"
    say(f"error: {type(error).__name__}: {' '.join(str(error).split()) or 'no message'}")
    try:
        where = _keep(text)
    except (OSError, ManjhaError):
        say(text)
        return BUG
    own = own_line(error)
    if own:
        say(f"  The run stopped at {own}. The whole traceback is in {where}.")
        return USAGE
    say(f"  This is a bug in Manjha. The traceback is in {where}; please send it with the command that you ran.")
    return BUG


def own_line(error: Exception) -> str:
    """Return the last line of a user's strategy that led to an error; empty where none did."""
    from manjha.app.strategies import USER_MODULE

    frames = [
        f"{frame.f_code.co_filename}, line {line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).startswith(USER_MODULE)
    ]
    return frames[-1] if frames else ""


def _keep(text: str) -> Path:
    from manjha.app.bootstrap import system_clock
    from manjha.app.settings import load_settings
    from manjha.domain.moments import ist_datetime

    folder = load_settings().home / "crash"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{ist_datetime(system_clock().now_ns()):%Y%m%dT%H%M%S.%f}-{os.getpid()}.txt"
    path.write_text(text, encoding="utf-8")
    return path
