"""The window with the plan as a command, as Python and as YAML: read it, copy it, write it to a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from textual.binding import Binding, BindingType

from lightning_tui.ui.drawing.rows import EMPTY, Row
from lightning_tui.ui.windows.window import FittedWindow, Text, hint

if TYPE_CHECKING:
    from lightning_tui.services.cases import Export

_WIDTH = 92
_LEAST_ROWS = 8
_CONTINUED: Row = (("  ", "text"),)


class ExportWindow(FittedWindow[None]):
    """Tabs, one for each form."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q,b", "close", show=False),
        Binding("right,tab", "turn(1)", show=False),
        Binding("left,shift+tab", "turn(-1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-10)", show=False),
        Binding("pagedown,space", "scroll(10)", show=False),
        Binding("y", "copy", show=False),
        Binding("w", "write", show=False),
    ]

    def __init__(
        self, exports: Sequence[Export], copied: Callable[[Export], None], write: Callable[[Export], None]
    ) -> None:
        super().__init__()
        self._exports = list(exports)
        self._place = 0
        self._copied, self._write = copied, write
        keys = hint(("←→", "form"), ("y", "copy"), ("w", "write to a file"), ("esc", "close"))
        self.part = self.text = Text(self._title(), self._body, keys)

    @property
    def export(self) -> Export:
        """The form that is shown."""
        return self._exports[self._place]

    def action_turn(self, direction: int) -> None:
        self._place = (self._place + direction) % len(self._exports)
        self.text.retitle(self._title())
        self.text.scroll_lines(-1_000_000)

    def action_scroll(self, lines: int) -> None:
        self.text.scroll_lines(lines)

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.export.text)
        self._copied(self.export)

    def action_write(self) -> None:
        self._write(self.export)

    def _title(self) -> Row:
        row: Row = EMPTY
        for place, export in enumerate(self._exports):
            token = "accent+b" if place == self._place else "dim"
            row = (*row, *((("   ", "text"),) if row else EMPTY), (export.title, token))
        return row

    def _body(self, width: int) -> list[Row]:
        rows: list[Row] = [EMPTY]
        for line in self.export.text.rstrip("\n").split("\n"):
            rows += folded(line, width)
        return [*rows, EMPTY]

    def wanted_size(self, screen_width: int) -> tuple[int, int]:
        """As high as the longest form, so that nothing jumps from one to the other."""
        width = min(_WIDTH, screen_width - 2)
        most = max(
            sum(len(folded(line, width - 6)) for line in export.text.rstrip("\n").split("\n"))
            for export in self._exports
        )
        return width, max(_LEAST_ROWS, most + 4)


def folded(line: str, width: int) -> list[Row]:
    """A line of code over several rows, broken at blanks where there are any; every character is kept."""
    if cell_len(line) <= width:
        return [((line, "dim" if line.lstrip().startswith("#") else "text"),)]
    token = "dim" if line.lstrip().startswith("#") else "text"
    rows: list[Row] = []
    while line:
        room = max(4, width - (cell_len(_CONTINUED[0][0]) if rows else 0))
        head = line if cell_len(line) <= room else set_cell_size(line, room).rstrip()
        cut = head.rfind(" ") + 1
        if head != line and cut > room // 2:
            head = head[:cut]
        rows.append((*(_CONTINUED if rows else EMPTY), (head, token)))
        line = line[len(head) :]
    return rows
