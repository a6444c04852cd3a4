"""In which colours and attributes does each row of the screen stand? Told in text that a diff shows well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby, zip_longest
from typing import NamedTuple

from rich.cells import cell_len
from rich.color import Color
from rich.style import Style

from lightning_tui.ui.app import CockpitApp
from lightning_tui.ui.drawing.canvas import palette_of
from lightning_tui.ui.drawing.theme import Palette
from tests.ui.support import strips

GROUNDS = ("ground", "bar", "selection")
TOKENS = (
    "text", "dim", "faint", "border", "accent", "reserved", "good", "warn", "bad", "train", "val", "third", "fourth",
    "fifth",
)  # fmt: skip
ATTRIBUTES = ("bold", "dim", "italic", "underline", "strike", "reverse")
SEEN_ON_BLANKS = {"underline", "strike", "reverse"}
BLANK = "-"


class Looks(NamedTuple):
    """How a cell looks, in names of the palette."""

    colour: str
    ground: str
    attributes: tuple[str, ...] = ()

    def __str__(self) -> str:
        ground = "" if self.ground == "ground" else f"/{self.ground}"
        return "+".join((self.colour + ground, *self.attributes))


def styled_cells(app: CockpitApp) -> str:
    """The colours of the palette that are used, then each row as its runs of cells: `token/ground+attribute xCELLS`.

    A token that is dimmed stands as `~token`, a colour that is none of the palette's as `#rrggbb`. `/ground` is left
    out where it is the usual one. `-` are blanks: only their ground can be seen.
    """
    palette = palette_of(app.cockpit.app)
    colours, grounds = _names(palette, (*TOKENS, *GROUNDS)), _names(palette, (*GROUNDS, *TOKENS))
    rows = [
        _joined(
            _looks(character, segment.style or Style(), colours, grounds)
            for segment in strip
            for character in segment.text
            for _ in range(cell_len(character))
        )
        for strip in strips(app)
    ]
    used = {name for row in rows for looks, _ in row for name in looks[:2]}
    legend = sorted({f"{name:<10}{code}" for code, name in (*colours.items(), *grounds.items()) if name in used})
    return "\n".join((*legend, "", *(_line(number, row) for number, row in enumerate(rows)))) + "\n"


def _names(palette: Palette, names: Iterable[str]) -> dict[str, str]:
    """Name of each colour; where two names have the same colour, the first."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(_code(palette.style(name, "ground").color), name)
    for name in names:
        found.setdefault(_code(palette.style(f"{name}+d", "ground").color), f"~{name}")
    return found


def _code(colour: Color | None) -> str:
    return "default" if colour is None else colour.get_truecolor().hex


def _looks(character: str, style: Style, colours: Mapping[str, str], grounds: Mapping[str, str]) -> Looks:
    attributes = tuple(name for name in ATTRIBUTES if getattr(style, name))
    ground = _named(style.bgcolor, grounds)
    if character.isspace() and not SEEN_ON_BLANKS & set(attributes):
        return Looks(BLANK, ground)
    return Looks(_named(style.color, colours), ground, attributes)


def _named(colour: Color | None, names: Mapping[str, str]) -> str:
    return names.get(_code(colour), _code(colour))


def _joined(cells: Iterable[Looks]) -> list[tuple[Looks, int]]:
    """Cells that look alike as one run; a single blank between two words of it belongs to it."""
    row = list(cells)
    for number, (before, here, after) in enumerate(zip_longest(row, row[1:], row[2:])):
        if before == after and here == Looks(BLANK, before.ground):
            row[number + 1] = before
    return [(looks, len(list(run))) for looks, run in groupby(row)]


def _line(number: int, row: list[tuple[Looks, int]]) -> str:
    return f"{number:>2}  " + "  ".join(f"{looks} x{cells}" for looks, cells in row)
