"""The screen without braille and line drawing: each glyph becomes one ASCII character, at the last gate of all rows."""

from __future__ import annotations

import functools
import locale
from collections.abc import Mapping

from lightning_tui.ui.drawing.rows import Row

VARIABLE = "LIGHTNING_TUI_ASCII"

_GLYPHS = {
    **dict.fromkeys("╭╮╰╯┌┐└┘┬┴┼├┤┻", "+"),
    **dict.fromkeys("─━┄┈╴", "-"),
    **dict.fromkeys("│┃┊╎▏|", "|"),
    **dict.fromkeys("█▇■●", "#"),
    **dict.fromkeys("▓▆▅", "="),
    **dict.fromkeys("▒▄▃", ":"),
    **dict.fromkeys("░▂▁·", "."),
    **dict.fromkeys("★⚡", "*"),
    **dict.fromkeys("×✖⊗", "x"),
    **dict.fromkeys("◆◇", "o"),
    **dict.fromkeys("▸▶", ">"),
    **dict.fromkeys("▲↑", "^"),
    **dict.fromkeys("▼↓▾", "v"),
    **dict.fromkeys("←◂", "<"),
    **dict.fromkeys("→↳", ">"),
    "✎": "*", "✔": "+", "…": "~", "−": "-", "–": "-", "±": "~", "□": "o", "‖": "=", "○": "o", "°": "o",
}  # fmt: skip


def wants_ascii(environ: Mapping[str, str]) -> bool:
    """Whether the user asks for it (`LIGHTNING_TUI_ASCII=1`; 0 forbids it), or the terminal's encoding is not UTF-8."""
    asked = environ.get(VARIABLE)
    if asked:
        return asked != "0"
    encoding = locale.getpreferredencoding(False)
    return encoding.lower().replace("-", "").replace("_", "") != "utf8"


def ascii_row(row: Row) -> Row:
    """The row in ASCII, as wide as before; what has no likeness becomes `?`."""
    if all(text.isascii() for text, _ in row):
        return row
    return tuple((text if text.isascii() else "".join(map(_character, text)), token) for text, token in row)


@functools.lru_cache(4096)
def _character(character: str) -> str:
    if character.isascii():
        return character
    if "\u2800" <= character <= "\u28ff":
        return _dots(ord(character) - 0x2800)
    known = _GLYPHS.get(character)
    if known is not None:
        return known
    from rich.cells import cell_len

    return "?" * cell_len(character)


def _dots(bits: int) -> str:
    """A character that has its ink where the dots are."""
    if not bits:
        return " "
    rows = [bits & mask for mask in (0x01 | 0x08, 0x02 | 0x10, 0x04 | 0x20, 0x40 | 0x80)]
    taken = [place for place, row in enumerate(rows) if row]
    if len(taken) >= 3:
        return "|"
    middle = sum(taken) / len(taken)
    return "'" if middle < 1 else "-" if middle < 2 else "." if middle < 3 else "_"
