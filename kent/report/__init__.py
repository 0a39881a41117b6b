"""The improvement figures: one JSON document from the store, in a terminal or as a page."""

from kent.report.document import build
from kent.report.page import render_html
from kent.report.terminal import render_terminal

__all__ = ["build", "render_html", "render_terminal"]
