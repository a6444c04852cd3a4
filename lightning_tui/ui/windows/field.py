"""A window to type one value in; what is wrong with it is said beneath, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from lightning_tui.text.safe import harmless
from lightning_tui.ui.drawing.canvas import Canvas
from lightning_tui.ui.drawing.rows import EMPTY, Row, wrap

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget

ResultT = TypeVar("ResultT")


class FieldNote(Canvas):
    """What may be typed, a paragraph a line; or, in red, why it cannot be taken."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.is_error = False
        self.has_gap = True
        """Whether an empty line stands above it."""

    def say(self, text: str) -> None:
        self.text, self.is_error = text, True
        self.redraw()

    def rows(self, width: int, height: int) -> list[Row]:
        rows: list[Row] = [EMPTY] if self.has_gap else []
        for line in self.text.splitlines():
            rows += wrap(line, width, "bad" if self.is_error else "dim")
        return rows


class TypingWindow(ModalScreen["ResultT | None"], Generic[ResultT]):
    """A bordered box to type in; escape answers nothing."""

    DEFAULT_CSS = """
    TypingWindow { align: center middle; }
    TypingWindow > Vertical {
        width: 72; max-width: 96%; height: 9; max-height: 96%; padding: 1 2 0 2;
        border: round $accent; border-title-color: $foreground; border-title-style: bold;
        border-subtitle-color: $foreground 60%; background: $background;
    }
    TypingWindow Input { border: none; height: 1; padding: 0 1; background: $panel; }
    TypingWindow Input:focus { border: none; }
    TypingWindow FieldNote { height: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", show=False)]

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def action_close(self) -> None:
        self.dismiss(None)


def box(title: str, keys: str, *parts: Widget) -> Vertical:
    """The parts in a border that says what it is and which keys there are; neither is markup."""
    found = Vertical(*parts)
    found.border_title, found.border_subtitle = Content(title), keys
    return found


class FieldWindow(TypingWindow[str]):
    """Type a value. `check` raises `ValueError` with a sentence for a value that cannot be taken."""

    def __init__(self, title: str, value: str, explanation: str, check: Callable[[str], object]) -> None:
        super().__init__()
        self._title = title
        self._value = value
        self._check = check
        self._explanation = FieldNote(explanation)

    def compose(self) -> ComposeResult:
        field = Input(harmless(self._value), select_on_focus=False)
        yield box(self._title, "enter take  esc close", field, self._explanation)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            self._check(event.value)
        except ValueError as error:
            self._explanation.say(str(error))
            return
        self.dismiss(event.value)
