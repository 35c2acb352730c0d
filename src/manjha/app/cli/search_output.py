"""How a search looks on a terminal."""

from collections.abc import Sequence
from pathlib import Path

from manjha.app.cli.output import print_json, print_table
from manjha.app.research.search_tables import (
    best_rows,
    counted,
    judged,
    search_document,
    search_page,
    sentence,
    table_of,
)
from manjha.domain.trials import tried_name
from manjha.research.search_report import write_search_page
from manjha.services.searches import SearchReport, SearchRow

FAILURES_SHOWN = 3


def show_search(report: SearchReport, top: int, where: Path | None, *, kind: str, json: bool) -> None:
    """Write the page, where one is asked for, and print the table or the document."""
    best = best_rows(report, top)
    page = write_search_page(search_page(report, best, kind), where) if where is not None and report.rows else None
    if json:
        print_json(search_document(report, best) | {"report": str(page) if page else None})
        return
    print_search(report, best)
    if page is not None:
        print(f"Report: {page}")


def print_search(report: SearchReport, best: Sequence[SearchRow]) -> None:
    """Print the best rows, what failed, and how much was tried: what the best result has to be judged by."""
    headers, rows = table_of(report, best)
    if rows:
        print_table(headers, rows)
        print()
    for row in report.failed[:FAILURES_SHOWN]:
        print(f"failed: {', '.join(f'{k}={v}' for k, v in row.point.items())}: {row.outcome.error}")
    print(f"{counted(report)} Study: {report.study}.")
    if report.why_quiet:
        print(f"No combination closed a trade: {report.why_quiet}.")
    name = tried_name(report.strategy, report.chosen_from)
    print(
        f"{report.trials:,} variants of {name} have been tried on {report.instruments} in all: the more "
        "there are, the more of the best one is luck."
    )
    if rows:
        print(sentence(judged(report)))
