"""The windows over the runs screen: what to delete, what to prune, what to call a run, what to resume from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from textual.widgets import Input

from lightning_tui.record.summaries import RunSummary
from lightning_tui.services.runs import ListedRun, PruneRule
from lightning_tui.text.safe import harmless
from lightning_tui.text.units import NOT_KNOWN, ago, count, plural, size
from lightning_tui.ui.drawing.canvas import printable
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, fill
from lightning_tui.ui.runs.listing import state_of, title_of, titles_of, total_size
from lightning_tui.ui.runs.table import value_row
from lightning_tui.ui.windows.field import FieldNote, TypingWindow, box
from lightning_tui.ui.windows.window import Item, ListWindow, hint
from lightning_tui.ui.words import STATE_MARKS

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from lightning_tui.record.checkpoints import Checkpoint

DAY_S = 86400.0
_GIB = 1 << 30
_MOST_NAMED = 4


def delete_window(runs: Sequence[ListedRun], children: int) -> ListWindow[bool]:
    """Ask before these runs, all of them over, are deleted; keeping them is the default."""
    one = len(runs) == 1
    what = "it, with its checkpoints and all files" if one else "them, with their checkpoints and all their files"
    left = f" {plural(children, 'child', 'children')} of {'it' if one else 'them'} stay." if children else ""
    items = [
        Item(False, ((f"keep {'it' if one else 'them'}", "text"),), note="Nothing changes."),
        Item(True, ((f"delete {what}", "bad"),), _freed(runs), note=f"{_names(runs)}. This cannot be undone.{left}"),
    ]
    return ListWindow(f"Delete {titles_of(runs)}?", items)


def _freed(runs: Sequence[ListedRun]) -> Row:
    freed = total_size(runs)
    return ((f"  {size(freed)}", "dim"),) if freed else EMPTY


def _names(runs: Sequence[ListedRun]) -> str:
    shown = ", ".join(map(title_of, runs[:_MOST_NAMED]))
    more = len(runs) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


OTHER = PruneRule()
"""Not one of those that are offered: it is typed."""


def prune_window() -> ListWindow[PruneRule]:
    """Which rule; nothing is deleted by it before its preview."""
    rules = [
        *((f"that ended more than {days} days ago", PruneRule(older_than_s=days * DAY_S)) for days in (7, 30, 90)),
        *(
            (f"the oldest, until the others need at most {rest} GiB", PruneRule(keep_size=rest * _GIB))
            for rest in (10, 100)
        ),
        *((f"all but the newest {amount}", PruneRule(keep=amount)) for amount in (20, 100)),
        ("another rule …", OTHER),
    ]
    items = [
        Item(rule, ((words, "text"),), note="You see the list first. An active run is never deleted.")
        for words, rule in rules
    ]
    window = ListWindow("Delete runs", items, keys=hint(("enter", "preview"), ("esc", "close")))
    window.list.note_height = 1
    return window


_RULE = re.compile(r"(\d+(?:\.\d+)?)\s*(d|days?|mib|gib|)", re.IGNORECASE)

RULE_HELP = """14 days: those that ended longer ago.
5 GiB, or 500 MiB: the oldest, until the others need no more.
10: all but the newest ten. You see the list first."""


def typed_rule(text: str) -> PruneRule:
    """The rule that was typed.

    Raises:
        ValueError: it is none.
    """
    found = _RULE.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"{text.strip()!r} is not a rule. Type 14 days, 5 GiB, 500 MiB, or the number of runs to keep."
        )
    amount, unit = float(found[1]), found[2].lower()
    if unit.startswith("d"):
        return PruneRule(older_than_s=amount * DAY_S)
    if unit:
        return PruneRule(keep_size=int(amount * (_GIB if unit == "gib" else 1 << 20)))
    return PruneRule(keep=int(amount))


def preview_window(doomed: Sequence[RunSummary], now: float) -> ListWindow[bool]:
    """What a rule would delete, and whether it shall; keeping all is the default."""
    items: list[Item[bool]] = [
        Item(False, (("keep them all", "text"),)),
        Item(True, ((f"delete {plural(len(doomed), 'run')}, with all their files", "bad"),), _freed(doomed)),
    ]
    items += [Item(False, *_preview_line(run, now), is_enabled=False) for run in doomed]
    return ListWindow(f"{plural(len(doomed), 'run')} would be deleted", items)


def _preview_line(run: RunSummary, now: float) -> tuple[Row, Row]:
    glyph, _ = STATE_MARKS[state_of(run)]
    name = fill(printable(((title_of(run), "dim"),)), 30)
    left: Row = ((f"  {glyph} ", "dim"), *name, (ago(now - run.created_at), "dim"))
    return left, ((size(run.size) if run.size is not None else NOT_KNOWN, "dim"),)


def checkpoints_window(run: RunSummary, checkpoints: Sequence[Checkpoint], now: float) -> ListWindow[Checkpoint]:
    """Choose one to go on from; those that are not whole cannot be chosen."""
    metric = run.metric.name if run.metric is not None and run.metric.best is not None else None
    items = [_checkpoint_item(one, metric, now) for one in checkpoints]
    start = next((at for at, item in enumerate(items) if item.is_enabled), 0)
    keys = hint(("enter", "resume from it"), ("esc", "close"))
    window = ListWindow(f"Checkpoints of {title_of(run)}", items, start, keys)
    window.list.waiting = "It has no checkpoints."
    return window


def _checkpoint_item(one: Checkpoint, metric: str | None, now: float) -> Item[Checkpoint]:
    step = f"step {count(one.global_step)}" if one.global_step is not None else "step not known"
    epoch = f"epoch {one.epoch}" if one.epoch is not None else ""
    name = metric if metric in one.metrics else next((name for name in sorted(one.metrics) if "loss" in name), None)
    is_good = one.is_complete and one.problem is None
    place = Path(one.path).name if "://" not in one.path else one.path
    left: Row = (
        *fill(((step, "text"),), 13),
        *fill(((epoch, "dim"),), 10),
        *fill(value_row(name, one.metrics[name], 20) if name is not None else EMPTY, 21),
        *crop(printable(((place, "dim"),)), 24),
        ("  ", "text"),
    )
    when = f"{ago(now - one.saved_at)}  " if one.saved_at is not None else ""
    right: Row = (
        ("" if is_good else "incomplete  " if not one.is_complete else "unusable  ", "warn"),
        (when, "dim"),
        (f"{size(one.size) if one.size is not None else NOT_KNOWN:>8}", "text" if is_good else "dim"),
    )
    return Item(one, left, right, is_good, one.path if is_good else f"Cannot be used: {one.problem}.")


def resume_window(run: RunSummary, one: Checkpoint) -> ListWindow[str]:
    """Start the child at once, or change its plan first."""
    place = Path(one.path).name if "://" not in one.path else one.path
    at = f"step {count(one.global_step)}" if one.global_step is not None else place
    items = [
        Item("start", (("start it", "text"),), note=f"A child of {title_of(run)}. In its plan: ckpt_path → {place}"),
        Item("change", (("change its plan first", "text"),), note="The plan is loaded; nothing starts."),
        Item("", (("not now", "text"),), note="Nothing changes."),
    ]
    return ListWindow(f"Resume from {at}", items)


class _NotesInput(Input):
    """One line to type in; tab goes on to the next one at once, before the letters that follow it."""

    def on_key(self, event: events.Key) -> None:
        if event.key in ("tab", "down", "shift+tab", "up"):
            event.stop()
            event.prevent_default()
            screen = self.screen
            (screen.focus_next if event.key in ("tab", "down") else screen.focus_previous)()


class TypedNotes(NamedTuple):
    """What a person says of a run."""

    name: str
    note: str


class NotesWindow(TypingWindow[TypedNotes]):
    """Type a name and a note."""

    DEFAULT_CSS = "NotesWindow FieldNote { height: 1; }"

    def __init__(self, run: RunSummary) -> None:
        super().__init__()
        self._heading = title_of(run)
        self._before = TypedNotes(run.name or "", run.note or "")

    def compose(self) -> ComposeResult:
        labels = [FieldNote(text) for text in ("Name, for the list and for commands", "Note")]
        for label in labels:
            label.has_gap = False
        name = _NotesInput(harmless(self._before.name), id="name", max_length=60, select_on_focus=False)
        note = _NotesInput(harmless(self._before.note), id="note", max_length=4000, select_on_focus=False)
        keys = "enter take  tab next  esc close"
        yield box(harmless(self._heading), keys, labels[0], name, FieldNote(""), labels[1], note)

    def on_input_submitted(self) -> None:
        name, note = (self.query_one(f"#{part}", Input).value for part in TypedNotes._fields)
        is_touched = note != harmless(self._before.note)
        self.dismiss(TypedNotes(name, note if is_touched else self._before.note))  # with its line ends
