"""Turn a raw line of a program's output into a row: colours kept, bars folded, nothing that could reach the terminal.

Output is untrusted. Whatever bytes come in, what comes out is printable characters alone.
"""

from __future__ import annotations

import functools
import re

from rich.cells import cell_len
from rich.color import Color

from lightning_tui.text.safe import ESCAPE, harmless
from lightning_tui.ui.drawing.rows import Row, Span

LONGEST = 4096
"""Bytes of one line that are looked at."""

_TAB = 8

_ERROR = re.compile(
    r"\b(?:ERROR|CRITICAL|FATAL)\b"
    r"|^(?:\[rank\d+\]:\s*)?(?:Traceback \(most recent|[\w.]*(?:Error|Exception|Interrupt)\b)"
)
_WARNING = re.compile(r"\bWARN(?:ING)?\b|\b\w*Warning:")


@functools.lru_cache(maxsize=1024)
def log_row(line: bytes) -> Row:
    """One line as a row: `\\r` bars folded to their last state, SGR colours as tokens, errors red, warnings amber."""
    text = fold(line[-LONGEST:] if b"\r" in line[-LONGEST:].rstrip(b"\r") else line[:LONGEST])
    spans = _styled(text)
    if any(token != "text" for _, token in spans):
        return tuple(spans)
    token = level(text_without_escapes := "".join(text for text, _ in spans))
    return ((text_without_escapes, token),) if text_without_escapes else ()


def fold(line: bytes) -> str:
    """What a terminal would show of a line with carriage returns: the text after the last one; no blanks at its end."""
    return line.decode("utf-8", "replace").rstrip("\r").rpartition("\r")[2].rstrip()


def level(text: str) -> str:
    """Token of a line that has no colours of its own, by simple recognition."""
    if _ERROR.search(text):
        return "bad"
    if _WARNING.search(text):
        return "warn"
    return "text"


def plain(line: bytes) -> str:
    """The line as text to copy: bars folded, no colours, tabs kept, nothing else that is not printable."""
    return harmless(fold(line), keeps="\t")


def expand_tabs(text: str, column: int = 0) -> str:
    """Tabs as the spaces up to the next multiple of eight cells; the text begins at `column`."""
    head, *others = text.split("\t")
    for part in others:
        head += " " * (_TAB - (column + cell_len(head)) % _TAB) + part
    return head


def cut_left(row: Row, columns: int) -> Row:
    """The row without its first cells; of a wide character that is cut in two a blank stays."""
    if columns <= 0:
        return row
    kept: list[Span] = []
    for text, token in row:
        size = cell_len(text)
        if columns >= size:
            columns -= size
            continue
        kept.append((_drop_cells(text, columns) if columns else text, token))
        columns = 0
    return tuple(kept)


def highlight(row: Row, pattern: re.Pattern[str], mark: str) -> Row:
    """The row with `mark` added to the tokens of all that matches."""
    text = "".join(text for text, _ in row)
    places = _places(pattern, text)
    if not places:
        return row
    spans: list[Span] = []
    begin = 0
    for part, token in row:
        spans += _marked(part, token, begin, places, mark)
        begin += len(part)
    return tuple(spans)


def _places(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    if pattern in _SLOW:
        return []
    from lightning_tui.output.search import PatternError, cpu_limit  # not for the first frame

    try:
        with cpu_limit(_PATIENCE_S, pattern.pattern):
            return [match.span() for match in pattern.finditer(text) if match.end() > match.start()]
    except PatternError:
        _SLOW.add(pattern)
        return []


_PATIENCE_S = 0.05
_SLOW: set[re.Pattern[str]] = set()
"""Expressions that took longer than that for one line, and would hold up the screen again."""


def _marked(part: str, token: str, begin: int, places: list[tuple[int, int]], mark: str) -> list[Span]:
    spans: list[Span] = []
    done = 0
    for first, last in places:
        start, end = max(done, first - begin), min(len(part), last - begin)
        if start < end:
            spans += [(part[done:start], token), (part[start:end], mark)]
            done = end
    spans.append((part[done:], token))
    return [span for span in spans if span[0]]


def _drop_cells(text: str, columns: int) -> str:
    for position, character in enumerate(text):
        if columns <= 0:
            return " " * -columns + text[position:]
        columns -= cell_len(character)
    return " " * -columns


def wrap_row(row: Row, width: int) -> list[Row]:
    """Break a row after every `width` cells."""
    if len(row) == 1 and row[0][0].isascii():  # nearly every line, and each character of it is one cell
        text, token = row[0]
        return [((text[start : start + width], token),) for start in range(0, len(text), width)]
    lines: list[list[Span]] = [[]]
    left = width
    for text, token in row:
        start = 0
        for position, character in enumerate(text):
            size = cell_len(character)
            if size > left:
                lines[-1].append((text[start:position], token))
                lines.append([])
                start, left = position, width
            left -= size
        lines[-1].append((text[start:], token))
    return [tuple(span for span in line if span[0]) for line in lines]


def _styled(text: str) -> list[Span]:
    spans: list[Span] = []
    pen = _Pen()
    position = column = 0
    for match in ESCAPE.finditer(text):
        column = _add(spans, text[position : match.start()], pen.token, column)
        position = match.end()
        if match.group(2) == "m":
            pen.obey(match.group(1))
    _add(spans, text[position:], pen.token, column)
    return spans


def _add(spans: list[Span], text: str, token: str, column: int) -> int:
    """Add a span that begins at `column`; returns the column behind it."""
    if not text:
        return column
    text = harmless(expand_tabs(text, column) if "\t" in text else text)
    spans.append((text, token))
    return column + cell_len(text)


class _Pen:
    """The graphic state that SGR sequences change."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.colour = ""
        self.marks: dict[str, bool] = {}

    @property
    def token(self) -> str:
        marks = "".join(mark for mark, is_on in self.marks.items() if is_on and mark != "faint")
        colour = self.colour or ("dim" if self.marks.get("faint") else "text")
        return f"{colour}+{marks}" if marks else colour

    def obey(self, parameters: str) -> None:
        """Take the parameters of one SGR sequence; what is unknown changes nothing."""
        codes = [int(part) if part.isdigit() and len(part) < 6 else 0 for part in re.split("[;:]", parameters)]
        position = 0
        while position < len(codes):
            position += self._obey_one(codes, position)

    def _obey_one(self, codes: list[int], position: int) -> int:
        code = codes[position]
        if code == 0:
            self._reset()
        elif code in _MARKS:
            mark, is_on = _MARKS[code]
            self.marks[mark] = is_on
            if code == 22:
                self.marks["faint"] = False
        elif 30 <= code <= 37 or 90 <= code <= 97:
            self.colour = f"ansi{code - 30 if code < 90 else code - 82}"
        elif code == 39:
            self.colour = ""
        elif code in (38, 48):
            return self._extended(codes, position)
        return 1

    def _extended(self, codes: list[int], position: int) -> int:
        kind = codes[position + 1] if position + 1 < len(codes) else 0
        length = {5: 3, 2: 5}.get(kind, 2)
        values = codes[position + 2 : position + length]
        if codes[position] == 38 and len(values) == length - 2 and values and all(value < 256 for value in values):
            self.colour = _indexed(values[0]) if kind == 5 else "#{:02x}{:02x}{:02x}".format(*values)
        return length


_MARKS = {
    1: ("b", True),
    2: ("faint", True),
    3: ("i", True),
    4: ("u", True),
    7: ("r", True),
    22: ("b", False),
    23: ("i", False),
    24: ("u", False),
    27: ("r", False),
}


def _indexed(number: int) -> str:
    return f"ansi{number}" if number < 16 else Color.from_ansi(number).get_truecolor().hex
