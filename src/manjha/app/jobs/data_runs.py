"""What a worker does for imports and downloads: the command of that name, its output kept as files."""

from typing import Any

from manjha.app.data_documents import fetch_json, summary_json
from manjha.app.data_runs import FetchWords, ImportWords, run_fetch, run_import
from manjha.app.jobs.workplace import Workplace
from manjha.domain.jobs import JobProblem
from manjha.services.jobs.asked import FetchAsked, ImportAsked
from manjha.services.jobs.attempt import Outcome

_TALLY = ("rows", "added", "unchanged", "conflicting", "replaced", "instruments", "actions")


def import_words(asked: ImportAsked) -> ImportWords:
    """Return what is said about the files."""
    return ImportWords(**{name: getattr(asked, name) for name in ImportWords.__struct_fields__})


def fetch_words(asked: FetchAsked) -> FetchWords:
    """Return what is to be downloaded."""
    return FetchWords(**{name: getattr(asked, name) for name in FetchWords.__struct_fields__})


def do_import(place: Workplace, asked: ImportAsked) -> Outcome:
    """Read what was uploaded into the store; a second time changes nothing."""
    paths = place.folders.uploads(place.job_id)
    summary = run_import(place.settings, paths, import_words(asked), place.tell)
    document = summary_json(summary)
    problem = None
    if summary.failed:
        first = next(report.problem for report in summary.files if report.problem)
        problem = JobProblem(
            f"{summary.failed} of {len(summary.files)} files could not be used; the first: {first.message}", first.hint
        )
    return _told(place, document, {"failed": summary.failed}, problem)


def do_fetch(place: Workplace, asked: FetchAsked) -> Outcome:
    """Download what is missing, piece by piece; what is stored already is not asked for again."""
    summary = run_fetch(place.settings, fetch_words(asked), place.tell)
    found = summary.problem or next((report.problem for report in summary.files if report.problem), None)
    problem = JobProblem(found.message, found.hint) if found else None
    gist = {"source": summary.source, "missing_days": summary.missing_days, "requests": summary.requests}
    return _told(place, fetch_json(summary), gist, problem)


def _told(place: Workplace, document: dict[str, Any], gist: dict[str, Any], problem: JobProblem | None) -> Outcome:
    """Keep a document without the paths of this machine."""
    here = f"{place.settings.home}/"
    for report in document["files"]:
        report["file"] = report["file"].replace(f"{here}jobs/{place.job_id}/uploads/", "").replace(here, "")
        report["quarantine_file"] = report["quarantine_file"].replace(here, "")
    sums = {name: sum(report[name] for report in document["files"]) for name in _TALLY}
    return place.came_to(document, gist | {"files": len(document["files"])} | sums, problem=problem)
