"""The window to choose whose output the log shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tui.ui.drawing.rows import Row
from lightning_tui.ui.log.lines import ALL_RANKS
from lightning_tui.ui.windows.window import Item, ListWindow
from lightning_tui.ui.words import rank_state

if TYPE_CHECKING:
    from lightning_tui.record import RankView, RunSnapshot

TITLE = "Log of (stdout and stderr are one file)"
"""A rank has one file for both of its streams: so there is no choice between them."""


def rank_window(run: RunSnapshot, ranks: tuple[int, ...], shown: int | None, *, is_active: bool) -> ListWindow[int]:
    """Choose one of the ranks that have output, or all of them."""
    known = {rank.rank: rank for rank in run.ranks}
    items = [Item(rank, ((f"rank {rank}", "text"),), _rank_row(known.get(rank), is_active)) for rank in ranks]
    everyone: Item[int] = Item(ALL_RANKS, (("all ranks", "text"),), (("merged by time, to the second", "dim"),))
    values = (ALL_RANKS, *ranks)
    return ListWindow(TITLE, [everyone, *items], values.index(shown) if shown in values else 1)


def _rank_row(rank: RankView | None, is_active: bool) -> Row:
    if rank is None:
        return ()
    step = f"step {rank.global_step}  " if rank.global_step is not None else ""
    token = "bad" if rank.state in ("failed", "gone") else "dim"
    return ((f"{step}{rank.host}  ", "dim"), (rank_state(rank.state, is_active), token))
