"""The first line of the screen: machine, program, state, how long it takes; and what must be said now."""

from __future__ import annotations

from lightning_tui.ui.panes.base import Canvas
from lightning_tui.ui.rows import EMPTY, Row, crop, ends, fill, width_of, wrap
from lightning_tui.ui.view import View
from lightning_tui.ui.words import STATE_MARKS, gpu_name, tail_of_id
from lightning_tui.words import duration, plural

BRAND: Row = ((" ⚡ ", "accent"), ("lightning-tui", "accent+b"))


class StateLine(Canvas):
    """One row; on a screen too small for anything else it is all there is."""

    ground = "bar"

    def __init__(self, view: View) -> None:
        super().__init__("state")
        self.view = view

    def show(self, view: View) -> None:
        """Draw another moment."""
        self.view = view
        self.redraw()

    def rows(self, width: int, height: int) -> list[Row]:
        if width < 28:
            return [*wrap(f"{state_words(self.view)} · the terminal is too small", width, "text")][:height]
        return [state_row(self.view, width)]


def state_row(view: View, width: int) -> Row:
    """The state line: right part whole, then what must be said, then the machine where there is room."""
    right = _right_part(view, width)
    left = BRAND if width_of(BRAND) + width_of(right) + 2 <= width else (BRAND[0],)
    candidates = (message_row(view), remark_row(view), machine_summary(view))
    middle = next((row for row in candidates if row and _fits_between(left, row, right, width)), EMPTY)
    if middle:
        left = (*left, ("   ", "text"), *middle)
    return ends(left, right, width) if width_of(left) + width_of(right) + 1 <= width else fill(right, width)


def message_fits(view: View, width: int) -> bool:
    """Whether what must be said has room within the state line."""
    return _fits_between(BRAND, message_row(view), _right_part(view, width), width)


def message_row(view: View) -> Row:
    """What must be said now: the answer to a key, a countdown, or trouble; empty where there is nothing."""
    if view.notice is not None:
        return ((view.notice.text, view.notice.token),)
    if view.run is None:
        return EMPTY
    if view.state == "stopping":
        return _stopping_row(view)
    if view.state == "lost":
        return ((view.run.detail, "warn"),)
    if view.run.notices:
        return ((view.run.notices[0], "warn"),)
    return EMPTY


def remark_row(view: View) -> Row:
    """What the word for a final state does not tell; a failure has its card in the log."""
    if view.run is None or view.state not in ("stopped", "killed", "finished"):
        return EMPTY
    return ((view.run.detail, "dim"),) if view.run.detail else EMPTY


def _stopping_row(view: View) -> Row:
    stopping = view.run.stopping if view.run is not None else None
    if stopping is None:
        return (("asked to stop: the batch ends, then a checkpoint is saved", "warn"),)
    said = {
        "asked": ("finishing the batch and saving", "SIGTERM"),
        "sigterm": ("SIGTERM was sent", "SIGKILL"),
        "sigkill": ("SIGKILL was sent to all its processes", ""),
    }
    now, then = said[stopping.rung]
    if stopping.next_rung_at is None or not then:
        return ((now, "warn"),)
    left = max(0, round(stopping.next_rung_at - view.now))
    return ((now, "warn"), (" · ", "dim"), (f"{then} in {left} s", "warn"))


def machine_summary(view: View) -> Row:
    """The machine in a few words."""
    environment = view.environment
    if environment is None:
        return EMPTY
    row: Row = ((environment.platform.label, "text"),)
    names = [gpu_name(gpu.name or "GPU") for node in view.nodes for gpu in node.gpus if gpu.mig is None]
    if names:
        kinds = " + ".join(f"{names.count(name)} × {name}" for name in dict.fromkeys(names))
        return (*row, (f" · {kinds}", "dim"))
    host = view.host
    if host is not None and host.cpu_count:
        return (*row, (f" · {plural(host.cpu_count, 'CPU')}", "dim"))
    return row


def state_words(view: View) -> str:
    """State and program in words alone."""
    if view.is_opening and view.run is None:
        return "opening"
    if view.run is None:
        return "ready"
    return f"{STATE_MARKS[view.run.state.value][0]} {view.run.state.value}"


def _right_part(view: View, width: int) -> Row:
    label = crop(((view.label, "text"),), max(8, width // 3)) if view.label else EMPTY
    mark = _mark(view)
    if view.run is not None:
        label = (*label, (" ", "text"), (tail_of_id(view.run.record.id), "dim"))
    if not label or width_of(label) + width_of(mark) + 8 > width:
        return mark
    return (*label, ("  ", "text"), *mark)


def _mark(view: View) -> Row:
    """State and time."""
    if view.run is None:
        return (("◌ opening ", "accent"),) if view.is_opening else (("○ ready ", "dim"),)
    state = view.run.state.value
    glyph, token = STATE_MARKS[state]
    elapsed = view.elapsed_s()
    since = "" if elapsed is None else f"{'after ' if view.run.state.is_final else ''}{duration(elapsed)} "
    return ((f"{glyph} ", f"{token}+b"), (state, f"{token}+b"), ("  ", "text"), (since, "dim"))


def _fits_between(left: Row, middle: Row, right: Row, width: int) -> bool:
    return width_of(left) + 3 + width_of(middle) + 2 + width_of(right) <= width
