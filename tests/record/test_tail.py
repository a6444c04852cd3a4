"""A tail sees every whole line once, whatever happens to the file meanwhile."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightning_tui.record.tail import LineTail


def test_a_file_that_appears_late(tmp_path: Path) -> None:
    tail = LineTail(tmp_path / "late.jsonl")
    assert tail.poll() == []
    tail.path.write_bytes(b"one\n")
    assert tail.poll() == [b"one"]
    assert tail.poll() == []


def test_a_torn_line_waits_for_its_end(tmp_path: Path) -> None:
    tail = LineTail(tmp_path / "torn.jsonl")
    tail.path.write_bytes(b"one\ntw")
    assert tail.poll() == [b"one"]
    with tail.path.open("ab") as file:
        file.write(b"o\n")
    assert tail.poll() == [b"two"]


def test_a_file_that_shrinks_is_read_anew(tmp_path: Path) -> None:
    tail = LineTail(tmp_path / "shrinks.jsonl")
    tail.path.write_bytes(b"one\ntwo\n")
    assert tail.poll() == [b"one", b"two"]
    tail.path.write_bytes(b"new\n")
    assert tail.poll() == [b"new"]
    assert tail.restarts == 1


def test_a_file_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    tail = LineTail(tmp_path / "replaced.jsonl")
    tail.path.write_bytes(b"one\n")
    assert tail.poll() == [b"one"]
    other = tmp_path / "other"
    other.write_bytes(b"longer than before\n")
    other.replace(tail.path)
    assert tail.poll() == [b"longer than before"]


def test_a_line_beyond_the_limit_does_not_block_what_follows(tmp_path: Path) -> None:
    tail = LineTail(tmp_path / "long.jsonl")
    tail.path.write_bytes(b"x" * 100 + b"\nafter\n")
    seen = [line for _ in range(20) for line in tail.poll(limit=16)]
    assert seen[-1] == b"after"


def test_a_file_that_cannot_be_opened_gives_nothing(tmp_path: Path) -> None:
    tail = LineTail(tmp_path)  # a directory
    assert tail.poll() == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=12))
def test_pieces_of_any_size_give_the_lines_of_the_whole(tmp_path: Path, pieces: list[bytes]) -> None:
    path = tmp_path / "pieces"
    path.unlink(missing_ok=True)
    tail = LineTail(path)
    seen = []
    for piece in pieces:
        with path.open("ab") as file:
            file.write(piece)
        seen += tail.poll()
    whole = b"".join(pieces)
    assert seen == whole.split(b"\n")[:-1]
