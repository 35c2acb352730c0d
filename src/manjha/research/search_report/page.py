"""The page of a search: a verdict, figures, pictures and tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from manjha.research.report.shell import embedded, environment, shared_parts, written_page

FOLDER = Path(__file__).parent
SCRIPTS = ("pictures.js", "surface.js", "lines.js")


class Table(msgspec.Struct, frozen=True):
    """Rows of texts. Columns from `numbers` on are aligned to the right."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    numbers: int = 1


class SearchPage(msgspec.Struct, frozen=True, kw_only=True):
    """What a page shows. `likelihood` colours the verdict; empty where there is none.

    `pictures` are by name what `research.search_report.pictures` makes: space, front, windows, equity, fan, shuffle,
    logits. The first picture stands where its section is; what is not there has no section.
    """

    kind: str
    strategy: str
    data_set: str
    meta: str
    sentence: str
    likelihood: str = ""
    reasons: tuple[str, ...] = ()
    cards: tuple[tuple[str, str, str], ...] = ()
    pictures: Mapping[str, Any] = {}
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


def write_search_page(page: SearchPage, path: Path) -> Path:
    """Write the page to `path`, whole or not at all, and return the path."""
    return written_page(render(page), path)


def render(page: SearchPage) -> str:
    """Return the page as text."""
    found = environment(FOLDER)
    return found.get_template("page.html.j2").render(
        **shared_parts([FOLDER / name for name in SCRIPTS]),
        page=page,
        data=embedded(dict(page.pictures)),
    )
