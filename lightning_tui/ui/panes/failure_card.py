"""What happened when a run has failed, told over its log: what, where, and which keys help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from lightning_tui.ui.logtext import harmless
from lightning_tui.ui.rows import EMPTY, Row, join, wrap
from lightning_tui.ui.view import View

if TYPE_CHECKING:
    from lightning_tui.record import Failure


class Story(NamedTuple):
    """A failure as the card tells it."""

    title: str
    where: str
    sentence: str


def failure_card(view: View, width: int, height: int) -> list[Row]:
    """What happened, where, and which keys help: at most `height` rows, none where nothing has failed."""
    if view.run is None or view.state != "failed" or height < 2:
        return []
    story = tell(view)
    inside = width - 4
    rows: list[Row] = [join([((story.title, "bad+b"),), ((story.where, "dim"),)], inside, ("   ", "text"))]
    sentence = wrap(story.sentence, inside)[: max(1, min(3, height - 2))]
    rows += sentence
    rows.append(_help_row(view, inside))
    rows = rows[:height]
    last = len(rows) - 1
    bracket = ["╭╴" if y == 0 else "╰╴" if y == last else "│ " for y in range(len(rows))]
    return [((f" {bracket[y]} ", "bad"), *row) for y, row in enumerate(rows)]


def tell(view: View) -> Story:
    """The failure in three parts."""
    assert view.run is not None
    failure, ended = view.run.failure, view.run.ended
    if failure is None:
        title = "The program could not be started" if ended and ended.cause == "launch" else "The run failed"
        return Story(title, "", view.run.detail)
    first_line = harmless(failure.message.strip().partition("\n")[0]) or "no message"
    where = [f"rank {failure.rank}" if failure.rank is not None else "", failure.hook or "", last_frame(failure)]
    return Story(harmless(failure.type), harmless(" · ".join(part for part in where if part)), first_line)


def last_frame(failure: Failure) -> str:
    """The innermost place in the traceback that is no library's: `train.py:41 in training_step`."""
    frames = re.findall(r'File "([^"\n]+)", line (\d+), in (\S+)', failure.traceback)
    if not frames:
        return ""
    own = [found for found in frames if "site-packages" not in found[0] and "/lib/python" not in found[0]]
    path, line, function = (own or frames)[-1]
    return f"{path.rpartition('/')[2]}:{line} in {function}"


def _help_row(view: View, width: int) -> Row:
    start: Row = ((view.key("start"), "accent+b"), (" start again", "dim"))
    others: Row = ((view.key("rank"), "accent+b"), (" other ranks", "dim"))
    ranks = view.run.ranks if view.run is not None else ()
    parts = [
        EMPTY if view.readonly else start,
        others if len(ranks) > 1 else EMPTY,
        ((view.key("wrap"), "accent+b"), (" wrap lines", "dim")),
        ((view.key("runs"), "accent+b"), (" runs", "dim")),
    ]
    return join(parts, width, ("   ", "text"))
