"""What is said of the log in its border, and in its place while there is none?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning_tui.text.safe import harmless
from lightning_tui.text.units import count
from lightning_tui.ui.drawing.rows import EMPTY, Row, join
from lightning_tui.ui.log.lines import ALL_RANKS, MergedLines

if TYPE_CHECKING:
    from lightning_tui.ui.log.following import Output
    from lightning_tui.ui.log.place import LogPlace
    from lightning_tui.ui.log.search import Search
    from lightning_tui.ui.view import View


def place_row(place: LogPlace, output: Output, view: View, more: list[Row], width: int) -> Row:
    """Whether the end is followed, whose output it is, how much there is of it, and more."""
    amount: Row = ((count(place.total), "text"), (" lines" if place.total != 1 else " line", "dim"))
    if output.share is not None:
        amount = ((f"the end; {output.share:.0%} read", "dim"),)
    parts = [_following_words(place, view), ((_whose(output), "dim"),), amount, *more]
    return join(parts, width, (" · ", "dim"))


def _following_words(place: LogPlace, view: View) -> Row:
    if place.selection is not None:
        first, last = place.selection
        return ((f"{count(last - first + 1)} selected", "accent+b"), (f" · {view.key('copy')} copies", "dim"))
    if place.follow:
        return (("following", "accent"),)
    follows: Row = ((f"{view.key('follow')} follows", "dim"),)
    if place.unseen <= 0:
        return follows
    return ((f"▼ {count(place.unseen)} new", "accent+b"), (" · ", "dim"), *follows)


def _whose(output: Output) -> str:
    if output.rank == ALL_RANKS:
        return f"all {len(output.ranks)} ranks"
    return f"rank {output.rank}" if len(output.ranks) < 2 else f"rank {output.rank} of {len(output.ranks)}"


def search_row(search: Search | None, context: int | None, place: LogPlace, output: Output | None, width: int) -> Row:
    """What is searched for, which of the hits is marked, and whether only lines that match are shown."""
    if search is None:
        return EMPTY
    what: Row = (("/", "dim"), (harmless(search.text), "warn")) if search.text else (("lines with errors", "warn"),)
    only: Row = EMPTY
    if context is not None:
        only = (("only lines that match" + (f" ± {context}" if context else ""), "dim"),)
    return join([what, _found_words(search, place, output), only], width, (" · ", "dim"))


def _found_words(search: Search, place: LogPlace, output: Output | None) -> Row:
    # A traceback has more than one line with an error.
    number = _number_of_hit(search, place, output) if search.text else None
    found = f"{count(number)} of {count(search.total)}" if number is not None else f"{count(search.total)} found"
    if search.is_complete:
        return ((found if search.total else "not found", "text" if search.total else "bad"),)
    return ((found, "text"), (f", searched {search.share:.0%}", "dim"))


def _number_of_hit(search: Search, place: LogPlace, output: Output | None) -> int | None:
    """Which hit the marked line is, from 1."""
    lines, mark = place.lines, place.mark
    if mark is None or lines is None or output is None or output.rank not in search.hits or output.log.start:
        return None
    hits = search.hits[output.rank]
    line = lines.first_from(output.rank, mark)
    number = hits.first_from(line)
    return number + 1 if number < hits.total and hits.line_of(number) == line else None


def empty_rows(search: Search | None, context: int | None, place: LogPlace, view: View) -> list[Row]:
    """What stands in place of the log while there is none."""
    if context is not None and search is not None:
        return [(("No matching line." if search.is_complete else "No matching line yet.", "dim"),)]
    if isinstance(place.lines, MergedLines):
        return [(("No output yet: all ranks are merged once a second.", "dim"),)]
    if view.is_opening and view.run is None:
        return [(("opening the run …", "dim"),)]
    if view.run is not None:
        return [(("No output yet." if view.is_active else "This run wrote no output.", "dim"),)]
    runs: Row = (("  ", "text"), (view.key("runs"), "accent+b"), (" shows all runs", "dim"))
    if view.readonly:
        return [EMPTY, runs]
    if view.program is None:
        first: Row = (("  ", "text"), (view.key("open"), "accent+b"), (" in the plan selects a program", "dim"))
    else:
        first = (("  ", "text"), (view.key("start"), "accent+b"), (" starts ", "dim"), (view.program.label, "text"))
    return [EMPTY, (("  No run yet.", "text"),), EMPTY, first, runs]
