"""The two lines around the runs screen: what is in the runs home, or what must be said now, and the keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lightning_tui.text.units import plural, size
from lightning_tui.ui.drawing.canvas import Canvas, printable
from lightning_tui.ui.drawing.rows import EMPTY, Row, dots, ends, fill, first_fitting, width_of
from lightning_tui.ui.keys import APP_KEYS, Key
from lightning_tui.ui.runs.listing import Listing, is_over, state_of, total_size
from lightning_tui.ui.words import BRAND, STATE_MARKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning_tui.ui.view import Notice, View

CHANGES = frozenset({"runs-relaunch", "runs-note", "runs-delete", "runs-prune"})
"""Keys that change something: a cockpit that only watches does not offer them."""

_KEPT = (
    "close", "attach", "help", "relaunch", "checkpoints", "compare", "filter", "mark", "delete", "note", "sort",
    "prune", "overlay",
)  # fmt: skip
"""Keys by what they do; the first ones stay longest where it is narrow."""


class Bar(Canvas):
    """One row, drawn by a function of the width."""

    ground = "bar"

    def __init__(self, part: str, row: Callable[[int], Row]) -> None:
        super().__init__(part)
        self._row = row

    def rows(self, width: int, height: int) -> list[Row]:
        return [self._row(width)]


def title_row(listing: Listing, home: str, notice: Notice | None, width: int) -> Row:
    """What is there in all; a notice takes its place."""
    left: Row = (*BRAND, ("   ", "text"))
    if notice is not None:
        said: Row = printable(((notice.text, notice.token),))
        return fill(first_fitting([(*left, *said), (BRAND[0], *said)], width), width)
    left = (*left, ("Runs", "text+b"), ("  ", "text"))
    left = (*left, *first_fitting([*_counts(listing), EMPTY], width - width_of(left)))
    right = printable(((f"{home} ", "dim"),))
    return ends(left, right, width) if width_of(left) + width_of(right) + 2 <= width else fill(left, width)


def _counts(listing: Listing) -> list[Row]:
    """What there is in all, the longest way to say it first."""
    runs = listing.runs
    if not listing.is_complete:
        return [((f"{len(runs)} so far …", "dim"),)]
    if not runs:
        return []
    states = Counter(state_of(run) for run in runs if not is_over(run))
    alive: list[Row] = [((f"{amount} {state}", STATE_MARKS[state][1]),) for state, amount in states.items()]
    known = total_size(runs)
    amount = plural(len(runs), "run")
    return [dots(amount, *alive, ((size(known), "dim"),) if known else EMPTY), dots(amount, *alive), dots(amount)]


def keys_row(view: View, keys: Sequence[Key], width: int) -> Row:
    """The keys that do something; where it is narrow those that are needed least give way, whole."""
    offered = [key for key in keys if not (view.readonly and key.id in CHANGES)]
    offered.sort(key=lambda key: key.footer)
    while width_of(row := _row(view, offered)) > width and len(offered) > 1:
        offered.remove(max(offered, key=lambda key: _KEPT.index(key.id.partition("-")[2])))
    palette = next(key for key in APP_KEYS if key.id == "palette")
    right: Row = ((view.key(palette.id), "accent"), (f" {palette.label} ", "dim"))
    return ends(row, right, width) if width_of(row) + width_of(right) + 2 <= width else row


def _row(view: View, keys: Sequence[Key]) -> Row:
    row: Row = EMPTY
    for key in keys:
        row = (*row, ("   " if row else " ", "text"), (view.key(key.id), "accent+b"), (f" {key.label}", "dim"))
    return row
