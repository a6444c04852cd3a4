"""One line to type in at the bottom of the log: what is wrong with it is said in place, and the log stays in sight."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from lightning_tui.ui.windows.field import FieldNote, TypingWindow, box

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.geometry import Region

    from lightning_tui.ui.log.pane import LogPane
    from lightning_tui.ui.port import Port

_HEIGHT = 6


class LogPrompt(TypingWindow[str]):
    """Type one line. `check` raises `ValueError` with a sentence for one that cannot be taken; up recalls the last."""

    DEFAULT_CSS = """
    LogPrompt { background: transparent; align: left top; }
    LogPrompt > Vertical { max-width: 100%; max-height: 100%; padding: 0 1; }
    LogPrompt Input { padding: 0; background: $background; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("up", "recall", show=False)]

    def __init__(
        self, title: str, explanation: str, check: Callable[[str], object], pane: Callable[[], Region], last: str = ""
    ) -> None:
        """Make it; `pane` tells where the log stands, `last` is what was typed before."""
        super().__init__()
        self._title = title
        self._check = check
        self._pane = pane
        self._last = last
        self._explanation = FieldNote(explanation)
        self._explanation.has_gap = False

    def compose(self) -> ComposeResult:
        keys = "enter take  esc close" + ("  ↑ the last one" if self._last else "")
        yield box(self._title, keys, Input(select_on_focus=False), self._explanation)

    def on_mount(self) -> None:
        super().on_mount()
        self._place()

    def on_resize(self) -> None:
        self.call_after_refresh(self._place)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if not event.value:
            self.dismiss(None)
            return
        try:
            self._check(event.value)
        except ValueError as error:
            self._explanation.say(str(error))
            return
        self.dismiss(event.value)

    def action_recall(self) -> None:
        field = self.query_one(Input)
        field.value = self._last
        field.cursor_position = len(self._last)

    def _place(self) -> None:
        """Over the lowest rows of the log."""
        pane, box = self._pane(), self.query_one(Vertical)
        height = min(_HEIGHT, self.app.size.height)
        box.styles.width, box.styles.height = pane.width, height
        box.styles.offset = (pane.x, max(0, pane.bottom - height))


def ask(
    port: Port,
    pane: LogPane,
    title: str,
    explanation: str,
    check: Callable[[str], object],
    take: Callable[[str], None],
    last: str = "",
) -> None:
    """Ask for one line over the log's pane; `take` gets it where it is not empty."""
    port.open(
        LogPrompt(title, explanation, check, lambda: pane.region, last), lambda text: take(text) if text else None
    )
