"""Two lines that are no panes: the footer with the keys of the moment, and a banner for what needs more room."""

from __future__ import annotations

from lightning_tui.ui.cockpit.state_line import message_fits, message_row
from lightning_tui.ui.drawing.canvas import Canvas
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, ends, width_of
from lightning_tui.ui.keys import APP_KEYS, KEYS, Key
from lightning_tui.ui.view import View


class Footer(Canvas):
    """The keys that do something now."""

    ground = "bar"

    def __init__(self, view: View) -> None:
        super().__init__("footer")
        self.view = view
        self.pane = "log"
        self.is_zoomed = False

    def show(self, view: View, pane: str, is_zoomed: bool) -> None:
        """Draw another moment."""
        self.view, self.pane, self.is_zoomed = view, pane, is_zoomed
        self.redraw()

    def rows(self, width: int, height: int) -> list[Row]:
        return [footer_row(self.view, self.pane, self.is_zoomed, width)]


def footer_row(view: View, pane: str, is_zoomed: bool, width: int) -> Row:
    """Keys from the left in their order; where it is narrow the last ones in the table's order give way, whole."""
    is_active = view.is_active and view.run is not None and not view.readonly
    now = {
        "always": True,
        "startable": not view.is_active and not view.readonly,
        "active": is_active,
        "training": is_active and view.state != "stopping",
        "fixable": view.can_fix,
        "plan": pane == "plan",
        "log": pane == "log" and view.run is not None,
        "ranks": pane == "log" and view.run is not None and len(view.run.ranks) > 1,
        "metrics": pane == "metrics" and view.run is not None,
        "zoomed": is_zoomed,
    }
    offered = [key for key in KEYS if key.footer and now[key.when]]
    offered.sort(key=lambda key: key.footer)
    palette = next(key for key in APP_KEYS if key.id == "palette")
    while width_of(row := _keys_row(view, offered)) > width:
        offered.remove(_least_needed(offered, view))
    right: Row = ((view.key(palette.id), "accent"), (f" {palette.label} ", "dim"))
    return ends(row, right, width) if width_of(row) + width_of(right) + 2 <= width else row


_GIVE_WAY = (
    "zoom", "jump", "filter", "wrap", "copy", "next-hit", "export", "unit", "smooth", "log-scale", "overlay", "metric",
    "rank", "follow", "search", "open", "runs", "back",
)  # fmt: skip
_GIVE_WAY_IN_PLAN = ("zoom", "runs", "tune", "command", "recommend", "fields")


def _least_needed(offered: list[Key], view: View) -> Key:
    """Help and quit stay longest, then what starts and stops."""
    plan = _GIVE_WAY_IN_PLAN if any(key.id == "fields" for key in offered) else ()
    order = (*plan, *_GIVE_WAY, "pause" if view.state != "paused" else "checkpoint", "checkpoint")
    return next((key for name in order for key in offered if key.id == name), offered[-1])


def _keys_row(view: View, keys: list[Key]) -> Row:
    row: Row = EMPTY
    for key in keys:
        label = "resume" if key.id == "pause" and view.state == "paused" else key.label
        row = (*row, ("   " if row else " ", "text"), (view.key(key.id), "accent+b"), (f" {label}", "dim"))
    return row


class Banner(Canvas):
    """A sentence over the second line of the screen, there only while the state line has no room for it."""

    ground = "bar"

    def __init__(self, view: View) -> None:
        super().__init__("banner")
        self.view = view

    def show(self, view: View, width: int) -> None:
        """Draw another moment, or go away."""
        self.view = view
        self.display = bool(message_row(view)) and not message_fits(view, width)
        if self.display:
            self.redraw()

    def rows(self, width: int, height: int) -> list[Row]:
        message = message_row(self.view)
        return [((" ▸ ", "accent"), *crop(message, width - 4))] if message else [EMPTY]
