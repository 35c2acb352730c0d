"""What a job is done with: the settings, who is told how far it is, and where to put what it makes."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from manjha.app.settings import Settings
from manjha.domain.jobs import Artefact, JobId, JobProblem
from manjha.ports.jobs import JobFolders
from manjha.research.search_report import SearchPage
from manjha.research.search_report.page import render
from manjha.services.data_jobs import Progress
from manjha.services.jobs.attempt import Outcome

RESULT, REPORT = "result.json", "report.html"


class Workplace(msgspec.Struct, frozen=True):
    """One attempt's. `processes` is how many a search may use, 0 for one a core; `say` is told what makes it wait."""

    settings: Settings
    job_id: JobId
    folders: JobFolders
    processes: int
    tell: Progress
    say: Callable[[str], None]
    made: list[Artefact] = []

    def keep(self, name: str, media: str, data: bytes) -> None:
        """Store what the job made."""
        self.made.append(self.folders.keep(self.job_id, name, media, data))

    def keep_page(self, page: SearchPage) -> None:
        """Store a page as the job's report."""
        self.keep(REPORT, "text/html", render(page).encode())

    def keep_rows(self, name: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Store rows as CSV; what is not defined is empty."""
        sink = io.StringIO()
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(headers)
        writer.writerows([["" if _is_undefined(value) else value for value in row] for row in rows])
        self.keep(name, "text/csv", sink.getvalue().encode())

    def path(self, name: str) -> Path:
        """Return where a file of the job is to lie that something else writes; `keep` it afterwards."""
        folder = self.settings.home / "jobs" / self.job_id / "artefacts"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    def came_to(
        self,
        document: dict[str, Any],
        summary: dict[str, Any],
        *,
        is_whole: bool = True,
        problem: JobProblem | None = None,
    ) -> Outcome:
        """Store the whole result, as the command writes it with --json, and return what the attempt came to."""
        text = msgspec.json.format(msgspec.json.encode(document), indent=2)
        self.keep(RESULT, "application/json", text + b"\n")
        return Outcome(summary, tuple(self.made), is_whole, problem)


def _is_undefined(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
