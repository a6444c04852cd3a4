"""Two themes, and how a token becomes a style: near-black or near-white ground, one accent, colour for meaning."""

from __future__ import annotations

from rich.color import Color, blend_rgb
from rich.style import Style
from textual.theme import Theme

DARK = "lightning-dark"
LIGHT = "lightning-light"

_COLOURS: dict[str, dict[str, str]] = {
    DARK: {
        "ground": "#101218",
        "bar": "#1a1c26",
        "selection": "#2b2640",
        "text": "#dfe1ea",
        "dim": "#858b9b",
        "faint": "#4d5261",
        "border": "#3a3e4c",
        "accent": "#a78bfa",
        "reserved": "#7259c2",
        "good": "#79dfa0",
        "warn": "#f5bf62",
        "bad": "#ff7382",
        "train": "#5fc6ff",
        "val": "#ff9f68",
        "third": "#f08bd0",
        "fourth": "#d3e05e",
        "fifth": "#5fe0cf",
    },
    LIGHT: {
        "ground": "#fbfbfd",
        "bar": "#ebebf2",
        "selection": "#e2dafc",
        "text": "#20232c",
        "dim": "#5f6575",
        "faint": "#a9aebb",
        "border": "#c3c7d1",
        "accent": "#6a3fd4",
        "reserved": "#a893e6",
        "good": "#137a3f",
        "warn": "#8a590a",
        "bad": "#c4213c",
        "train": "#0b69b7",
        "val": "#b0430a",
        "third": "#a62a86",
        "fourth": "#66700a",
        "fifth": "#0a7a70",
    },
}

_FEW: dict[str, dict[str, int]] = {
    DARK: {
        "ground": 0, "bar": 0, "selection": 8, "text": 15, "dim": 7, "faint": 8, "border": 8, "accent": 13,
        "reserved": 5, "good": 10, "warn": 11, "bad": 9, "train": 14, "val": 3,
        "third": 13, "fourth": 11, "fifth": 10,
    },
    LIGHT: {
        "ground": 15, "bar": 15, "selection": 7, "text": 0, "dim": 8, "faint": 7, "border": 7, "accent": 5,
        "reserved": 13, "good": 2, "warn": 3, "bad": 1, "train": 4, "val": 3,
        "third": 5, "fourth": 2, "fifth": 6,
    },
}  # fmt: skip
"""For terminals with 16 colours: the nearest of them would lose the meaning, so each is chosen by its number."""

_GREYS = frozenset({"ground", "bar", "selection", "text", "dim", "faint", "border"})

_SIXTEEN = (
    "#000000", "#aa0000", "#00aa00", "#aa5500", "#0000aa", "#aa00aa", "#00aaaa", "#aaaaaa",
    "#555555", "#ff5555", "#55ff55", "#ffff55", "#5555ff", "#ff55ff", "#55ffff", "#ffffff",
)  # fmt: skip
"""What Rich turns into exactly these sixteen numbers."""

_DIMMED = 0.42
"""How much of a colour is left when it is dimmed."""

_ANSI_NAMES = ("border", "bad", "good", "warn", "train", "accent", "train", "text")
"""Which token stands for each of the eight ANSI colours that a program may use; black would be unreadable."""


class Palette:
    """Styles of one theme: a token is a colour's name, then `+b` bold, `+i` italic, `+u` underlined, `+r` reversed,
    `+d` dimmed towards the ground, `+s` on the selection's ground. Log text may also carry `#rrggbb` or `ansi0` to
    `ansi15` as its name."""

    def __init__(self, theme: str, has_few_colours: bool = False, has_no_colour: bool = False) -> None:
        self._colours = _COLOURS.get(theme, _COLOURS[DARK])
        if has_few_colours:
            few = _FEW.get(theme, _FEW[DARK])
            if has_no_colour:  # of sixteen, a red made grey could hardly be read
                few = {name: number if name in _GREYS else few["text"] for name, number in few.items()}
            self._colours = {name: _SIXTEEN[number] for name, number in few.items()}
        self._has_few_colours = has_few_colours
        self._styles: dict[tuple[str, str], Style] = {}

    def style(self, token: str, ground: str) -> Style:
        """Style of a token on a ground (`ground`, `bar`)."""
        known = self._styles.get((token, ground))
        if known is None:
            known = self._styles[token, ground] = self._make(token, ground)
        return known

    def _make(self, token: str, ground: str) -> Style:
        name, _, marks = token.partition("+")
        return Style(
            color=self._dimmed(self._colour(name)) if "d" in marks else self._colour(name),
            bgcolor=self._colours["selection" if "s" in marks else ground],
            bold="b" in marks,
            italic="i" in marks,
            underline="u" in marks,
            reverse="r" in marks,
        )

    def _dimmed(self, colour: Color) -> Color:
        """Nearer to the ground; of sixteen colours none is, so there it is the faint grey."""
        if self._has_few_colours or colour.triplet is None:
            return self._colour("faint")
        ground = Color.parse(self._colours["ground"]).get_truecolor()
        return Color.from_triplet(blend_rgb(ground, colour.triplet, _DIMMED))

    def _colour(self, name: str) -> Color:
        if name.startswith("ansi"):
            name = _ANSI_NAMES[int(name.removeprefix("ansi")) % 8]
        return Color.parse(self._colours.get(name, name))


def make_theme(name: str) -> Theme:
    """The Textual theme of that name, for the widgets that style themselves."""
    colours = _COLOURS[name]
    return Theme(
        name=name,
        dark=name == DARK,
        primary=colours["accent"],
        accent=colours["accent"],
        secondary=colours["train"],
        foreground=colours["text"],
        background=colours["ground"],
        surface=colours["ground"],
        panel=colours["bar"],
        success=colours["good"],
        warning=colours["warn"],
        error=colours["bad"],
        variables={
            "border": colours["border"],
            "input-selection-background": f"{colours['accent']} 35%",
            "input-cursor-background": colours["text"],
            "input-cursor-foreground": colours["ground"],
        },
    )
