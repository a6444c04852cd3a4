"""What do all panes of the cockpit share? A border with a title and facts, and what scrolls within it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from lightning_tui.ui.drawing.canvas import Canvas, frame
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop
from lightning_tui.ui.keys import PANES
from lightning_tui.ui.view import View


class Pane(Canvas, can_focus=True):
    """A bordered part of the cockpit. One row high, it tells itself in one line; zoomed, it may tell more."""

    name_of_pane: ClassVar[str]
    draws: ClassVar[tuple[str, ...]] = ()
    """What it draws of a `View`, by name: as long as these are the same objects, nothing is drawn anew. Where none is
    named, it draws all."""

    def __init__(self, view: View) -> None:
        super().__init__(self.name_of_pane)
        self.view = view
        self._offset = 0

    def show(self, view: View) -> None:
        """Draw another moment; nothing is drawn where nothing differs that the pane draws."""
        before, self.view = self.view, view
        if not self.draws or any(getattr(before, name) is not getattr(view, name) for name in self.draws):
            self.redraw()

    def body(self, width: int, height: int) -> Sequence[Row]:
        """Rows within the border; may be more than `height`, then the pane scrolls."""
        raise NotImplementedError

    def summary(self, width: int) -> Row:
        """The pane in one line."""
        raise NotImplementedError

    def title_text(self) -> str:
        """What stands in the upper border."""
        return PANES[self.name_of_pane]

    def heading(self) -> Row:
        """What stands behind the title in the upper border."""
        return EMPTY

    def facts(self, width: int) -> Row:
        """What stands at the right end of the lower border."""
        return EMPTY

    def scroll_by(self, lines: int) -> None:
        """Move what is seen, or the cursor."""
        self._offset = max(0, self._offset + lines)
        self.redraw()

    def page(self) -> int:
        """Rows of one page."""
        return max(1, self.size.height - 3)

    def on_focus(self) -> None:
        self.redraw()

    def on_blur(self) -> None:
        self.redraw()

    def rows(self, width: int, height: int) -> list[Row]:
        if height < 3:
            number = (self.view.pane_key(self.name_of_pane), "accent+b" if self.has_focus else "dim")
            return [((" ", "text"), number, (" ", "text"), *crop(self.summary(width - 4), width - 4))]
        inner = width - 4
        body = list(self.body(inner, height - 2))
        self._offset = min(self._offset, max(0, len(body) - (height - 2)))
        seen = body[self._offset : self._offset + height - 2]
        return frame(
            seen,
            width,
            height,
            title=((self.view.pane_key(self.name_of_pane) + " ", "faint"), (self.title_text(), self._title_token())),
            heading=self.heading(),
            facts=self.facts(inner - 3),
            is_focused=self.has_focus,
            thumb=_thumb(self._offset, height - 2, len(body)),
        )

    def _title_token(self) -> str:
        return "text+b" if self.has_focus else "dim+b"


def _thumb(offset: int, height: int, total: int) -> tuple[int, int] | None:
    if total <= height:
        return None
    size = max(1, height * height // total)
    first = offset * (height - size) // (total - height)
    return first, first + size - 1
