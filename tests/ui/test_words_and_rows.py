"""How numbers are said, and how rows are fitted: three digits, a unit always, nothing wider than its place."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_tui.record import RunState
from lightning_tui.text import units as words
from lightning_tui.ui.drawing.rows import Row, centred, crop, ends, fill, first_fitting, join, width_of, wrap
from lightning_tui.ui.plan.words import value_words
from lightning_tui.ui.words import STATE_MARKS, rank_state
from tests.ui.support import text_of

visible = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "M"]), max_size=12)
spans = st.lists(st.tuples(visible, st.just("text")), max_size=5)
rows = spans.map(tuple)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1.3849, "1.38"), (812.4, "812"), (0.045, "0.0450"), (3e-4, "3.00e-4"), (99_999.0, "99999"),
        (123_456.0, "1.23e5"),
        (0.0, "0"), (-2.5, "-2.50"), (math.nan, "NaN"), (math.inf, "+inf"), (-math.inf, "-inf"),
    ],
)  # fmt: skip
def test_numbers_have_three_digits(value: float, said: str) -> None:
    assert words.number(value) == said


def test_sizes_times_and_counts() -> None:
    assert words.size(412 << 30) == "412 GiB"
    assert words.size(int(1.42 * (1 << 30))) == "1.42 GiB"
    assert words.size(64 << 20) == "64 MiB"
    assert words.size(5) == "5 B"
    assert words.duration(751.9) == "00:12:31"
    assert words.duration(90_061) == "1d 01:01:01"
    assert words.short_duration(251) == "04:11"
    assert words.short_duration(3851) == "1:04:11"
    assert words.count(12_408) == "12 408"
    assert words.short_count(10_800_000) == "10.8 M"
    assert words.per_step(0.041) == "41.0 ms"
    assert words.per_step(2.31) == "2.31 s"
    assert words.plural(1, "warning") == "1 warning"
    assert words.plural(2, "warning") == "2 warnings"
    assert words.ago(30) == "just now"
    assert words.ago(3 * 3600) == "3 h ago"


def test_every_state_has_a_glyph_of_its_own_one_cell_wide() -> None:
    assert set(STATE_MARKS) == {state.value for state in RunState}
    glyphs = [glyph for glyph, _ in STATE_MARKS.values()]
    assert len(set(glyphs)) == len(glyphs)
    assert all(width_of(((glyph, "text"),)) == 1 for glyph in glyphs)


@given(rows, st.integers(0, 40))
def test_a_cropped_row_fits_and_says_that_it_was_cut(row: Row, width: int) -> None:
    cut = crop(row, width)
    assert width_of(cut) <= width
    if width_of(row) > width > 0:
        assert text_of(cut).endswith("…")


@given(rows, rows, st.integers(1, 60))
def test_filled_rows_are_exactly_as_wide_as_asked(left: Row, right: Row, width: int) -> None:
    assert width_of(fill(left, width)) == width
    if width_of(right) + 10 < width:
        assert width_of(ends(left, right, width)) == width
        assert text_of(ends(left, right, width)).endswith(text_of(right))


def test_parts_that_do_not_fit_are_left_out_whole() -> None:
    parts: list[Row] = [(("alpha", "text"),), (("a very long part", "text"),), (("beta", "text"),)]
    assert text_of(join(parts, 13)) == "alpha  beta"
    assert text_of(first_fitting([(("too long", "text"),), (("ok", "text"),)], 4)) == "ok"
    assert text_of(centred([(("mid", "text"),)], 9, 3)[0]) == "   mid"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=120), st.integers(2, 30))
def test_wrapped_sentences_fit_and_keep_their_words(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert all(width_of(line) <= width for line in lines)
    assert "".join("".join(text_of(line) for line in lines).split()) == "".join(text.split())


def test_a_rank_of_a_run_that_is_over_does_nothing() -> None:
    assert [rank_state(state, True) for state in ("train", "validate", "setup", "exited")] == [
        "training",
        "validating",
        "starting",
        "exited",
    ]
    assert [rank_state(state, False) for state in ("train", "failed", "gone", "exited")] == [
        "ended",
        "failed",
        "gone",
        "exited",
    ]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("val_check_interval", 1.0, "an epoch"),
        ("val_check_interval", 0.25, "25 % of an epoch"),
        ("val_check_interval", 100, "100 batches"),
        ("limit_train_batches", 1, "1 batch"),
        ("limit_train_batches", 1.0, "all"),
        ("limit_val_batches", 0.125, "12.5 % of all"),
        ("max_epochs", -1, "no limit"),
        ("devices", -1, "all"),
        ("gradient_clip_val", 1.0, "1"),
        ("strategy", None, "none"),
    ],
)
def test_a_share_is_not_said_like_a_number_of_batches(name: str, value: object, said: str) -> None:
    assert value_words(name, value) == said
