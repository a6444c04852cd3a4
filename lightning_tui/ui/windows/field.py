"""A window to type one value in; what is wrong with it is said beneath, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from lightning_tui.text.safe import harmless
from lightning_tui.ui.drawing.canvas import Canvas
from lightning_tui.ui.drawing.rows import EMPTY, Row, wrap

if TYPE_CHECKING:
    from textual.app import ComposeResult


class Explanation(Canvas):
    """What may be typed, a paragraph a line; or, in red, why it cannot be taken."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.is_error = False
        self.has_gap = True
        """Whether an empty line stands above it."""

    def say(self, text: str) -> None:
        """Say what is wrong."""
        self.text, self.is_error = text, True
        self.redraw()

    def rows(self, width: int, height: int) -> list[Row]:
        rows: list[Row] = [EMPTY] if self.has_gap else []
        for line in self.text.splitlines():
            rows += wrap(line, width, "bad" if self.is_error else "dim")
        return rows


class FieldWindow(ModalScreen["str | None"]):
    """Type a value. `check` raises `ValueError` with a sentence for a value that cannot be taken."""

    DEFAULT_CSS = """
    FieldWindow { align: center middle; }
    FieldWindow > Vertical {
        width: 72; max-width: 96%; height: 9; max-height: 96%; padding: 1 2 0 2;
        border: round $accent; border-title-color: $foreground; border-title-style: bold;
        border-subtitle-color: $foreground 60%; background: $background;
    }
    FieldWindow Input { border: none; height: 1; padding: 0 1; background: $panel; }
    FieldWindow Input:focus { border: none; }
    FieldWindow Explanation { height: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", show=False)]

    def __init__(self, title: str, value: str, explanation: str, check: Callable[[str], object]) -> None:
        super().__init__()
        self._title = title
        self._value = value
        self._check = check
        self._explanation = Explanation(explanation)

    def compose(self) -> ComposeResult:
        box = Vertical(Input(harmless(self._value), select_on_focus=False), self._explanation)
        box.border_title = self._title
        box.border_subtitle = "enter accept  esc close"
        yield box

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            self._check(event.value)
        except ValueError as error:
            self._explanation.say(str(error))
            return
        self.dismiss(event.value)

    def action_close(self) -> None:
        self.dismiss(None)
