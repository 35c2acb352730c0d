"""A search, its validation or a walk-forward for people: one self-contained page with pictures."""

from manjha.research.search_report.page import SearchPage, Table, write_search_page

__all__ = ["SearchPage", "Table", "write_search_page"]
