"""The log as a person uses it: search, filter, follow, copy, fold, all ranks by time."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.widgets import Input

from lightning_tui.record import RunDirectory
from lightning_tui.text.units import count
from lightning_tui.ui.app import CockpitApp
from lightning_tui.ui.log.copying import clipboard_sequence, copy_lines
from lightning_tui.ui.log.following import Output
from lightning_tui.ui.log.index import LogIndex
from lightning_tui.ui.log.jumping import parse_jump
from lightning_tui.ui.log.lines import PlainLines
from tests.ui import scenes
from tests.ui.support import CheckGrid, gone, shows, text_grid, until

SIZE = (120, 36)
SIZES = {"80x24": (80, 24), "120x36": SIZE, "200x50": (200, 50)}


def on_log(folder: Path, lines: bytes | None = None) -> tuple[CockpitApp, RunDirectory]:
    """A cockpit on four ranks with long logs; `lines` in place of those of rank 0."""
    run = scenes.long_log(folder)
    directory = RunDirectory(Path(run.directory))
    if lines is not None:
        directory.output(0, 0).write_bytes(lines)
    return scenes.cockpit(folder, run), directory


def log_rows(app: CockpitApp) -> list[str]:
    """What stands within the log's border."""
    pane = app.cockpit.parts.log.region
    rows = text_grid(app).splitlines()[pane.y + 1 : pane.bottom - 1]
    return [row[pane.x + 2 : pane.right - 2].rstrip() for row in rows]


async def search(app: CockpitApp, pilot: Any, text: str, key: str = "slash") -> None:
    await pilot.press(key)
    await until(pilot, lambda: bool(app.screen.query(Input)))
    app.screen.query_one(Input).value = text
    await pilot.press("enter")


async def test_a_search_steps_through_hits_in_both_directions_and_ends_with_escape(tmp_path: Path) -> None:
    app, _ = on_log(tmp_path, b"".join(b"line %d%s\n" % (n, b" HIT" if n % 100 == 7 else b"") for n in range(1000)))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5")
        await search(app, pilot, "hit$")
        await until(pilot, shows(app, "/hit$ · 10 found"))
        await pilot.press("n")
        await until(pilot, shows(app, "10 of 10"))
        assert "line 907 HIT" in log_rows(app), "whoever follows the end is taken to the last hit"
        await pilot.press("N", "N")
        await until(pilot, shows(app, "8 of 10"))
        await pilot.press("n")
        await until(pilot, shows(app, "9 of 10"))
        await pilot.press("n", "n")
        await until(pilot, shows(app, "no match below; N searches up"))
        await pilot.press("escape")
        await until(pilot, gone(app, "/hit$"))


@pytest.mark.parametrize("size", SIZES)
async def test_a_search_in_the_zoomed_log_looks_as_stored(size: str, tmp_path: Path, check_grid: CheckGrid) -> None:
    app, _ = on_log(tmp_path)
    async with app.run_test(size=SIZES[size]) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5", "z")
        await search(app, pilot, "best")
        await until(pilot, shows(app, "14 found"))
        await pilot.press("N")
        await until(pilot, shows(app, "14 of 14"))
        check_grid(app, f"log-search-{size}")


async def test_a_bad_expression_is_told_in_place_and_what_was_typed_stays(tmp_path: Path) -> None:
    app, _ = on_log(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5")
        await search(app, pilot, "loss=(")
        await until(pilot, shows(app, "valid regular expression: missing )"))
        assert app.screen.query_one(Input).value == "loss=("
        app.screen.query_one(Input).value = "nothing has this"
        await pilot.press("enter")
        await until(pilot, shows(app, "not found"))


async def test_the_filter_shows_only_lines_that_match_then_some_around_them_then_all(tmp_path: Path) -> None:
    app, directory = on_log(tmp_path, b"".join(b"n%d\n" % number for number in range(500)))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5", "z")
        await search(app, pilot, "^n[24]00$", "F")
        await until(pilot, lambda: log_rows(app)[:3] == ["n200", "n400", ""])
        with directory.output(0, 0).open("ab") as file:
            file.write(b"no\nn200\n")
        await until(pilot, lambda: log_rows(app)[:4] == ["n200", "n400", "n200", ""])
        await pilot.press("F")
        around = ["n198", "n199", "n200", "n201", "n202", "n398", "n399", "n400", "n401", "n402", "n499", "no", "n200"]
        await until(pilot, lambda: log_rows(app)[: len(around)] == around)
        await pilot.press("S")
        saved = directory.path / "log-rank-0-matching.txt"
        await until(pilot, shows(app, "saved 3 lines"))
        assert saved.read_text().split() == around
        assert saved.stat().st_mode & 0o777 == 0o600
        await pilot.press("F")
        await until(pilot, lambda: "n497" in log_rows(app))


async def test_new_lines_are_counted_while_one_reads_above(tmp_path: Path) -> None:
    app, directory = on_log(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, "following"))
        await pilot.press("5", "pageup")
        before = log_rows(app)
        with directory.output(0, 0).open("ab") as file:
            file.write(b"new\n" * 1234)
        await until(pilot, shows(app, f"▼ {count(1234)} new · space follows"))
        assert log_rows(app) == before, "a reader of history is not moved"
        await pilot.press("space")
        await until(pilot, shows(app, "following"))
        assert log_rows(app)[-1] == "new"


async def test_n_steps_through_errors_and_enter_opens_a_folded_traceback(tmp_path: Path) -> None:
    app, _ = on_log(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5", "z")
        await until(pilot, shows(app, "client.UploadError: no answer from the store within 5 s  traceback, 6 lines"))
        assert "client.put" not in text_grid(app)
        await pilot.press("g", "n")
        await until(pilot, lambda: app.cockpit.parts.log.place.mark is not None)
        await pilot.press("enter")
        await until(pilot, shows(app, "client.put(path, timeout=5)"))
        await pilot.press("y")
        await until(pilot, shows(app, "copied traceback to the clipboard and copied.txt in the run directory"))
        await pilot.press("enter")
        await until(pilot, gone(app, "client.put"))
        await pilot.press("n")
        await until(pilot, shows(app, "no match below"))


async def test_lines_are_selected_by_key_and_mouse_and_copied_to_clipboard_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, directory = on_log(tmp_path, b"one\n\x1b[31mtwo\x1b[0m\tof 3\x07\n\r 10%\r100%\n")
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5")
        written: list[str] = []
        monkeypatch.setattr(app._driver, "write", written.append)
        await pilot.press("V", "up")
        await until(pilot, shows(app, "2 selected · y copies"))
        await pilot.press("y")
        await until(pilot, shows(app, "copied 2 lines"))
        text = "two\tof 3·\n100%\n"
        assert (directory.path / "copied.txt").read_text() == text
        sequence = f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\x07"
        assert any(sequence in said for said in written)
        await pilot.press("escape")
        pane = app.cockpit.parts.log
        await pilot.mouse_down(pane, offset=(4, 1))
        await pilot.hover(pane, offset=(4, 3))
        await pilot.mouse_up(pane, offset=(4, 3))
        await until(pilot, lambda: pane.place.selection == (0, 2))
        await pilot.press("y")
        await until(pilot, shows(app, "copied 3 lines"))


async def test_an_expression_that_takes_for_ever_is_given_up_and_the_screen_goes_on(tmp_path: Path) -> None:
    app, _ = on_log(tmp_path, b"first\n" + (b"a" * 3000 + b"!\n") * 20)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, shows(app, "aaaa"))
        await search(app, pilot, "(a+)+$")
        await until(pilot, shows(app, "/(a+)+$ takes too long"))
        assert app.cockpit.parts.log.search is None
        await search(app, pilot, "fir(s)t")
        await until(pilot, shows(app, "/fir(s)t · 1 found"))


async def test_what_was_marked_but_is_out_of_sight_is_not_copied(tmp_path: Path) -> None:
    app, directory = on_log(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5", "g")
        await search(app, pilot, "1", "j")
        pane = app.cockpit.parts.log
        await until(pilot, lambda: pane.place.mark == 0)
        await pilot.press("pagedown", "pagedown", "y")
        await until(pilot, shows(app, "copied 1 line"))
        place = pane.place.last_seen()
        assert place is not None
        assert pane.place.lines is not None
        assert (directory.path / "copied.txt").read_bytes() == pane.place.lines.at(place)[0].data + b"\n"


def test_a_copy_goes_where_it_can_and_a_long_one_to_the_file_only(tmp_path: Path) -> None:
    log = LogIndex(tmp_path / "0.log")
    log.path.write_bytes(b"a\n" + b"b" * 100_000 + b"\n")
    log.poll()
    lines, target, nowhere = PlainLines(log, 0), tmp_path / "copied.txt", tmp_path / "missing" / "copied.txt"
    short, long = copy_lines(lines, 0, 0, nowhere, ""), copy_lines(lines, 0, 1, target, "")
    assert (short.text, short.sentence) == ("a\n", "copied 1 line to the clipboard")
    assert long.sentence == "copied 2 lines to copied.txt in the run directory, not to a clipboard"
    assert (long.text, target.read_bytes()) == (None, log.path.read_bytes())
    assert target.stat().st_mode & 0o777 == 0o600
    assert copy_lines(lines, 0, 1, nowhere, "").sentence.startswith("not copied: too long for a clipboard")


async def test_the_last_line_is_gone_to_without_leaving_the_page_empty(tmp_path: Path) -> None:
    app, _ = on_log(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5")
        pane = app.cockpit.parts.log
        for where in ("99.9 %", "start", count(pane.place.lines.total).replace(",", "") if pane.place.lines else ""):
            await search(app, pilot, where, "j")
            await until(pilot, lambda: not pane.place.follow)
            await until(pilot, lambda: all(log_rows(app)))
        await until(
            pilot, lambda: pane.place.lines is not None and pane.place.last_seen() == pane.place.lines.total - 1
        )


async def test_times_are_shown_of_the_next_run_too(tmp_path: Path) -> None:
    app, directory = on_log(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5", "T")
        await until(pilot, lambda: any(re.match(r"\d\d:\d\d:\d\d ", row) for row in log_rows(app)))
        app.cockpit.attach(directory)
        await until(pilot, lambda: app.cockpit.parts.log.output is None)
        await until(pilot, lambda: any(re.match(r"\d\d:\d\d:\d\d ", row) for row in log_rows(app)))


def test_within_tmux_the_clipboard_is_asked_for_past_it_as_well() -> None:
    assert clipboard_sequence("a", {}) == "\x1b]52;c;YQ==\x07"
    assert clipboard_sequence("a", {"TMUX": "x"}).endswith("\x1bPtmux;\x1b\x1b]52;c;YQ==\x07\x1b\\")


async def test_one_jumps_to_a_line_a_share_and_a_time(tmp_path: Path) -> None:
    app, _ = on_log(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5")
        await search(app, pilot, "6", "j")
        await until(pilot, lambda: "epoch 0 step  400  train_loss 2.21  lr 2.9e-4" in log_rows(app))
        await search(app, pilot, "50 %", "j")
        await until(pilot, lambda: app.cockpit.parts.log.place.top == 322)
        await search(app, pilot, "nowhere", "j")
        await until(pilot, shows(app, "is not a position in the log"))
        await pilot.press("escape")
        await search(app, pilot, "10m", "j")  # 151 seconds after the first sample
        await until(pilot, lambda: any(row.startswith("step  1208") for row in log_rows(app)))


def test_a_place_in_the_log_is_a_share_a_line_or_a_time() -> None:
    assert parse_jump("50 %", 0).share == 0.5
    assert parse_jump("end", 0).share == 1.0
    assert parse_jump("1200", 0).line == 1200
    assert parse_jump("90s", 100).moment == 10
    for text in ("0", "101 %", "somewhere"):
        with pytest.raises(ValueError, match="not a position in the log"):
            parse_jump(text, 0)


async def test_all_ranks_are_shown_by_time_with_times_and_searched(tmp_path: Path) -> None:
    app, directory = on_log(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5", "z", "k")
        await until(pilot, shows(app, "all ranks"))
        await pilot.press("up", "enter")
        await until(pilot, shows(app, "all 4 ranks"))
        await pilot.press("T")
        warning = r"^ +2 │ UserWarning: the loss of batch 577 is nan"
        await until(pilot, lambda: any(re.match(warning, row) for row in log_rows(app)))
        rows = log_rows(app)
        place = next(place for place, row in enumerate(rows) if re.match(warning, row))
        assert re.match(r"\d\d:\d\d:\d\d 0 │ step  4616", rows[place - 1])
        await search(app, pilot, "is nan")
        await until(pilot, shows(app, "6 found"))
        await pilot.press("n", "N")
        await until(pilot, lambda: any("batch 477 is nan" in row for row in log_rows(app)))
        await pilot.press("F")
        await until(pilot, shows(app, "one rank's lines can be filtered"))
        await pilot.press("S")
        await until(pilot, shows(app, "saved 653 lines"))
        assert "rank 2: UserWarning" in (directory.path / "log-all-ranks-merged.txt").read_text()


async def test_the_side_is_reached_with_arrows_and_wide_characters_stay_aligned(tmp_path: Path) -> None:
    app, _ = on_log(tmp_path, "".join(f"{'語' * 40}{'x' * 40}END{n}\n" for n in range(3)).encode())
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5")
        await until(pilot, shows(app, "語"))
        assert "END" not in text_grid(app)
        await pilot.press("right", "right", "right", "right")
        await until(pilot, shows(app, "END2"))
        assert "from column 65" in text_grid(app)
        assert {cell_len(row) for row in text_grid(app).splitlines()[1:-1]} == {SIZE[0]}
        await pilot.press("left", "left", "left", "left")
        await until(pilot, gone(app, "END"))


async def test_a_file_that_is_replaced_under_the_reader_is_shown_anew(tmp_path: Path) -> None:
    app, directory = on_log(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5", "g")
        fresh = tmp_path / "fresh"
        fresh.write_bytes(b"quite another file\n")
        fresh.replace(directory.output(0, 0))
        await until(pilot, lambda: log_rows(app)[0] == "quite another file")
        assert "following" in text_grid(app)


async def test_a_reader_of_a_long_log_s_end_stays_there_when_all_of_it_has_been_read(tmp_path: Path) -> None:
    app, directory = on_log(tmp_path, b"".join(b"line %d\n" % number for number in range(1000)))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5")
        app.cockpit.features.log.follow(None)
        pane, path = app.cockpit.parts.log, directory.output(0, 0)
        whole = LogIndex(path)
        whole.poll()
        tail = LogIndex(path, whole.offset_of(600))
        tail.poll()
        pane.show_output(Output(tail, 0, (0,), share=0.25))
        await until(pilot, shows(app, "the end; 25% read"))
        pane.scroll_by(-100)
        pane.place.begin_selection()
        await pilot.pause()
        before = log_rows(app)
        assert before[0] == f"line {1000 - len(before) - 100}"
        pane.show_output(Output(whole, 0, (0,)))
        await until(pilot, shows(app, "1 selected"))
        assert log_rows(app) == before
        assert pane.place.selection == (899, 899)
