"""The window before a relaunch: what each fix changes in the plan, and from where the child run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from lightning_tui.plan.fields import FIELD_TEXTS
from lightning_tui.services.findings import TRUST, Beginning, FieldChange, Fix
from lightning_tui.text.safe import harmless
from lightning_tui.text.units import ago, count
from lightning_tui.ui.drawing.canvas import Canvas, frame
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, ends, fill, selected, width_of, wrap
from lightning_tui.ui.failure.words import change_words, first_sentence, rest_of, tried_words, values_in_words
from lightning_tui.ui.windows.window import FittedWindow, hint

if TYPE_CHECKING:
    from textual import events

_WIDTH = 88
_LABEL_WIDTH = 11
_VALUES = (5, 14)
"""Least and most cells of a value."""
_MOST_LISTED = 9
_LEAST_HELP = 20
"""Cells from which what a field means is told beside it."""


class FixList(Canvas, can_focus=True):
    """The alternatives with a cursor, and what the one under it does."""

    def __init__(self, run_id: str, title: str, fixes: Sequence[Fix], place: int, now: float) -> None:
        super().__init__()
        self.fixes = list(fixes[:_MOST_LISTED])
        self.place = max(0, min(place, len(self.fixes) - 1))
        self._run_id, self._title, self._now = run_id, title, now

    @property
    def current(self) -> Fix:
        return self.fixes[self.place]

    def choose(self, place: int) -> None:
        """Put the cursor on one that there is."""
        if 0 <= place < len(self.fixes):
            self.place = place
            self.redraw()

    def wanted_height(self, width: int) -> int:
        """Rows that show any of the fixes whole, so that the window keeps its size."""
        return 2 + len(self._list_rows(width)) + max(len(self._details(fix, width)) for fix in self.fixes)

    def rows(self, width: int, height: int) -> list[Row]:
        inner = width - 4
        listed, details = self._list_rows(inner), self._details(self.current, inner)
        room = height - 2
        if len(listed) + len(details) > room:
            details = [row for row in details if row]
        if len(listed) + len(details) > room:
            listed = []
        return frame(
            [*listed, *details][:room],
            width,
            height,
            title=((f"Fix: {harmless(self._title)}" if self._title else "Fix", "text+b"),),
            heading=((f"a new run, child of {self._run_id}", "dim"),),
            facts=self._keys(),
            is_focused=True,
        )

    def on_click(self, event: events.Click) -> None:
        self.choose(event.y - 2)

    def _keys(self) -> Row:
        if self.current.obstacle is not None:
            return hint(("esc", "leave"))
        digits = (("1-" + str(len(self.fixes)), "choose"),) if len(self.fixes) > 1 else ()
        if self.current.trust:
            return hint(*digits, ("y", "start: I trust this file"), ("enter", "leave"))
        return hint(("enter", "start"), *digits, ("esc", "leave"))

    def _list_rows(self, width: int) -> list[Row]:
        if len(self.fixes) < 2:
            return [EMPTY]
        rows = [self._list_row(place, fix, width) for place, fix in enumerate(self.fixes)]
        return [EMPTY, *rows, (("─" * width, "border"),), EMPTY]

    def _list_row(self, place: int, fix: Fix, width: int) -> Row:
        is_here = place == self.place
        words = (f" {change_words(fix)}", "dim" if fix.obstacle else "text+b" if is_here else "text")
        left: Row = (("▸ " if is_here else "  ", "accent+b"), (str(place + 1), "accent+b"), (" ", "text"), words)
        right: Row = (
            (
                "cannot work here "
                if fix.obstacle
                else "only if you trust it "
                if fix.trust
                else tried_words(fix) + " "
                if fix.tried_in
                else "",
                "dim",
            ),
        )
        row = fill(ends(left, right, width), width)
        return selected(row) if is_here else row

    def _details(self, fix: Fix, width: int) -> list[Row]:
        rows = wrap(f"{first_sentence(fix.text)}.", width, "text+b")
        rest = rest_of(fix.text)
        rows += wrap(rest[:1].upper() + rest[1:], width, "dim")
        rows.append(EMPTY)
        rows += self._diff(fix.fields, width) or [(("The plan does not change.", "text"),)]
        rows.append(EMPTY)
        rows += self._beginning(fix.beginning, width)
        if fix.tried_in:
            rows += _labelled("Tried in", f"{fix.tried_in}, which changed the same fields", width, "warn")
        if fix.trust:
            rows += [EMPTY, *wrap(f"▲ {TRUST}", width, "warn")]
        if fix.obstacle is not None:
            rows += [EMPTY, *wrap(f"It cannot work here: {harmless(fix.obstacle)}", width, "warn")]
        return [*rows, EMPTY]

    def _diff(self, changes: Sequence[FieldChange], width: int) -> list[Row]:
        longest = max((len(value) for change in changes for value in values_in_words(change)), default=0)
        least, most = _VALUES
        values = max(least, min(most, longest))
        labels = max([_LABEL_WIDTH, *(len(FIELD_TEXTS[change.name].label) + 1 for change in changes)])
        return [self._diff_row(change, labels, values, width) for change in changes]

    def _diff_row(self, change: FieldChange, labels: int, values: int, width: int) -> Row:
        label = FIELD_TEXTS[change.name].label
        before, after = map(harmless, values_in_words(change))
        row: Row = (
            (f"{label:<{labels}}", "dim"),
            *_right(before or "script's", values + 3, "bad"),
            ("  →  ", "dim"),
            *fill(((after, "good+b"),), max(values, width_of(((after, ""),)))),
        )
        has_room = width - width_of(row) >= _LEAST_HELP
        return crop((*row, ("   ", "text"), (FIELD_TEXTS[change.name].help, "faint")) if has_room else row, width)

    def _beginning(self, beginning: Beginning, width: int) -> list[Row]:
        if beginning.checkpoint is None:
            typed = beginning.reason.startswith("from ")
            said = beginning.reason if typed else f"from the beginning: {beginning.reason}"
            return _labelled("Resumes" if typed else "Begins", harmless(said), width)
        parts = [PurePath(beginning.checkpoint).name]
        parts += [f"step {count(beginning.step)}"] if beginning.step is not None else []
        parts += [f"epoch {beginning.epoch}"] if beginning.epoch is not None else []
        parts += [f"saved {ago(self._now - beginning.saved_at)}"] if beginning.saved_at is not None else []
        return _labelled("Resumes", harmless("from " + " · ".join(parts)), width)


class FixWindow(FittedWindow["Fix"]):
    """Enter starts, digits choose, escape leaves. What asks for trust is left by enter, and started by its own key."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", show=False),
        Binding("enter", "take", show=False),
        Binding("y", "trust", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        *(Binding(str(number), f"choose({number - 1})", show=False) for number in range(1, _MOST_LISTED + 1)),
    ]

    def __init__(self, run_id: str, title: str, fixes: Sequence[Fix], place: int, now: float) -> None:
        super().__init__()
        self.part = self.list = FixList(run_id, title, fixes, place, now)

    def action_take(self) -> None:
        fix = self.list.current
        if fix.obstacle is None:
            self.dismiss(None if fix.trust else fix)

    def action_trust(self) -> None:
        fix = self.list.current
        if fix.trust and fix.obstacle is None:
            self.dismiss(fix)

    def action_move(self, places: int) -> None:
        self.list.choose(self.list.place + places)

    def action_choose(self, place: int) -> None:
        self.list.choose(place)

    def wanted_size(self, screen_width: int) -> tuple[int, int]:
        width = min(_WIDTH, screen_width - 2)
        return width, self.list.wanted_height(width - 4)


def _labelled(label: str, text: str, width: int, token: str = "text") -> list[Row]:
    """A dim label and a sentence over as many rows as it takes."""
    rows = wrap(text, width - _LABEL_WIDTH, token)
    return [((f"{label if at == 0 else '':<{_LABEL_WIDTH}}", "dim"), *row) for at, row in enumerate(rows)]


def _right(text: str, width: int, token: str) -> Row:
    row = crop(((text, token),), width)
    return ((" " * (width - width_of(row)), "text"), *row)
