"""The window of one GPU: what is known of it, as it goes on, and its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from lightning_tui.ui.drawing.rows import EMPTY, Row
from lightning_tui.ui.gpus.details import detail_rows
from lightning_tui.ui.windows.window import TextWindow, hint

if TYPE_CHECKING:
    from lightning_tui.ui.gpus.pane import GpusPane
    from lightning_tui.ui.view import View

WIDTH = 92
PERIOD_S = 1.0


class GpuWindow(TextWindow):
    """One GPU, as it goes on; to the left and right are its neighbours."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "go(-1)", show=False),
        Binding("right,l", "go(1)", show=False),
    ]

    def __init__(self, pane: GpusPane, view: Callable[[], View]) -> None:
        """Tell of the GPU under the pane's cursor; `view` gives the newest moment."""
        self._pane = pane
        self._view = view
        super().__init__(self._gpu_title(), self._rows, WIDTH, hint(("← →", "next GPU"), ("esc", "close")))

    def on_mount(self) -> None:
        super().on_mount()
        self.set_interval(PERIOD_S, self._refresh_text)

    def action_go(self, places: int) -> None:
        """To the next GPU, on whichever node it is."""
        gpus = self._pane.gpus
        current = self._pane.current
        if current is None:
            return
        place = max(0, min(len(gpus.gpus) - 1, gpus.place_of(current.key) + places))
        self._pane.go_to(gpus.gpus[place].key)
        self._refresh_text()

    def _refresh_text(self) -> None:
        self.text.retitle(self._gpu_title())
        self._fit()
        self.text.redraw()

    def _gpu_title(self) -> Row:
        current = self._pane.current
        if current is None:
            return (("GPU", "text+b"),)
        node = f" · {current.node}" if current.node else ""
        return ((f"GPU {current.label}", "text+b"), (f"  {current.gpu.name or ''}{node}", "dim"))

    def _rows(self, width: int) -> list[Row]:
        current = self._pane.current
        if current is None:
            return [EMPTY, (("This GPU is no longer reported.", "dim"),), EMPTY]
        return [EMPTY, *detail_rows(self._view(), current, width), EMPTY]
