"""Advice in one line of a pane's border: the gravest that is new, how many there are, and the key that tells more."""

from __future__ import annotations

from typing import NamedTuple

from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, width_of
from lightning_tui.ui.pane import printable

LEAST_WIDTH = 16
"""Narrower than this a title says nothing."""


class AdviceLine(NamedTuple):
    """A title that may be cut, and what stands behind it whole."""

    title: Row
    tail: Row

    def row(self, width: int) -> Row:
        """The line in so many cells."""
        room = width - width_of(self.tail)
        if room < 0:
            return EMPTY
        title = crop(printable(self.title), room) if room >= min(LEAST_WIDTH, width_of(self.title)) else EMPTY
        return (*title, *self.tail)
