"""What can be typed, and what a wrong line is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lightning_tui import __version__
from lightning_tui.cli.parser import build_parser, parse
from lightning_tui.cli.terminal import duration, significant, size
from lightning_tui.plan import FIELDS
from lightning_tui.plan.fields import FLAGS


def test_everything_after_the_dashes_is_the_programs() -> None:
    arguments = parse(["run", "--devices", "-1", "--", "train.py", "--devices", "9", "--", "--help"])
    assert arguments.program == ["train.py", "--devices", "9", "--", "--help"]
    assert arguments.devices == "-1"


def test_no_command_is_the_cockpit() -> None:
    assert parse([]).function == "opening:cockpit"
    assert parse([]).program is None
    assert parse(["--", "train.py"]).program == ["train.py"]


def test_options_before_and_after_the_command_are_the_same() -> None:
    assert str(parse(["--home", "/a", "runs"]).home) == "/a"
    assert str(parse(["runs", "--home", "/a"]).home) == "/a"
    assert not hasattr(parse(["runs"]), "home")


def test_each_flag_of_the_plan_is_a_field_of_it() -> None:
    assert set(FLAGS) <= set(FIELDS)


@pytest.mark.parametrize(
    "line", [["fly"], ["run", "--strateg", "ddp"], ["logs"], ["stop"], ["stop", "x", "--after", "tea"]]
)
def test_wrong_usage_is_2(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(line)
    assert stopped.value.code == 2
    assert "usage: lightning-tui" in capsys.readouterr().err


def test_nothing_to_parse_means_the_same_as_the_whole_grammar_says() -> None:
    for program in ([], ["--", "train.py"]):
        whole = vars(build_parser().parse_args([]))
        assert vars(parse(program)) == {**whole, "program": program[1:] or None}


def test_ascii_is_asked_for_of_each_command_that_opens_the_cockpit() -> None:
    for line in (["--ascii"], ["--ascii", "attach"], ["attach", "x", "--ascii"], ["demo", "--ascii"]):
        assert parse(line).ascii is True
    assert not hasattr(parse(["attach"]), "ascii")


def test_readonly_is_asked_for_of_the_commands_that_watch() -> None:
    for line in (["--readonly"], ["--readonly", "attach"], ["attach", "x", "--readonly"]):
        assert parse(line).readonly is True
    with pytest.raises(SystemExit):
        parse(["demo", "--readonly"])


def test_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lightning_tui", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"lightning-tui {__version__}\n"


def test_numbers_for_people() -> None:
    assert (duration(None), duration(751.9), duration(90061)) == ("N/A", "00:12:31", "1d 01:01:01")
    assert (significant(None), significant(2.34567), significant(0.0003)) == ("N/A", "2.35", "3.00e-4")
    assert (size(None), size(3 * 2**29), size(2**22)) == ("N/A", "1.5 GiB", "4 MiB")


@pytest.mark.parametrize("line", [["run", "train.py"], ["train.py"], ["run", "--max-step", "3"]])
def test_who_leaves_out_the_dashes_is_told_where_a_program_goes(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(line)
    assert "goes after --" in capsys.readouterr().err


def test_the_usage_of_a_command_is_one_that_can_be_typed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["stop"])
    assert capsys.readouterr().err.startswith("usage: lightning-tui stop [-h]")
