"""Any line of any log, found at once: held against a naive reading of the same bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lightning_tui.ui import logindex
from lightning_tui.ui.logindex import BLOCK, LogIndex


def naive(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def all_lines(index: LogIndex) -> list[bytes]:
    return [index.line(number) for number in range(index.lines)]


pieces = st.lists(
    st.one_of(
        st.binary(max_size=200),
        st.integers(1, 400).map(lambda n: b"line\n" * n),
        st.integers(1, BLOCK - 1).map(lambda n: b"x" * n + b"\n"),
    ),
    max_size=12,
)


@given(pieces, st.sampled_from([7, 1000, 1 << 20]))
def test_every_line_reads_as_in_a_naive_reading(parts: list[bytes], chunk: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        index = LogIndex(path)
        written = b""
        original, logindex.CHUNK = logindex.CHUNK, chunk
        try:
            with path.open("wb", buffering=0) as file:
                for part in parts:
                    file.write(part)
                    written += part
                    index.poll()
                    assert index.lines == len(naive(written))
        finally:
            logindex.CHUNK = original
        expected = naive(written)
        for number, line in enumerate(all_lines(index)):
            if len(expected[number]) <= BLOCK:
                assert line == expected[number]
            else:
                assert expected[number].startswith(line)


def test_a_line_longer_than_a_block_gives_its_head_or_the_last_state_of_its_bar(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a\n" + b"h" * (3 * BLOCK) + b"\n" + b"\r 10%" * BLOCK + b"\r100%\nend\n")
    index = LogIndex(path)
    index.poll()
    assert index.lines == 4
    assert index.line(1) == b"h" * 4096
    assert index.line(2).endswith(b"\r100%")
    assert index.line(3) == b"end"


def test_memory_is_flat_in_the_number_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"0123456789abcde\n" * 500_000)
    index = LogIndex(path)
    while index.poll():
        pass
    assert index.lines == 500_000
    assert index.line(0) == index.line(499_999) == b"0123456789abcde"
    assert len(index._blocks.starts) < 300


def test_growing_in_small_pieces_does_not_fill_the_index(tmp_path: Path) -> None:
    path = tmp_path / "log"
    index = LogIndex(path)
    with path.open("ab", buffering=0) as file:
        for _ in range(2000):
            file.write(b"one line\n")
            index.poll()
    assert index.lines == 2000
    assert len(index._blocks.starts) < 4


def test_a_file_that_is_late_shrinks_or_is_replaced_is_taken_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    index = LogIndex(path)
    assert index.poll() == 0
    path.write_bytes(b"one\ntwo\nthree\n")
    index.poll()
    assert index.lines == 3
    path.write_bytes(b"new\n")
    index.poll()
    assert all_lines(index) == [b"new"]
    fresh = tmp_path / "fresh"
    fresh.write_bytes(b"other file\nwith two\n")
    fresh.rename(path)
    index.poll()
    assert all_lines(index) == [b"other file", b"with two"]
    assert index.generation == 2


def test_there_is_no_line_outside(tmp_path: Path) -> None:
    index = LogIndex(tmp_path / "none")
    assert index.line(0) == index.line(-1) == b""
