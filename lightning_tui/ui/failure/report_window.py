"""The window with the report of a failed run: a text to scroll through and to copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.cells import chop_cells
from textual.binding import Binding, BindingType

from lightning_tui.text.safe import harmless
from lightning_tui.ui.drawing.rows import EMPTY, Row, wrap
from lightning_tui.ui.log.text import expand_tabs, level
from lightning_tui.ui.windows.window import TextWindow, hint

_WIDEST = 118
_HEADINGS = ("Error:", "Suggestion:", "Context:", "Full Traceback:")


class ReportWindow(TextWindow):
    """Up and down scroll, `y` copies."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", show=False),
        Binding("home,g", "scroll(-100000)", show=False),
        Binding("end,G", "scroll(100000)", show=False),
    ]

    def __init__(self, title: str, report: str, path: str | None, copy: Callable[[], None]) -> None:
        keys = hint(("y", "copy"), ("esc", "close"))
        super().__init__(((harmless(title), "bad+b"),), lambda width: report_rows(report, path, width), _WIDEST, keys)
        self._copy = copy

    def action_copy(self) -> None:
        self._copy()
        self.dismiss(None)


def report_rows(report: str, path: str | None, width: int) -> list[Row]:
    """The report's lines, broken where they are too long."""
    rows: list[Row] = [((f"also in {harmless(path)}", "dim"),), EMPTY] if path is not None else [EMPTY]
    heading = ""
    for line in report.rstrip("\n").split("\n"):
        heading = line if line in _HEADINGS else heading
        token = "accent+b" if line in _HEADINGS else _token(line, heading)
        rows += _folded(line, token, max(8, width), heading) if line else [EMPTY]
    return rows


def _folded(line: str, token: str, width: int, heading: str) -> list[Row]:
    """A sentence is broken between words; what has columns or is indented, anywhere."""
    text = harmless(expand_tabs(line))
    if heading in ("Error:", "Suggestion:"):
        return wrap(text, width, token)
    return [((part, token),) for part in chop_cells(text, width)]


def _token(line: str, heading: str) -> str:
    if heading == "Full Traceback:":
        return level(line) if not line.startswith(" ") else "dim" if line.startswith("    ") else "text"
    return "text"
