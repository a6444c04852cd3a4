"""What is a line on the screen before it has colours: a row of spans, and the few ways to fit rows into a width.

A row is a tuple of `(text, token)`; a token names a meaning (`dim`, `good`, `accent+b`), never a colour. Rows are plain
values, so everything that is drawn can be tested without a screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size

Span: TypeAlias = tuple[str, str]
Row: TypeAlias = tuple[Span, ...]

EMPTY: Row = ()


def width_of(row: Iterable[Span]) -> int:
    """Cells that a row takes."""
    return sum(cell_len(text) for text, _ in row)


def crop(row: Row, width: int) -> Row:
    """Cut a row to `width` cells; what was cut is told by an ellipsis."""
    if width_of(row) <= width:
        return row
    if width <= 0:
        return EMPTY
    kept: list[Span] = []
    left = width - 1
    for text, token in row:
        size = cell_len(text)
        if size > left:
            kept.append((set_cell_size(text, left).rstrip() + "…", token))
            break
        kept.append((text, token))
        left -= size
    return tuple(kept)


def fill(row: Row, width: int, token: str = "text") -> Row:
    """Make a row exactly `width` cells wide."""
    row = crop(row, width)
    missing = width - width_of(row)
    return (*row, (" " * missing, token)) if missing else row


def ends(left: Row, right: Row, width: int, gap: int = 2) -> Row:
    """Put `right` at the right end; `left` gives way, and `right` goes where nothing would be left of the left."""
    room = width - width_of(right) - gap
    if room < min(width_of(left), 8):
        return fill(left, width)
    left = crop(left, room)
    return (*left, (" " * (width - width_of(left) - width_of(right)), "text"), *right)


def join(parts: Sequence[Row], width: int, separator: Span = ("  ", "text")) -> Row:
    """Put as many parts side by side as fit whole, the first ones first; a first part that is too wide is cut."""
    row: Row = EMPTY
    for part in parts:
        if not part:
            continue
        longer = (*row, separator, *part) if row else part
        if row and width_of(longer) > width:
            continue
        row = longer
    return crop(row, width)


def first_fitting(rows: Sequence[Row], width: int) -> Row:
    """The first of several ways to say it that fits; the last one, cut, where none does."""
    return next((row for row in rows if width_of(row) <= width), crop(rows[-1], width) if rows else EMPTY)


def selected(row: Row) -> Row:
    """The row on the selection's ground."""
    lifted = [(text, "dim" if token == "faint" else token) for text, token in row]
    return tuple((text, f"{token}s" if "+" in token else f"{token}+s") for text, token in lifted)


def dots(*parts: str | Row) -> Row:
    """Facts with dim dots between them; plain text is bright. Empty parts are left out."""
    row: list[Span] = []
    for part in parts:
        if not part:
            continue
        if row:
            row.append((" · ", "dim"))
        row.extend([(part, "text")] if isinstance(part, str) else part)
    return tuple(row)


def wrap(text: str, width: int, token: str = "text") -> list[Row]:
    """Break a sentence between words, and a word that is too long within itself."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        while cell_len(word) > width > 0:
            if line:
                lines.append(line)
                line = ""
            head = _head(word, width)
            lines.append(head)
            word = word[len(head) :]
        candidate = f"{line} {word}" if line else word
        if cell_len(candidate) <= width:
            line = candidate
        else:
            lines.append(line)
            line = word
    if line:
        lines.append(line)
    return [((line, token),) for line in lines]


def _head(word: str, width: int) -> str:
    taken = 0
    for position, character in enumerate(word):
        taken += cell_len(character)
        if taken > width:
            return word[: max(1, position)]
    return word


def centred(rows: list[Row], width: int, height: int) -> list[Row]:
    """Rows in the middle of a space, a little above."""
    above = max(0, (height - len(rows)) * 2 // 5)
    cropped = [crop(row, width) for row in rows]
    return [EMPTY] * above + [((" " * ((width - width_of(row)) // 2), "text"), *row) for row in cropped]


def merged(cells: Iterable[Span]) -> Row:
    """Put neighbours of one token together: fewer bytes to the terminal."""
    row: list[Span] = []
    for text, token in cells:
        if row and (row[-1][1] == token or (text == " " and "s" not in row[-1][1].partition("+")[2])):
            row[-1] = (row[-1][0] + text, row[-1][1])
        else:
            row.append((text, token))
    return tuple(row)
