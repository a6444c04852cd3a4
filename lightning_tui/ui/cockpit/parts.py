"""What stands on the cockpit's screen: state line, panes and footer, where they stand, and which has the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tui.ui.cockpit.arrangement import arrange, kind_of
from lightning_tui.ui.cockpit.bars import Banner, Footer
from lightning_tui.ui.cockpit.environment import EnvironmentPane
from lightning_tui.ui.cockpit.opening import count_of_gpus
from lightning_tui.ui.cockpit.state_line import StateLine
from lightning_tui.ui.gpus.pane import GpusPane, wanted_rows
from lightning_tui.ui.keys import PANES
from lightning_tui.ui.log.pane import LogPane
from lightning_tui.ui.metrics.pane import MetricsPane
from lightning_tui.ui.pane import Pane
from lightning_tui.ui.plan.pane import PlanPane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.screen import Screen

    from lightning_tui.ui.drawing.canvas import Canvas
    from lightning_tui.ui.drawing.rows import Row
    from lightning_tui.ui.view import View


class Parts:
    """All that is drawn. One pane may be zoomed: then it has the screen to itself."""

    def __init__(self, screen: Screen[None], view: View) -> None:
        self.plan, self.metrics, self.gpus = PlanPane(view), MetricsPane(view), GpusPane(view)
        self.log = LogPane(view, _failure_card)
        panes = (EnvironmentPane(view), self.plan, self.metrics, self.gpus, self.log)
        self.panes: dict[str, Pane] = dict(zip(PANES, panes, strict=True))
        self.zoomed: str | None = None
        self._state_line, self._footer, self._banner = StateLine(view), Footer(view), Banner(view)
        self._screen = screen
        self._view = view
        self._arranged_for: tuple[int, int, int, str | None] | None = None
        self._gpu_rows_hint = count_of_gpus()

    def __iter__(self) -> Iterator[Canvas]:
        yield from (self._state_line, *self.panes.values(), self._footer, self._banner)

    @property
    def focused(self) -> Pane | None:
        """The pane with the keys; none while a window has them."""
        return self._screen.focused if isinstance(self._screen.focused, Pane) else None

    @property
    def is_outgrown(self) -> bool:
        """Whether the terminal has another size than the one that the parts were laid out for."""
        return self._arranged_for is not None and self._arranged_for[:2] != self._screen.app.size

    # ------------------------------------------------------------------------------------------------- drawing

    def show(self, view: View) -> None:
        """Draw another moment."""
        self._view = view
        self.arrange()
        for pane in self.panes.values():
            if pane.display:
                pane.show(view)
        self.show_bars(view)

    def show_bars(self, view: View) -> None:
        """Draw another moment that differs in what is said, and in the time, alone."""
        self._view = view
        self._state_line.show(view)
        self._banner.show(view, self._screen.app.size.width)
        self._footer.show(view, self.focused.name_of_pane if self.focused else "log", self.zoomed is not None)

    def arrange(self) -> None:
        """Give each part its place; nothing happens where nothing changed."""
        width, height = self._screen.app.size
        wanted = wanted_rows(self._view, self._gpu_rows_hint)
        if (key := (width, height, wanted, self.zoomed)) == self._arranged_for:
            return
        self._arranged_for = key
        _, places = arrange(width, height, wanted, self.zoomed)
        for name, part in {**self.panes, "state": self._state_line, "footer": self._footer}.items():
            part.stand(places.get(name))
        if self._screen.focused is None or not self._screen.focused.display:
            self._screen.set_focus(next((self.panes[name] for name in reversed(PANES) if name in places), None))

    # ------------------------------------------------------------------------------------------------- its keys

    def begin(self, *, is_idle: bool) -> None:
        """Lay out the first frame: the keys go to the plan where nothing runs and all panes are seen."""
        self.arrange()
        is_roomy = kind_of(*self._screen.app.size) in ("normal", "wide")
        self.panes["plan" if is_idle and is_roomy else "log"].focus()

    def zoom(self) -> None:
        """Give the pane with the keys the whole screen, or take it back."""
        self.zoomed = None if self.zoomed is not None or self.focused is None else self.focused.name_of_pane
        self.show(self._view)

    def go_round(self, direction: int) -> None:
        """Go to the next pane, or to the one before."""
        shown = [name for name in PANES if self.zoomed is not None or self.panes[name].display]
        name = self.focused.name_of_pane if self.focused is not None else None
        self.jump(shown[((shown.index(name) if name in shown else 0) + direction) % len(shown)])

    def jump(self, name: str) -> None:
        """Give this pane the keys; where it is not seen, the whole screen."""
        if (self.zoomed is not None and self.zoomed != name) or not self.panes[name].display:
            self.zoomed = name
            self.arrange()
        self._screen.set_focus(self.panes[name])
        self.show(self._view)

    def scroll(self, unit: str, direction: int) -> None:
        """Move by a line or a page."""
        if (pane := self.focused) is not None:
            pane.scroll_by(direction * (pane.page() if unit == "page" else 1))

    def move_across(self, direction: int) -> None:
        """Move to the side, in the panes that have something there."""
        if isinstance(pane := self.focused, GpusPane | LogPane | MetricsPane):
            pane.move_across(direction)


def _failure_card(view: View, width: int, height: int, has_focus: bool) -> list[Row]:
    from lightning_tui.ui.failure.card import failure_card  # not for the first frame

    return failure_card(view, width, height, has_focus)
