"""A run for people: one self-contained page, or a few lines of text."""

from manjha.research.report.page import write_report
from manjha.research.report.text import format_summary

__all__ = ["format_summary", "write_report"]
