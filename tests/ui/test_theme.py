"""Every token can be read on every ground: in both themes, in 16 and in 256 colours."""

from __future__ import annotations

import pytest
from rich.color import Color, ColorSystem

from lightning_tui.ui.drawing.theme import DARK, LIGHT, Palette

TOKENS = ("text", "dim", "accent", "good", "warn", "bad", "train", "val")
QUIET = ("border", "faint", "reserved")


def luminance(colour: Color) -> float:
    """Relative luminance after WCAG 2, 0 to 1."""
    parts = [part / 255 for part in colour.get_truecolor()]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: Color, second: Color) -> float:
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT])
@pytest.mark.parametrize("token", TOKENS)
def test_words_stand_out_from_every_ground(theme: str, token: str) -> None:
    palette = Palette(theme)
    for ground, mark in (("ground", ""), ("bar", ""), ("ground", "+s")):
        style = palette.style(token + mark, ground)
        assert style.color is not None
        assert style.bgcolor is not None
        assert contrast(style.color, style.bgcolor) >= (4.0 if mark else 4.5), (token, ground, mark)


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_nothing_vanishes_in_256_colours(theme: str) -> None:
    palette = Palette(theme)
    for token in (*TOKENS, *QUIET):
        for ground in ("ground", "bar"):
            style = palette.style(token, ground)
            assert style.color is not None
            assert style.bgcolor is not None
            fore, back = (colour.downgrade(ColorSystem.EIGHT_BIT) for colour in (style.color, style.bgcolor))
            assert fore != back, (token, ground)


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_sixteen_colours_keep_their_meaning(theme: str) -> None:
    palette = Palette(theme, has_few_colours=True)
    numbers = {}
    for token in (*TOKENS, *QUIET):
        for ground, mark in (("ground", ""), ("bar", ""), ("ground", "+s")):
            style = palette.style(token + mark, ground)
            assert style.color is not None
            assert style.bgcolor is not None
            numbers[token] = style.color.downgrade(ColorSystem.STANDARD).number
            if not (token in QUIET and mark):
                assert numbers[token] != style.bgcolor.downgrade(ColorSystem.STANDARD).number, (token, ground, mark)
    meanings = [numbers[token] for token in ("text", "dim", "accent", "good", "warn", "bad", "train")]
    assert len(set(meanings)) == len(meanings)


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_without_colour_sixteen_colours_leave_full_contrast_for_what_matters(theme: str) -> None:
    palette = Palette(theme, has_few_colours=True, has_no_colour=True)
    text = palette.style("text", "ground").color
    assert all(palette.style(token, "ground").color == text for token in ("good", "warn", "bad", "accent", "train"))
    assert palette.style("dim", "ground").color != text
