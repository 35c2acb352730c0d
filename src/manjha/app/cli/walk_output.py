"""How a walk-forward looks on a terminal."""

from pathlib import Path

from manjha.app.cli.output import print_table
from manjha.app.research.walk_tables import sentence, stability_rows, window_rows
from manjha.domain.moments import format_day
from manjha.domain.trials import tried_name
from manjha.services.walk_forward import WalkReport


def print_walk(found: WalkReport, page: Path | None) -> None:
    """Print the windows, the stability of the parameters, the verdict, and how much was tried."""
    for headers, rows in (window_rows(found), stability_rows(found)):
        if rows:
            print_table(headers, rows)
            print()
    for row in found.rows:
        if row.error:
            print(
                f"failed: {row.failed} in training before {format_day(row.window.test[0])}, the last with {row.error}"
            )
    print(f"{sentence(found)}\n")
    begun = f"Interrupted: {len(found.rows)} of {found.windows}" if found.is_interrupted else f"{len(found.rows)}"
    failed = sum(row.failed for row in found.rows)
    lost = f"; {failed:,} evaluations failed" if failed else ""
    print(f"{begun} windows of {found.combinations:,} combinations{lost}. Study: {found.study}.")
    name = tried_name(found.strategy, found.chosen_from)
    print(f"{found.trials:,} variants of {name} have been tried on {found.instruments} in all.")
    if page is not None:
        print(f"Report: {page}")
