"""The window with all runs: state, program, when, how far; enter attaches, delete asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from lightning_tui.ui.modals.window import Item, ListWindow, hint
from lightning_tui.ui.rows import Row
from lightning_tui.ui.words import STATE_MARKS, tail_of_id
from lightning_tui.words import ago

if TYPE_CHECKING:
    from lightning_tui.record import RunSnapshot, UnreadableRun

_UNREADABLE = ("✖", "bad")


class RunsWindow(ListWindow[Path]):
    """Choose a run by its directory."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("delete,d", "delete", show=False)]

    def __init__(self, delete: Callable[[Path], None], now: float, current: str | None) -> None:
        keys = hint(("enter", "attach"), ("d", "delete"), ("esc", "close"))
        super().__init__("Runs", [], keys=keys)
        self.list.waiting = "reading the runs …"
        self._delete = delete
        self._now = now
        self._current = current

    def take_runs(self, runs: tuple[RunSnapshot | UnreadableRun, ...], is_complete: bool) -> None:
        """Show what has been read so far."""
        self.list.waiting = "There are no runs yet." if is_complete else self.list.waiting
        self.list.take([run_item(run, self._now, self._current) for run in runs])
        self._fit()

    def action_delete(self) -> None:
        item = self.list.current
        if item is None:
            return
        path = item.value
        items = [
            Item(False, (("keep it", "text"),)),
            Item(True, (("delete it, with its checkpoints and all its files", "bad"),)),
        ]
        window: ListWindow[bool] = ListWindow(f"Delete {path.name}?", items)
        self.app.push_screen(window, lambda answer: self._delete(path) if answer else None)


def run_item(run: RunSnapshot | UnreadableRun, now: float, current: str | None) -> Item[Path]:
    """One run as a line."""
    from lightning_tui.record import UnreadableRun

    path = Path(run.directory)
    if isinstance(run, UnreadableRun):
        glyph, token = _UNREADABLE
        return Item(path, ((f"{glyph} ", token), (run.id, "dim")), (("cannot be read", "dim"),), False, run.problem)
    return _readable_item(run, path, now, current)


def _readable_item(run: RunSnapshot, path: Path, now: float, current: str | None) -> Item[Path]:
    glyph, token = STATE_MARKS[run.state.value]
    progress = run.progress
    share = f"{int(progress.fraction * 100)} %" if progress is not None and progress.fraction is not None else "–"
    here = " ◂ here" if current == run.record.id else ""
    left: Row = (
        (f"{glyph} ", token),
        (f"{run.state.value:<11}", token),
        (f"{run.record.program.label:<20.20} ", "text"),
        (f"{share:>5}", "text"),
    )
    right: Row = (
        (here, "accent"),
        (f"  {ago(now - run.record.created_at):>12}  ", "dim"),
        (tail_of_id(run.record.id), "dim"),
    )
    return Item(path, left, right, note=run.detail)
