"""When which byte of the output was there, and what a person may type for a time."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_tui.output import times as times_module
from lightning_tui.output.merging import MergedOutput, line_start, whole_lines
from lightning_tui.output.times import OutputTimes, Tick, parse_moment
from lightning_tui.record import RunDirectory

NOW = 1_790_000_751.0


def sample(directory: RunDirectory, moment: float, **sizes: int) -> None:
    directory.supervisor.mkdir(parents=True, exist_ok=True)
    said = {"event": "sample", "seq": 0, "time": moment, "host": {}, "gpus": []}
    said["output_bytes"] = {name.removeprefix("r"): size for name, size in sizes.items()}
    with directory.supervisor_log(0).open("a") as file:
        file.write(json.dumps(said) + "\n")


def known(directory: RunDirectory) -> OutputTimes:
    times = OutputTimes(directory)
    while times.poll():
        pass
    return times


def test_times_and_offsets_lead_to_each_other(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    for moment, size in ((10.0, 0), (11.0, 100), (12.0, 100), (13.0, 250)):
        sample(directory, moment, r0=size)
    times = known(directory)
    assert [times.offset_at(0, moment) for moment in (9, 10, 11, 12.5, 13, 99)] == [0, 0, 100, 100, 250, 250]
    assert [times.time_at(0, offset) for offset in (0, 99, 100, 249, 250)] == [11.0, 11.0, 13.0, 13.0, None]
    assert times.offset_at(7, 99.0) == 0
    assert times.time_at(7, 0) is None


def test_broken_lines_a_clock_that_goes_back_and_a_new_attempt_do_no_harm(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    sample(directory, 10.0, r0=100)
    with directory.supervisor_log(0).open("a") as file:
        file.write('{"output_bytes": nonsense}\n{"event":"sample","output_bytes":{"x":3}}\n')
    sample(directory, 8.0, r0=200)
    assert list(known(directory).ticks()) == [Tick(10.0, 0, 100), Tick(10.0, 0, 200)]
    sample(directory, 20.0, r0=50)
    assert list(known(directory).ticks()) == [Tick(20.0, 0, 50)]


def test_memory_is_flat_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(times_module, "MOST_STEPS", 100)
        directory = RunDirectory(tmp_path)
        for second in range(1000):
            sample(directory, float(second), r0=10 * second)
        times = known(directory)
    assert len(list(times.ticks())) <= 100
    assert times.offset_at(0, 999.0) == 9990
    assert abs(times.offset_at(0, 500.0) - 5000) < 200


def test_ticks_of_one_second_come_by_rank(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    sample(directory, 1.0, r1=5, r0=5)
    sample(directory, 2.0, r1=9, r0=5)
    assert [(tick.time, tick.rank) for tick in known(directory).ticks()] == [(1.0, 0), (1.0, 1), (2.0, 1)]


def test_all_ranks_are_merged_by_the_second_and_nothing_is_lost(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    paths = {rank: tmp_path / f"{rank}.log" for rank in (0, 1)}
    paths[0].write_bytes(b"a1\na2\na3 unfin")
    paths[1].write_bytes(b"b1\nb2\n")
    sample(directory, 1.0, r0=3, r1=3)
    sample(directory, 2.0, r0=13, r1=3)
    merged = MergedOutput(OutputTimes(directory))
    assert list(merged.read_new(paths, is_over=False)) == [(0, b"a1\n"), (1, b"b1\n"), (0, b"a2\n")]
    sample(directory, 3.0, r0=14, r1=6)
    assert list(merged.read_new(paths, is_over=False)) == [(1, b"b2\n")]
    assert list(merged.read_new(paths, is_over=True)) == [(0, b"a3 unfin")]
    since = MergedOutput(OutputTimes(directory), since=1.5)
    assert list(since.read_new(paths, is_over=True)) == [(0, b"a2\n"), (1, b"b2\n"), (0, b"a3 unfin")]


@given(st.lists(st.sampled_from([b"\n", b"a", b"bb\n"]), max_size=30).map(b"".join), st.integers(0, 40))
def test_pieces_are_whole_lines(data: bytes, end: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(data)
        assert b"".join(whole_lines(path, 0, None)) == data
        begun = b"".join(whole_lines(path, 0, end))
        assert begun == data[: data[:end].rfind(b"\n") + 1]
        assert line_start(path, min(end, len(data))) == data[:end].rfind(b"\n") + 1


def test_a_line_of_many_megabytes_is_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    data = b"a\n" + b"x" * 5_000_000 + b"\nb\n"
    path.write_bytes(data)
    assert list(whole_lines(path, 0, None)) == [b"a\n", data[2:]]


def test_a_time_may_be_typed_in_many_ways() -> None:
    assert parse_moment("90s", NOW) == NOW - 90
    assert parse_moment("1.5 h", NOW) == NOW - 5400
    assert parse_moment("2d", NOW) == NOW - 2 * 86400
    here = time.localtime(NOW - 3600)
    assert abs(parse_moment(time.strftime("%H:%M:%S", here), NOW) - (NOW - 3600)) < 1
    later = time.localtime(NOW + 3600)
    assert abs(parse_moment(time.strftime("%H:%M:%S", later), NOW) - (NOW + 3600 - 86400)) < 1
    assert time.localtime(parse_moment("2026-05-01 12:31", NOW))[:5] == (2026, 5, 1, 12, 31)


@pytest.mark.parametrize("text", ["", "yesterday", "25:00", "12:61", "-5m", "2026-13-01"])
def test_what_is_no_time_is_told_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_moment(text, NOW)
