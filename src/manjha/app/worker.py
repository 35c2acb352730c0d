"""A worker: a process that does one job, says how far it is, and ends."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from manjha.adapters.system.job_processes import being_worker, bound_process
from manjha.app.bootstrap import job_folders, system_clock, unit_of_work
from manjha.app.cli.errors import own_line, say
from manjha.app.jobs.kinds import TABLE, work_of
from manjha.app.settings import Settings, load_settings
from manjha.domain.errors import InvariantBroken, ManjhaError, SettingsError
from manjha.domain.jobs import Job, JobId, JobProblem, JobProgress
from manjha.services.jobs.attempt import Attempt, LeaseLost, Outcome, Pace
from manjha.services.jobs.kinds import JobKind, read_asked

COMMAND = (sys.executable, "-c", "from manjha.app.worker import main; main()")
"""What starts one, with the id of its job after it."""
BEAT_S = 1.0
"""How often a worker looks whether it is to stop, and says what is new: at most one write to the database."""
QUIET_BEATS = 5
"""Beats after which it says that it lives, where nothing is new."""


def main() -> None:
    """Do the job whose id is the argument, under the lease that standard input tells."""
    job_id, lease = JobId(sys.argv[1]), sys.stdin.readline().strip()
    settings = load_settings()
    bound_process(settings.jobs.memory_mb, settings.jobs.nice)
    with being_worker(job_folders(settings).folder(job_id)):
        work_on(settings, Attempt(unit_of_work(settings), system_clock(), job_id, lease))


def work_on(settings: Settings, attempt: Attempt) -> None:
    """Do a job under a lease; where that is another attempt's now, do nothing."""
    try:
        job = attempt.begin(os.getpid())
        signal.signal(signal.SIGTERM, _interrupt)
        _finish(attempt, _tried(settings, attempt, job))
    except LeaseLost as lost:
        say(str(lost))


def _finish(attempt: Attempt, came: Outcome | JobProblem) -> None:
    """Write what came of it; nothing may interrupt that."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if isinstance(came, JobProblem):
        attempt.fail(came)
    else:
        attempt.end(came)


def _tried(settings: Settings, attempt: Attempt, job: Job) -> Outcome | JobProblem:
    """Do the work and return what came of it, whatever that is."""
    from manjha.app.jobs.workplace import Workplace

    folders, pace = job_folders(settings), Pace(system_clock())
    folders.begin(job.id)
    place = Workplace(settings, job.id, folders, processes_of(settings), pace.tell, lambda what: pace.tell(what, 0, 0))
    came: Outcome | None = None
    try:
        with Heart(attempt, pace.progress):
            kind = JobKind(job.kind, TABLE[job.kind].asked, lambda _asked: None)
            came = work_of(job.kind)(place, read_asked(kind, job.asked))
    except KeyboardInterrupt:
        # It may come when everything is done already.
        return came or Outcome({}, tuple(place.made), is_whole=False)
    except MemoryError:
        return JobProblem(
            f"the job needs more memory than the {settings.jobs.memory_mb:,} MB that a process of a job may hold",
            "Ask for less at once, or raise jobs.memory_mb.",
        )
    except Exception as error:  # noqa: BLE001 - the outermost guard of the job
        return problem_of(settings, error)
    return came


def processes_of(settings: Settings) -> int:
    """Return how many processes a search of a job may use: what is set, else its share of the cores."""
    from manjha.adapters.system.processes import cores

    return settings.jobs.processes or max(1, (len(cores()) or 1) // settings.jobs.workers)


def problem_of(settings: Settings, error: Exception) -> JobProblem:
    """Return an error in words, as the command line says it, without the paths of this machine.

    The traceback goes to the worker's log.
    """
    if isinstance(error, ManjhaError) and not isinstance(error, InvariantBroken):
        home = f"{settings.home}/"
        return JobProblem(error.message.replace(home, ""), error.hint.replace(home, ""))
    traceback.print_exception(error)
    words = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
    own = own_line(error)
    if own:
        return JobProblem(words, f"The run stopped at {Path(own).name}.")
    return JobProblem(words, "This is a bug in Manjha. The traceback is in the job's worker.log; please send it.")


class Heart:
    """A thread that speaks for the worker while it computes, and interrupts it when it is to stop, as ^C does."""

    def __init__(self, attempt: Attempt, progress: Callable[[], JobProgress]) -> None:
        self._attempt, self._progress = attempt, progress
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)

    def __enter__(self) -> "Heart":
        self._thread.start()
        return self

    def __exit__(self, *of_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        told, quiet, stopping = JobProgress(), 0, False
        while not self._over.wait(BEAT_S):
            now = self._progress()
            quiet = 0 if now != told else quiet + 1
            try:
                if quiet and quiet < QUIET_BEATS:
                    wanted = self._attempt.look()
                else:
                    wanted, told, quiet = self._attempt.beat(now), now, 0
            except LeaseLost:
                _vanish()
            except SettingsError as error:
                # The database is away: the work goes on, and is told of when it is back.
                say(str(error))
                continue
            if wanted and not stopping:
                stopping = True
                # To the main thread, so that a wait in it is broken off as well.
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _vanish() -> None:
    """End at once with all that this process started: another attempt has the job, and nothing of ours may count."""
    say("the job is no longer this worker's: it ends")
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM: stop as ^C does, and give the job back."""
    raise KeyboardInterrupt
